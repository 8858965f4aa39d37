# SPDX-License-Identifier: GPL-3.0-or-later
"""What the web host runs: building what changed, putting messages aside, following them, ordering certificates."""

from __future__ import annotations

import io
import json
import os
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from core_samples import commune, pack

from packmairie.briques.presence_site import site_data
from packmairie.site_hote import __main__ as unit
from packmairie.site_hote import builder, certificates
from packmairie.site_hote.builder import build_changed
from packmairie.site_hote.deposit import EX_NOPERM, EX_OK, EX_TEMPFAIL, deposit
from packmairie.site_hote.mailroom import follow_mail
from packmairie.site_hote.orders import HOUR, Ledger, Policy
from packmairie.site_hote.places import Places

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
RIENCOURT, OEUF = "62708", "62633"
HOST = "www.riencourt-les-bapaume.fr"
AGENT = "secretariat@riencourt-les-bapaume.fr"
SITE = "site@riencourt-les-bapaume.fr"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    # Files are written and read at once here; the tests of unfinished ones say otherwise.
    monkeypatch.setattr(builder, "SETTLED", timedelta(0))
    names = ("data", "initial", "contents", "mail", "state", "sites")
    found = Places(**{name: tmp_path / name for name in names}, code=Places().code)
    for folder in (*(tmp_path / name for name in names), found.incoming, found.following):
        folder.mkdir(parents=True, exist_ok=True)
    for insee in (RIENCOURT, OEUF):
        lay(found, insee)
    return found


def lay(places: Places, insee: str, **changes) -> None:
    town = commune(insee)
    data = site_data(town, pack(town)) | changes
    (places.data / f"{insee}.json").write_text(json.dumps(data), encoding="utf-8")


class TestBuilding:
    def test_only_what_changed_is_built(self, places: Places):
        assert build_changed(places, NOW).built == [OEUF, RIENCOURT]
        assert (places.sites / HOST / "index.html").is_file()
        again = build_changed(places, NOW)
        assert (again.built, again.unchanged) == ([], 2)
        lay(places, RIENCOURT, population=34)
        assert build_changed(places, NOW).built == [RIENCOURT]

    def test_a_file_of_the_secretary_is_a_change(self, places: Places):
        build_changed(places, NOW)
        news = places.contents / RIENCOURT / "actualites"
        news.mkdir(parents=True)
        (news / "2026-11-20-marche.md").write_text("# Marché\n\nDimanche.\n", encoding="utf-8")
        assert build_changed(places, NOW).built == [RIENCOURT]
        assert "Marché" in (places.sites / HOST / "index.html").read_text(encoding="utf-8")

    def test_a_new_day_is_a_change(self, places: Places):
        build_changed(places, NOW)
        assert build_changed(places, NOW + timedelta(days=1)).built == [OEUF, RIENCOURT]

    def test_a_site_that_vanished_is_built_again(self, places: Places):
        build_changed(places, NOW)
        (places.sites / HOST).rename(places.sites / ".ailleurs")
        assert RIENCOURT in build_changed(places, NOW).built
        assert (places.sites / HOST).is_dir()
        assert not (places.sites / ".ailleurs").exists()

    def test_a_commune_that_left_has_no_site_and_keeps_its_content(self, places: Places):
        build_changed(places, NOW)
        (places.data / f"{RIENCOURT}.json").unlink()
        assert build_changed(places, NOW).removed == [HOST]
        assert not (places.sites / HOST).exists()
        assert (places.contents / RIENCOURT).is_dir()

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 99}', "\x00"])
    def test_bad_data_leaves_every_site_as_it_was(self, places: Places, text: str):
        build_changed(places, NOW)
        (places.data / f"{RIENCOURT}.json").write_text(text, encoding="utf-8")
        lay(places, OEUF, population=1)
        report = build_changed(places, NOW)
        assert (report.failed, report.built, report.removed) == ([RIENCOURT], [OEUF], [])
        assert (places.sites / HOST).is_dir()

    def test_a_commune_cannot_take_another_s_host(self, places: Places):
        lay(places, RIENCOURT, hote="www.oeuf-en-ternois.fr")
        assert build_changed(places, NOW).failed == [RIENCOURT]

    def test_data_under_another_s_code_is_refused(self, places: Places):
        (places.data / f"{OEUF}.json").rename(places.data / "59001.json")
        assert build_changed(places, NOW).failed == ["59001"]

    def test_links_in_the_content_are_not_followed(self, places: Places, tmp_path: Path):
        secret = tmp_path / "secret.md"
        secret.write_text("# Secret\n\nne pas lire\n", encoding="utf-8")
        news = places.contents / RIENCOURT / "actualites"
        news.mkdir(parents=True)
        (news / "2026-11-20-lien.md").symlink_to(secret)
        report = build_changed(places, NOW)
        assert RIENCOURT in report.built
        assert any("lien" in problem for problem in report.problems)
        published = "".join(page.read_text(encoding="utf-8") for page in (places.sites / HOST).rglob("*.html"))
        assert "ne pas lire" not in published


