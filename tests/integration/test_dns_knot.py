# SPDX-License-Identifier: GPL-3.0-or-later
"""octoDNS against a real Knot that signs: what is planned is done, and a second plan has nothing to say."""

from __future__ import annotations

import dataclasses
import functools
import time
from pathlib import Path

import dns.dnssec
import dns.name
import dns.query
import pytest
from core_samples import commune, edit, make_pack, pack
from knot_server import SECRET, KnotServer

from packmairie.briques.dns import TSIG_SECRET
from packmairie.engines import dns as engine
from packmairie.engines.dns import ZonePlan, apply_zones, plan_zones
from packmairie.engines.names import Names
from packmairie.model.change import PLATEFORME, Action
from packmairie.model.pack import Pack
from packmairie.model.probe import Absent, DnsQuery, Found
from packmairie.model.problem import PackmairieError
from packmairie.model.record import Record, Zone
from packmairie.operations import desired, registrar

RIENCOURT, OEUF = "riencourt-les-bapaume.fr", "oeuf-en-ternois.fr"
DOMAINS = ("pack.example", RIENCOURT, OEUF)


def settings(**changes: object) -> Pack:
    return pack(commune(), commune("62633"), plateforme={"serveurs_dns": {"ns2": ["127.0.0.1"]}}, **changes)


def source_of(of: Pack) -> desired.SecretSource:
    offline = desired.offline_secrets(of)
    return lambda name: {**offline(name), TSIG_SECRET: SECRET} if name == PLATEFORME else offline(name)


def wished(of: Pack) -> tuple[Zone, ...]:
    return desired.zones(of, source_of(of))


def plan(knot: KnotServer, zones: tuple[Zone, ...], *communes: str) -> tuple[ZonePlan, ...]:
    return plan_zones(zones, knot.primary, desired.owner_of, frozenset(communes))


def counts(plans: tuple[ZonePlan, ...]) -> dict[str, int]:
    return {each.zone.name: len(each.changes) for each in plans}


def replaced(zones: tuple[Zone, ...], name: str, *records: Record, without: str = "") -> tuple[Zone, ...]:
    """Return the zones with one of them changed: records replaced or added, those of an owner name removed."""
    keys = {(record.name, record.type) for record in records}
    return tuple(
        dataclasses.replace(
            zone,
            records=(
                *(r for r in zone.records if (r.name, r.type) not in keys and (not without or r.name != without)),
                *records,
            ),
        )
        if zone.name == name
        else zone
        for zone in zones
    )


@pytest.fixture
def served(knot: KnotServer) -> KnotServer:
    of = settings()
    knot.configure(desired.trees(of, source_of(of))["dns"])
    knot.start(*DOMAINS)
    return knot


@pytest.fixture
def published(served: KnotServer) -> KnotServer:
    apply_zones(plan(served, wished(settings())), served.primary, force=True)
    return served


