# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the web host: which are ordered, when, and within the authority's limits."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from presence_host_samples import host_places

from packmairie.site_hote import certificates
from packmairie.site_hote.orders import HOUR, Ledger, Policy
from packmairie.site_hote.places import Places


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return host_places(tmp_path, monkeypatch)


class TestCertificates:
    def run(
        self,
        places: Places,
        tmp_path: Path,
        monkeypatch,
        answers: dict[str, str],
        tries: int = 1,
        policy: Policy = Policy(),  # noqa: B008 - a value
    ):
        hosts = tmp_path / "hosts"
        for name in ("a.fr", "b.fr", "c.fr", ".cache"):
            (hosts / name).mkdir(parents=True, exist_ok=True)
        asked: list[str] = []

        def resolve(name: str, *_args, **_options):
            if name not in answers:
                raise OSError("inconnu")
            return [(0, 0, 0, "", (answers[name], 443))]

        def served(name: str, _deadline: float) -> int:
            asked.append(name)
            return tries

        monkeypatch.setattr(certificates.socket, "getaddrinfo", resolve)
        monkeypatch.setattr(certificates, "_served", served)
        done = certificates.warm_up(places, hosts, frozenset({"192.0.2.10"}), policy)
        return (done.served, done.silent, done.waiting), asked

    def test_only_names_that_lead_here_are_ordered_and_once(self, places: Places, tmp_path: Path, monkeypatch):
        answers = {"a.fr": "192.0.2.10", "b.fr": "198.51.100.1"}
        assert self.run(places, tmp_path, monkeypatch, answers) == ((["a.fr"], [], 0), ["a.fr"])
        assert self.run(places, tmp_path, monkeypatch, answers) == (([], [], 0), [])

    def test_a_name_that_stays_silent_rests_and_is_asked_again(self, places: Places, tmp_path: Path, monkeypatch):
        answers = {"a.fr": "192.0.2.10"}
        assert self.run(places, tmp_path, monkeypatch, answers, -3)[0] == ([], ["a.fr"], 0)
        assert self.run(places, tmp_path, monkeypatch, answers) == (([], [], 0), [])
        later = time.time() + HOUR + 1
        monkeypatch.setattr(certificates.time, "time", lambda: later)
        assert self.run(places, tmp_path, monkeypatch, answers)[0] == (["a.fr"], [], 0)

    def test_the_limit_is_kept_over_runs_and_what_is_left_comes_later(self, places: Places, tmp_path, monkeypatch):
        answers = dict.fromkeys(("a.fr", "b.fr", "c.fr"), "192.0.2.10")
        policy = Policy(an_hour=2)
        assert self.run(places, tmp_path, monkeypatch, answers, policy=policy)[0] == (["a.fr", "b.fr"], [], 1)
        assert self.run(places, tmp_path, monkeypatch, answers, policy=policy) == (([], [], 1), [])
        later = time.time() + HOUR + 1
        monkeypatch.setattr(certificates.time, "time", lambda: later)
        assert self.run(places, tmp_path, monkeypatch, answers, policy=policy)[0] == (["c.fr"], [], 0)

    def test_the_first_order_is_made_alone(self, places: Places, tmp_path: Path, monkeypatch):
        hosts, under_way, most = tmp_path / "hosts", [], []
        for name in ("a.fr", "b.fr", "c.fr"):
            (hosts / name).mkdir(parents=True)

        def served(name: str, _deadline: float) -> int:
            under_way.append(name)
            time.sleep(0.05)
            most.append(tuple(under_way))
            under_way.remove(name)
            return 1

        place = [(0, 0, 0, "", ("192.0.2.10", 443))]
        monkeypatch.setattr(certificates.socket, "getaddrinfo", lambda *_a, **_o: place)
        monkeypatch.setattr(certificates, "_served", served)
        assert len(certificates.warm_up(places, hosts, frozenset({"192.0.2.10"}), Policy()).served) == 3
        assert len(most[0]) == 1
        assert max(map(len, most)) == 2

    def test_an_order_is_counted_even_when_the_run_is_killed(self, places: Places, tmp_path: Path, monkeypatch):
        def killed(*_arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(Ledger, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            self.run(places, tmp_path, monkeypatch, {"a.fr": "192.0.2.10"})
        kept = json.loads((places.state / "certificats.json").read_bytes())
        assert [name for _moment, name in kept["commandes"]] == ["a.fr"]


FIRST = ("", "www.", "autoconfig.", "autodiscover.", "mta-sts.")
NAMES = [f"{first}commune-{number}.fr" for number in range(905) for first in FIRST]


class TestOrders:
    def test_905_communes_never_pass_the_authority_s_limits(self):
        ledger, now = Ledger(), 0.0
        moments: list[float] = []
        while due := ledger.due(NAMES, now):
            chosen = ledger.choose(due, Policy(), now)
            ledger.order(chosen, now)
            for name in chosen:
                ledger.settle(name, 1, now)
                moments.append(now)
            now += 1200
        assert len(moments) == 4525
        assert max(sum(start <= moment < start + 3 * HOUR for moment in moments) for start in set(moments)) <= 240
        assert 56 * HOUR <= now <= 58 * HOUR

    def test_sites_come_first(self):
        names = ["autodiscover.a.fr", "autoconfig.a.fr", "mta-sts.b.fr", "a.fr", "www.b.fr", "www.a.fr"]
        assert Ledger().due(names, 0)[:3] == ["www.a.fr", "www.b.fr", "a.fr"]

    def test_one_domain_does_not_take_the_share_of_all(self):
        names = [f"n{number:03}.mairies.fr" for number in range(100)] + ["www.a.fr"]
        chosen = Ledger().choose(names, Policy(an_hour=80, a_domain=40), 0)
        assert len(chosen) == 41
        assert "www.a.fr" in chosen

    def test_tries_are_orders_and_rests_grow(self):
        ledger = Ledger()
        ledger.order(["a.fr"], 0)
        ledger.settle("a.fr", -3, 0)
        assert len(ledger.orders) == 3
        assert ledger.due(["a.fr"], HOUR - 1) == []
        ledger.settle("a.fr", -1, HOUR)
        assert ledger.due(["a.fr"], 3 * HOUR - 1) == []
        for _time in range(20):
            ledger.settle("a.fr", -1, 0)
        assert ledger.due(["a.fr"], 24 * HOUR) == ["a.fr"]
        ledger.settle("a.fr", 2, 0)
        assert ledger.failures == {}

    def test_a_clock_that_went_back_does_not_close_the_door(self):
        ledger = Ledger(orders=[(10 * HOUR, "a.fr")] * 80)
        assert ledger.choose(["b.fr"], Policy(), 0) == ["b.fr"]

    @pytest.mark.parametrize("kept", [None, 7, [], {}, {"servis": 3}, {"servis": [], "commandes": [1], "echecs": {}}])
    def test_a_broken_ledger_is_an_empty_one(self, kept):
        ledger = Ledger.read(kept, {"a.fr"})
        assert (ledger.orders, ledger.failures) == ([], {})

    def test_what_an_earlier_version_kept_is_known(self):
        assert Ledger.read(["a.fr", "parti.fr"], {"a.fr"}).served == {"a.fr"}
        ledger = Ledger({"a.fr"}, [(1.0, "a.fr")], {"b.fr": (1, 2.0)})
        assert Ledger.read(json.loads(json.dumps(ledger.as_dict())), {"a.fr", "b.fr"}) == ledger