class TestFolder:
    """What is changed in the folder itself, through the commune's file space."""

    def news(self, places: Places, name: str = "2026-11-20-marche.md", text: str = "# Marché\n\nDimanche.\n") -> Path:
        path = places.contents / RIENCOURT / "actualites" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def home(self, places: Places) -> str:
        return (places.sites / HOST / "index.html").read_text(encoding="utf-8")

    def test_edits_of_both_kinds_are_undone_by_mail_last_first(self, places: Places):
        build_changed(places, NOW)
        deposit(places.incoming, SITE, AGENT, io.BytesIO(message("Actualité : Par courriel")))
        follow_mail(places, NOW, Post())
        build_changed(places, NOW)
        self.news(places)
        build_changed(places, NOW)
        assert "Marché" in self.home(places)
        for gone, kept in (("Marché", "Par courriel"), ("Par courriel", "")):
            deposit(places.incoming, SITE, AGENT, io.BytesIO(message("Annuler")))
            post = Post()
            follow_mail(places, NOW, post)
            assert "Annulé" in post.sent[0][1]["Subject"]
            build_changed(places, NOW)
            assert gone not in self.home(places)
            assert kept in self.home(places)

    def test_a_file_still_arriving_is_waited_for(self, places: Places, monkeypatch):
        build_changed(places, NOW)
        monkeypatch.setattr(builder, "SETTLED", timedelta(hours=1))
        self.news(places)
        report = build_changed(places, NOW)
        assert (report.waiting, report.built) == ([RIENCOURT], [])
        assert "Marché" not in self.home(places)
        monkeypatch.setattr(builder, "SETTLED", timedelta(0))
        assert build_changed(places, NOW).built == [RIENCOURT]
        assert "Marché" in self.home(places)

    def test_the_unit_looks_again_and_does_not_wait_for_ever(self, places: Places, monkeypatch):
        build_changed(places, NOW)
        slept: list[float] = []
        monkeypatch.setattr(unit, "SETTLED", timedelta(seconds=2))
        monkeypatch.setattr(builder, "SETTLED", timedelta(hours=1))
        monkeypatch.setattr(unit.time, "sleep", slept.append)
        self.news(places)
        assert unit.build_settled(places).waiting == [RIENCOURT]
        assert slept == [2.0] * 4

    def test_what_the_file_space_has_not_received_whole_is_not_looked_at(self, places: Places):
        build_changed(places, NOW)
        for name in ("2026-11-20-marche.md.PARTIAL", ".2026-11-20-marche.md"):
            self.news(places, name)
        assert build_changed(places, NOW).built == []

    def test_a_name_that_is_not_text_is_told_and_stops_nothing(self, places: Places):
        folder = self.news(places).parent
        (Path(os.fsdecode(os.fsencode(folder) + b"/2026-11-21-caf\xe9.md"))).write_text("# Café\n\nx\n")
        report = build_changed(places, NOW)
        assert RIENCOURT in report.built
        assert any("UTF-8" in problem for problem in report.problems)
        assert "Marché" in self.home(places)

    def test_a_record_that_cannot_be_kept_is_told_and_the_site_built(self, places: Places, tmp_path: Path):
        self.news(places)
        (places.contents / RIENCOURT / ".versions").symlink_to(tmp_path)
        report = build_changed(places, NOW)
        assert RIENCOURT in report.built
        assert any("notés" in problem for problem in report.problems)