class TestPublish:
    def test_from_seeds_to_a_second_plan_that_is_empty(self, served):
        zones = wished(settings())
        first = plan(served, zones)
        by_zone = {each.zone.name: each.changes for each in first}
        assert {change.action for change in by_zone[RIENCOURT]} == {Action.CREATE}
        assert {change.commune for change in by_zone[RIENCOURT]} == {"62708"}
        assert len(by_zone[RIENCOURT]) == len(zones[1].records) - 1, "all but the NS that the seed has"
        assert {change.commune for change in by_zone["pack.example"]} == {PLATEFORME, "62708", "62633"}
        assert apply_zones(first, served.primary) == {}
        again = plan(served, zones)
        assert counts(again) == dict.fromkeys(DOMAINS, 0)
        assert [each.operation for each in again] == [None, None, None]
        assert apply_zones(again, served.primary) == {}

    def test_what_is_served_is_what_was_wished(self, published):
        for zone in wished(settings()):
            for record in zone.records:
                found = published.ask(record.owner(zone.name), record.type)
                assert found is not None, record
                assert found.ttl == record.ttl
                if record.type == "TXT":
                    texts = {b"".join(rdata.strings).decode() for rdata in found}
                    assert texts == set(record.values)
                else:
                    assert {rdata.to_text() for rdata in found} == set(record.values)

    def test_answers_are_signed_by_the_zone_s_key(self, published):
        for zone in DOMAINS:
            name = dns.name.from_text(zone)
            keys = published.ask(zone, "DNSKEY")
            answer = published.query(zone, "MX").answer
            rrset, signature = (
                next(s for s in answer if s.rdtype == dns.rdatatype.from_text(t)) for t in ("MX", "RRSIG")
            )
            dns.dnssec.validate(rrset, signature, {name: keys})

    def test_change_then_delete(self, published):
        zones = replaced(
            wished(settings()), RIENCOURT, Record("", "MX", ("5 mx.ailleurs.example.",)), without="_smtp._tls"
        )
        (only,) = (each for each in plan(published, zones) if each.changes)
        told = {(change.action, change.what): change.detail for change in only.changes}
        assert set(told) == {(Action.UPDATE, "@ MX"), (Action.DELETE, "_smtp._tls TXT")}
        assert f"-{RIENCOURT}. 3600 MX 10 mx.pack.example." in told[Action.UPDATE, "@ MX"]
        assert f"+{RIENCOURT}. 3600 MX 5 mx.ailleurs.example." in told[Action.UPDATE, "@ MX"]
        assert apply_zones([only], published.primary) == {}
        assert counts(plan(published, zones))[RIENCOURT] == 0
        assert published.ask(f"_smtp._tls.{RIENCOURT}", "TXT") is None
        assert [rdata.to_text() for rdata in published.ask(RIENCOURT, "MX")] == ["5 mx.ailleurs.example."]

    def test_a_record_added_by_hand_is_seen_and_removed(self, published):
        published.control("zone-begin", RIENCOURT)
        published.control("zone-set", RIENCOURT, "intrus", "300", "A", "192.0.2.66")
        published.control("zone-commit", RIENCOURT)
        (only,) = (each for each in plan(published, wished(settings())) if each.changes)
        assert [(change.action, change.what) for change in only.changes] == [(Action.DELETE, "intrus A")]
        apply_zones([only], published.primary)
        assert published.ask(f"intrus.{RIENCOURT}", "A") is None

    def test_survives_a_restart(self, published):
        published.stop()
        published.start(*DOMAINS)
        assert counts(plan(published, wished(settings()))) == dict.fromkeys(DOMAINS, 0)

    def test_a_ttl_alone_is_a_change(self, published):
        changed = plan(published, wished(settings(dns={"ttl": 7200})))
        assert all(change.action is Action.UPDATE for each in changed for change in each.changes)
        assert counts(changed)[OEUF] > 10


def flushed(server):
    """Return the zone files once Knot, which writes them after it has answered, has written them all."""
    for _attempt in range(20):
        found = {path: path.read_bytes() for path in (server.folder / "lib/zones").iterdir()}
        time.sleep(0.5)
        if found == {path: path.read_bytes() for path in (server.folder / "lib/zones").iterdir()}:
            return found
    raise AssertionError("the zone files do not settle")


class TestReading:
    def test_changes_nothing(self, published):
        before = {zone: published.serial(zone) for zone in DOMAINS}
        files = flushed(published)
        plan(published, replaced(wished(settings()), RIENCOURT, Record("", "MX", ("5 x.example.",))))
        plan(published, wished(settings()), "62708")
        assert {zone: published.serial(zone) for zone in DOMAINS} == before
        assert {path: path.read_bytes() for path in (published.folder / "lib/zones").iterdir()} == files

    def test_probes_read_the_same_server(self, published, monkeypatch):
        names = Names(["127.0.0.1"])
        names.resolver.port = published.port
        asked = functools.partial(dns.query.udp_with_fallback, port=published.port)
        monkeypatch.setattr(dns.query, "udp_with_fallback", asked)
        for server in (None, "127.0.0.1"):
            answer = names.ask(DnsQuery(RIENCOURT, "MX", server))
            assert isinstance(answer, Found)
            assert answer.value.values == ("10 mx.pack.example.",)
            assert isinstance(names.ask(DnsQuery(f"rien.{RIENCOURT}", "A", server)), Absent)
        refused = names.ask(DnsQuery("autre.example", "SOA", "127.0.0.1"))
        assert isinstance(refused, Absent)
        assert "REFUSED" in refused.reason


