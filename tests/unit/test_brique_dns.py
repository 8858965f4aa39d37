# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain name: records of a managed zone, what Knot is given, and how delegation and signature are judged."""

from __future__ import annotations

import dns.zone
import pytest
from core_samples import ABSENT, SILENT, commune, found, pack

from packmairie.briques.dns import TSIG_SECRET, Dns, certificate_authorities, judge_signature, name_servers, zone_tree
from packmairie.model.preuve import State
from packmairie.model.record import Record
from packmairie.model.secret import SecretKind

ISSUE, NO_WILDCARD = '0 issue "letsencrypt.org"', '0 issuewild ";"'
BRIQUE = Dns()


def check(name: str, of: object = None, **changes: object):
    town = of or commune()
    return {check.name: check for check in BRIQUE.checks(town, pack(town, **changes))}[name]


class TestRecords:
    def test_a_managed_zone_has_its_servers_and_authorities(self):
        by_type = {record.type: record for record in BRIQUE.records(commune(), pack())}
        assert by_type["NS"].values == ("ns1.pack.example.", "ns2.pack.example.")
        assert by_type["CAA"].values == (ISSUE, NO_WILDCARD)

    def test_what_the_commune_keeps_is_published(self):
        kept = [
            {"nom": "@", "type": "TXT", "valeurs": ["site=1"]},
            {"nom": "vieux", "type": "A", "valeurs": ["192.0.2.7"]},
        ]
        records = BRIQUE.records(commune(domaine={"nom": "essai.fr", "enregistrements": kept}), pack())
        assert Record("", "TXT", ("site=1",)) in records
        assert Record("vieux", "A", ("192.0.2.7",)) in records

    def test_a_zone_kept_elsewhere_needs_authorities_only(self):
        records = BRIQUE.records(commune(domaine={"nom": "essai.fr", "dns": "externe"}), pack())
        assert [record.type for record in records] == ["CAA"]

    def test_the_platform_s_servers_have_their_addresses(self):
        records = {(record.name, record.type): record.values for record in BRIQUE.platform_records(pack(), {})}
        assert records["ns1", "A"] == ("192.0.2.10",)
        assert records["ns2", "A"] == ("192.0.2.11",)
        assert records["ns2", "AAAA"] == ("2001:db8::11",)
        assert ("ns1", "AAAA") not in records

    def test_authorities_are_those_of_the_pack_in_a_stable_order(self):
        two = certificate_authorities(pack(acme={"caa": ["z.example", "a.example"]}))
        assert two[0].values == ('0 issue "a.example"', '0 issue "z.example"', NO_WILDCARD)

    def test_a_ttl_follows_the_pack(self):
        assert name_servers(pack(dns={"ttl": 120})).ttl == 120


class TestHosts:
    def test_a_seed_is_a_zone_that_loads(self):
        for domain, code in (("essai.fr", "62708"), ("pack.example", None)):
            _declaration, seed = zone_tree(domain, pack(), code).files
            zone = dns.zone.from_text(seed.text(), f"{domain}.", relativize=False)
            assert zone.get_soa().rname.to_text() == "exploitation.pack.example."
            assert len(zone.get_rdataset("@", "NS") or zone.get_rdataset(f"{domain}.", "NS")) == 2
            assert seed.once, "a signed zone belongs to Knot once it exists"

    def test_the_platform_s_seed_has_the_glue(self):
        seed = zone_tree("pack.example", pack(), None).files[1].text()
        assert "ns2 3600 IN AAAA 2001:db8::11" in seed
        assert "192.0.2.11" not in zone_tree("essai.fr", pack(), "62708").files[1].text()

    def test_nothing_for_a_zone_kept_elsewhere(self):
        assert BRIQUE.tenant(commune(domaine={"nom": "essai.fr", "dns": "externe"}), pack(), {}) == ()

    def test_the_update_key_is_secret_and_knot_s_alone(self):
        trees = BRIQUE.platform_tenant(pack(), {TSIG_SECRET: "Y2FuYXJp"})
        key = next(file for tree in trees for file in tree.files if file.path.endswith("cle.conf"))
        assert key.secret
        assert (key.mode, key.group) == ("0640", "knot")
        assert 'secret: "Y2FuYXJp"' in key.text()
        others = [file.text() for tree in trees for file in tree.files if file is not key]
        assert not any("Y2FuYXJp" in text for text in others)

    def test_one_secret_for_the_platform_none_for_a_commune(self):
        assert [wish.kind for wish in BRIQUE.platform_secrets(pack())] == [SecretKind.TSIG]
        assert BRIQUE.secrets(commune(), pack()) == ()


class TestChecks:
    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (found("ns1.pack.example.", "ns2.pack.example."), State.CONFORME),
            (found("ns2.pack.example.", "ns1.pack.example."), State.CONFORME),
            (found("ns1.pack.example."), State.NON_CONFORME),
            (found("ns1.pack.example.", "ns2.pack.example.", "ns.ailleurs.example."), State.NON_CONFORME),
            (ABSENT, State.NON_CONFORME),
            (SILENT, State.NON_VERIFIE),
        ],
    )
    def test_delegation(self, answer, state):
        verdict = check("delegation").judge((answer,))
        assert verdict.state is state
        assert verdict.remedy or state is State.CONFORME

    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (found("soa", authenticated=True), State.CONFORME),
            (found("soa"), State.NON_CONFORME),
            (ABSENT, State.NON_CONFORME),
            (SILENT, State.NON_VERIFIE),
        ],
    )
    def test_signature(self, answer, state):
        assert judge_signature(answer, "essai.fr").state is state

    def test_an_unsigned_zone_tells_which_ds_to_deposit(self):
        assert "packmairie dns ds essai.fr" in judge_signature(found("soa"), "essai.fr").remedy

    @pytest.mark.parametrize(
        ("values", "state"),
        [
            ((NO_WILDCARD, ISSUE), State.CONFORME),
            ((ISSUE,), State.NON_CONFORME),
            ((ISSUE, NO_WILDCARD, '0 issue "autre.example"'), State.NON_CONFORME),
        ],
    )
    def test_authorities(self, values, state):
        assert check("caa").judge((found(*values),)).state is state

    def test_a_zone_kept_elsewhere_is_not_asked_about_delegation(self):
        town = commune(domaine={"nom": "essai.fr", "dns": "externe"})
        assert [check.name for check in BRIQUE.checks(town, pack(town))] == ["caa"]

    def test_each_address_of_each_server_is_asked_directly(self):
        probes = [check.probes[0] for check in BRIQUE.platform_checks(pack())]
        assert {probe.server for probe in probes} == {"192.0.2.10", "192.0.2.11", "2001:db8::11"}
        judge = BRIQUE.platform_checks(pack())[0].judge
        assert judge((found("ns1.pack.example. x.pack.example. 17 1 1 1 1"),)).measured == "SOA 17"
        assert judge((SILENT,)).state is State.NON_VERIFIE