class TestSeeds:
    """What the pack has for a commune reaches its folder once."""

    def lay(self, places: Places) -> Path:
        folder = places.initial / RIENCOURT
        (folder / "actualites").mkdir(parents=True, exist_ok=True)
        (folder / "documents").mkdir(exist_ok=True)
        (folder / "actualites" / "2026-11-20-marche.md").write_text("# Marché\n\nDimanche.\n", encoding="utf-8")
        (folder / "documents" / "2026-10-15 Procès-verbal.pdf").write_bytes(b"%PDF-1.7\n\xff\x00")
        (folder / "horaires.txt").write_text("Lundi : 9h-12h\n", encoding="utf-8")
        return folder

    def test_a_fresh_site_has_its_news(self, places: Places):
        self.lay(places)
        report = build_changed(places, NOW)
        assert report.seeded == [RIENCOURT]
        assert "Marché" in (places.sites / HOST / "index.html").read_text(encoding="utf-8")
        kept = places.contents / RIENCOURT / "documents" / "2026-10-15 Procès-verbal.pdf"
        assert kept.read_bytes() == b"%PDF-1.7\n\xff\x00"
        assert build_changed(places, NOW).seeded == []

    def test_what_the_secretary_did_is_never_undone(self, places: Places):
        self.lay(places)
        build_changed(places, NOW)
        folder = places.contents / RIENCOURT
        (folder / "horaires.txt").write_text("Lundi : 10h-12h\n", encoding="utf-8")
        (folder / "actualites" / "2026-11-20-marche.md").unlink()
        (self.lay(places) / "actualites" / "2026-11-22-neuf.md").write_text("# Neuf\n\nx\n", encoding="utf-8")
        assert build_changed(places, NOW).seeded == [RIENCOURT]
        assert "10h" in (folder / "horaires.txt").read_text(encoding="utf-8")
        assert [path.name for path in (folder / "actualites").iterdir()] == ["2026-11-22-neuf.md"]

    def test_a_folder_that_cannot_be_written_is_told_and_tried_again(self, places: Places, capsys, tmp_path: Path):
        self.lay(places)
        (places.contents / RIENCOURT).mkdir()
        (places.contents / RIENCOURT / ".versions").symlink_to(tmp_path)
        report = build_changed(places, NOW)
        assert (report.seeded, report.failed) == ([], [])
        assert "contenu initial" in capsys.readouterr().err
        (places.contents / RIENCOURT / ".versions").unlink()
        assert build_changed(places, NOW).seeded == [RIENCOURT]


def message(subject: str, text: str = "texte", sender: str = AGENT) -> bytes:
    built = EmailMessage()
    built["From"], built["To"], built["Subject"] = sender, SITE, subject
    built.set_content(text)
    return built.as_bytes()


class Post:
    """Collects the answers."""

    def __init__(self, error: OSError | None = None) -> None:
        self.sent: list[tuple[str, EmailMessage]] = []
        self.error = error

    def __call__(self, answer: EmailMessage, to: str) -> None:
        if self.error:
            raise self.error
        self.sent.append((to, answer))