class TestSelection:
    def test_only_that_commune_s_records(self, served):
        plans = plan(served, wished(settings()), "62708")
        assert {each.zone.name for each in plans} == {"pack.example", RIENCOURT}
        assert {change.commune for each in plans for change in each.changes} == {PLATEFORME, "62708"}
        apply_zones(plans, served.primary)
        assert served.ask(OEUF, "MX") is None
        assert served.ask("pm1.62633._domainkey.pack.example", "TXT") is None
        assert served.ask("pm1.62708._domainkey.pack.example", "TXT") is not None
        assert counts(plan(served, wished(settings()), "62708")) == {"pack.example": 0, RIENCOURT: 0}

    def test_deletes_nothing_of_a_commune_left_out(self, published):
        alone = pack(commune(), plateforme={"serveurs_dns": {"ns2": ["127.0.0.1"]}})
        kept = plan(published, wished(alone), "62708")
        assert counts(kept) == {"pack.example": 0, RIENCOURT: 0}
        whole = plan(published, wished(alone))
        gone = [change for each in whole for change in each.changes]
        assert {(change.action, change.commune) for change in gone} == {(Action.DELETE, "62633")}
        assert len(gone) == 2

    def test_by_zone(self, served):
        plans = plan_zones(wished(settings()), served.primary, desired.owner_of, only=frozenset({OEUF}))
        assert list(counts(plans)) == [OEUF]

    def test_a_zone_kept_elsewhere_is_never_written(self, served):
        of = pack(commune(domaine={"nom": RIENCOURT, "dns": "externe"}))
        assert list(counts(plan(served, wished(of)))) == ["pack.example"]


class TestRefusal:
    @pytest.mark.parametrize(
        "key", [{"key_secret": "YXV0cmUtY2xlLWF1dHJlLWNsZS1hdXRyZS1jbGUtMTI="}, {"key_name": "autre"}]
    )
    def test_a_wrong_key_is_told_with_where_to_look(self, served, key):
        with pytest.raises(PackmairieError) as caught:
            plan_zones(wished(settings()), dataclasses.replace(served.primary, **key), desired.owner_of)
        (problem,) = caught.value.problems
        assert problem.place == "zone pack.example"
        assert "clé de mise à jour" in problem.remedy
        assert SECRET not in str(problem)

    def test_a_wrong_key_writes_nothing(self, served):
        plans = plan(served, wished(settings()))
        wrong = dataclasses.replace(served.primary, key_secret="YXV0cmUtY2xlLWF1dHJlLWNsZS1hdXRyZS1jbGUtMTI=")
        before = {zone: served.serial(zone) for zone in DOMAINS}
        refused = apply_zones(plans, wrong)
        assert set(refused) == set(DOMAINS), "each is tried, and each is told"
        assert all("la mise à jour a été refusée" in problem.reason for problem in refused.values())
        assert {zone: served.serial(zone) for zone in DOMAINS} == before

    def test_many_deletions_need_to_be_said(self, published):
        zones = tuple(
            dataclasses.replace(zone, records=tuple(r for r in zone.records if r.type in {"NS", "MX", "CAA"}))
            if zone.name == RIENCOURT
            else zone
            for zone in wished(settings())
        )
        plans = plan(published, zones)
        before = published.serial(RIENCOURT)
        with pytest.raises(PackmairieError) as caught:
            apply_zones(plans, published.primary)
        assert "--force-dns" in str(caught.value)
        assert RIENCOURT in str(caught.value)
        assert published.serial(RIENCOURT) == before
        assert apply_zones(plans, published.primary, force=True) == {}
        assert published.serial(RIENCOURT) != before

    def test_one_dangerous_zone_stops_the_others_too(self, published):
        zones = tuple(
            dataclasses.replace(zone, records=tuple(r for r in zone.records if r.type in {"NS", "MX", "CAA"}))
            if zone.name == RIENCOURT
            else zone
            for zone in replaced(wished(settings()), OEUF, Record("", "MX", ("5 x.example.",)))
        )
        before = published.serial(OEUF)
        with pytest.raises(PackmairieError):
            apply_zones(plan(published, zones), published.primary)
        assert published.serial(OEUF) == before

    def test_a_change_of_name_servers_needs_to_be_said(self, published):
        zones = replaced(wished(settings()), RIENCOURT, Record("", "NS", ("ns2.pack.example.", "ns.ailleurs.example.")))
        with pytest.raises(PackmairieError, match="--force-dns"):
            apply_zones(plan(published, zones), published.primary)


class TestServer:
    def test_stopped_is_planned_as_new(self, published):
        published.stop()
        plans = plan(published, wished(settings()))
        assert {change.action for each in plans for change in each.changes} == {Action.CREATE}
        assert counts(plans) == {zone.name: len(zone.records) for zone in wished(settings())}
        assert set(apply_zones(plans, published.primary)) == set(DOMAINS)

    def test_a_zone_that_it_does_not_serve_is_planned_as_new(self, served):
        new = Zone("nouvelle.fr", (Record("", "MX", ("10 mx.pack.example.",)),), "59529")
        (only,) = plan(served, (new,))
        assert [change.action for change in only.changes] == [Action.CREATE]

    def test_silent_is_an_error(self, silent_port, monkeypatch):
        monkeypatch.setattr(engine, "ANSWER_SECONDS", 0.5)
        primary = engine.Primary("127.0.0.1", "packmairie", SECRET, silent_port)
        with pytest.raises(PackmairieError) as caught:
            plan_zones(wished(settings()), primary, desired.owner_of)
        assert f"127.0.0.1:{silent_port}" in str(caught.value)
        assert "ne répond pas" in str(caught.value)


class TestRegistrar:
    @pytest.fixture
    def folder(self, tmp_path: Path, served: KnotServer, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = make_pack(tmp_path / "pack")
        text = (folder / "pack.yml").read_text(encoding="utf-8")
        domain = next(line.split()[1] for line in text.splitlines() if line.strip().startswith("domaine:"))
        edit(folder / "pack.yml", f"domaine: {domain}", "domaine: pack.example")
        with (folder / "pack.yml").open("a", encoding="utf-8") as stream:
            stream.write("\ndns:\n  serveur: 127.0.0.1\n")
        monkeypatch.setattr(dns.query, "tcp", functools.partial(dns.query.tcp, port=served.port))
        return folder

    @pytest.mark.parametrize("domain", DOMAINS)
    def test_the_ds_is_the_one_of_the_zone_s_key(self, folder, served, domain):
        (signer,) = registrar.delegation_signers(folder, domain)
        (key,) = served.ask(domain, "DNSKEY")
        assert signer == dns.dnssec.make_ds(dns.name.from_text(domain), key, "SHA256").to_text()
        tag, algorithm, digest, _hash = signer.split()
        assert (int(tag), algorithm, digest) == (dns.dnssec.key_id(key), "13", "2")
        published = served.ask(domain, "CDS")
        assert published is not None
        assert [rdata.to_text() for rdata in published] == [signer], "Knot announces the same (RFC 7344)"

    def test_does_not_change_when_records_do(self, folder, served):
        before = registrar.delegation_signers(folder, RIENCOURT)
        apply_zones(plan(served, wished(settings())), served.primary)
        served.stop()
        served.start(*DOMAINS)
        assert registrar.delegation_signers(folder, RIENCOURT) == before

    def test_a_stopped_server_is_told(self, folder, served):
        served.stop()
        with pytest.raises(PackmairieError, match="ne répond pas"):
            registrar.delegation_signers(folder, RIENCOURT)

    def test_a_foreign_domain_is_not_asked_about(self, folder):
        with pytest.raises(PackmairieError, match="n'est pas une zone gérée"):
            registrar.delegation_signers(folder, "inconnu.fr")