class TestMail:
    def put(self, places: Places, raw: bytes, login: str = AGENT, recipient: str = SITE) -> int:
        return deposit(places.incoming, recipient, login, io.BytesIO(raw))

    def test_an_agent_publishes_and_is_answered(self, places: Places):
        assert self.put(places, message("Actualité : Marché")) == EX_OK
        post = Post()
        assert follow_mail(places, NOW, post) == (1, 0)
        ((to, answer),) = post.sent
        assert to == AGENT
        assert answer["From"] == SITE
        assert answer["Auto-Submitted"] == "auto-replied"
        assert "Marché" in answer["Subject"]
        assert list((places.contents / RIENCOURT / "actualites").iterdir())
        assert not list(places.incoming.iterdir()) + list(places.following.iterdir())

    def test_orders_are_followed_as_they_came(self, places: Places):
        for subject in ("Actualité : Un", "Annuler", "Actualité : Deux"):
            self.put(places, message(subject))
        follow_mail(places, NOW, Post())
        (kept,) = (places.contents / RIENCOURT / "actualites").iterdir()
        assert "deux" in kept.name

    def test_nobody_is_not_an_agent(self, places: Places, capsys):
        assert self.put(places, message("Actualité : Faux"), login="") == EX_NOPERM
        assert "5.7.1" in capsys.readouterr().out
        assert not list(places.incoming.iterdir())

    @pytest.mark.parametrize("login", ["secretariat@oeuf-en-ternois.fr", "sonde@riencourt-les-bapaume.fr"])
    def test_another_account_changes_nothing_whatever_it_writes(self, places: Places, login: str):
        self.put(places, message("Actualité : Faux", sender=AGENT), login=login)
        post = Post()
        follow_mail(places, NOW, post)
        assert [to for to, _answer in post.sent] == [login]
        assert not (places.contents / RIENCOURT / "actualites").exists()

    def test_an_address_of_no_commune_is_silent(self, places: Places):
        self.put(places, message("Actualité : Rien"), recipient="site@ailleurs.fr")
        post = Post()
        assert follow_mail(places, NOW, post) == (1, 0)
        assert post.sent == []

    def test_an_interrupted_message_is_told_and_not_followed_twice(self, places: Places):
        self.put(places, message("Actualité : Marché"))
        (waiting,) = places.incoming.iterdir()
        waiting.rename(places.following / waiting.name)
        post = Post()
        assert follow_mail(places, NOW, post) == (0, 0)
        assert "n'a pas pu être suivi" in post.sent[0][1]["Subject"]
        assert not (places.contents / RIENCOURT / "actualites").exists()

    @pytest.mark.parametrize(
        "raw", [b"", b"\n", b"\xff\xfe\n\n", b"Subject: Aide\r\nContent-Type: multipart/x\r\n\r\n"]
    )
    def test_strange_messages_do_not_stop_the_queue(self, places: Places, raw: bytes):
        self.put(places, raw)
        self.put(places, message("Aide"))
        assert follow_mail(places, NOW, Post())[0] == 2

    @pytest.mark.parametrize("raw", [b"", b"pas du json\nx", b'{"login": 1}\nx', b"[]\n"])
    def test_a_deposit_that_is_not_ours_is_taken_away(self, places: Places, raw: bytes):
        (places.incoming / "x").write_bytes(raw)
        assert follow_mail(places, NOW, Post()) == (0, 0)
        assert not list(places.incoming.iterdir())

    def test_a_reply_that_cannot_leave_is_counted(self, places: Places):
        self.put(places, message("Actualité : Marché"))
        assert follow_mail(places, NOW, Post(OSError("refusé"))) == (1, 1)
        assert (places.contents / RIENCOURT / "actualites").exists()

    def test_headers_cannot_redirect_the_reply(self, places: Places):
        raw = b"Reply-To: x@y.fr\nBcc: x@y.fr\nErrors-To: x@y.fr\n" + message("Actualité : Marché")
        self.put(places, raw)
        post = Post()
        follow_mail(places, NOW, post)
        ((to, answer),) = post.sent
        assert to == AGENT == answer["To"]
        assert answer["Bcc"] is None

    def test_a_full_queue_asks_to_come_back(self, places: Places, monkeypatch):
        monkeypatch.setattr("packmairie.site_hote.deposit.MAX_WAITING", 1)
        assert self.put(places, b"x") == EX_OK
        assert self.put(places, b"x") == EX_TEMPFAIL

    def test_a_message_too_big_is_refused(self, places: Places, monkeypatch):
        monkeypatch.setattr("packmairie.site_hote.deposit.MAX_OCTETS", 10)
        assert self.put(places, b"x" * 11) == EX_NOPERM

    def test_a_deposit_is_private_and_whole(self, places: Places):
        self.put(places, b"x")
        (kept,) = places.incoming.iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
        assert not [name for name in places.mail.iterdir() if name.name.startswith(".")]


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
