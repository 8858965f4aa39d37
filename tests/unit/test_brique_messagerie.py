# SPDX-License-Identifier: GPL-3.0-or-later
"""The records by which a commune receives, and is believed when it sends."""

from __future__ import annotations

import re

import pytest
from core_samples import commune, pack
from hypothesis import given
from hypothesis import strategies as st

from packmairie.briques.messagerie import Messagerie, key_owner, key_record, mta_sts_policy, policy_identifier
from packmairie.briques.messagerie_tenant import SELECTORS
from packmairie.model.record import Record
from packmairie.model.secret import SecretKind, placeholder
from packmairie.registry.table import table

BRIQUE = Messagerie()


def secrets_of(*wishes):
    return {wish.name: placeholder(wish.kind) for wish in wishes}


def records(of=None, **changes) -> dict[tuple[str, str], Record]:
    town = of or commune()
    return {(record.name, record.type): record for record in BRIQUE.records(town, pack(town, **changes))}


def platform_records(**changes) -> dict[tuple[str, str], Record]:
    settings = pack(**changes)
    wished = BRIQUE.platform_records(settings, secrets_of(*BRIQUE.platform_secrets(settings)))
    return {(record.name, record.type): record for record in wished}


class TestCommune:
    def test_every_record_has_a_value_and_a_reason_to_be(self):
        for record in records().values():
            assert all(value.strip() for value in record.values)
            assert record.why

    def test_mail_is_directed_to_a_name_with_addresses(self):
        assert records()["", "MX"].values == ("10 mx.pack.example.",)
        assert platform_records()["mx", "A"].values == ("192.0.2.10",)

    def test_spf_costs_one_lookup(self):
        spf = records()["", "TXT"].values
        assert spf == ("v=spf1 include:_spf.pack.example -all",)
        included = platform_records()["_spf", "TXT"].values[0]
        assert included == "v=spf1 ip4:192.0.2.10 -all"
        assert not re.search(r"include|\ba\b|\bmx\b|exists|redirect|ptr", included)

    def test_spf_covers_ipv6_of_the_platform(self):
        shown = platform_records(plateforme={"ipv6": ["2001:db8::10"]})["_spf", "TXT"].values[0]
        assert shown == "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all"

    def test_other_senders_come_before_the_end(self):
        town = commune(messagerie={"spf": ["include:spf.exemple.fr", "ip4:192.0.2.99"]})
        assert records(town)["", "TXT"].values[0].endswith("include:spf.exemple.fr ip4:192.0.2.99 -all")

    @pytest.mark.parametrize("policy", ["none", "quarantine", "reject"])
    def test_the_first_p_of_dmarc_is_the_policy(self, policy):
        dmarc = records(messagerie={"dmarc": policy})["_dmarc", "TXT"].values[0]
        assert dmarc.startswith(f"v=DMARC1; p={policy};")
        assert re.search(r"p\s*=\s*(\w+)", dmarc).group(1) == policy
        assert dmarc.index("; p=") < dmarc.index("sp=")
        assert "rua=mailto:dmarc@pack.example" in dmarc

    def test_keys_are_aliases_to_the_platform(self):
        for selector in SELECTORS:
            record = records()[f"{selector}._domainkey", "CNAME"]
            assert record.values == (f"{selector}.62708._domainkey.pack.example.",)

    def test_key_targets_are_unique_by_commune_and_selector(self):
        codes = [row.insee for row in table().values() if row.departement in {"59", "62"} and row.population < 1000]
        owners = [key_owner(selector, code) for code in codes for selector in SELECTORS]
        assert len(codes) == 905
        assert len(set(owners)) == 1810

    def test_an_alias_leads_to_a_record_that_the_platform_publishes(self):
        town = commune()
        published = BRIQUE.shared_records(town, pack(town), secrets_of(*BRIQUE.secrets(town, pack(town))))
        targets = {records()[f"{selector}._domainkey", "CNAME"].values[0] for selector in SELECTORS}
        assert {record.owner("pack.example") for record in published} == targets

    def test_clients_find_encrypted_services_and_no_others(self):
        srv = {name: record.values for (name, type_), record in records().items() if type_ == "SRV"}
        assert srv["_imaps._tcp"] == ("0 1 993 mail.pack.example.",)
        assert srv["_submissions._tcp"] == ("0 1 465 mail.pack.example.",)
        assert srv["_imap._tcp"] == srv["_pop3._tcp"] == ("0 0 0 .",)

    def test_the_policy_s_host_is_an_alias_alone(self):
        assert records()["mta-sts", "CNAME"].values == ("web.pack.example.",)
        assert [type_ for name, type_ in records() if name == "mta-sts"] == ["CNAME"]

    def test_a_ttl_follows_the_pack(self):
        assert {record.ttl for record in records(dns={"ttl": 300}).values()} == {300}


class TestKeys:
    @pytest.mark.parametrize("key", ["", "  ", "\n"])
    def test_an_empty_key_would_revoke_and_is_refused(self, key):
        with pytest.raises(ValueError, match="clé DKIM vide"):
            key_record("pm1.62708._domainkey", key, pack())

    def test_form(self):
        assert key_record("x", "QUJD", pack()).values == ("v=DKIM1; k=rsa; p=QUJD",)

    def test_each_domain_has_two(self):
        kinds = [wish.kind for wish in BRIQUE.secrets(commune(), pack())]
        assert kinds.count(SecretKind.DKIM) == 2
        assert kinds.count(SecretKind.MAILBOX) == 2, "the agent and the probe; contact@ has no password"

    def test_secrets_do_not_depend_on_order(self):
        agents = [{"identifiant": name, "nom": name} for name in ("a", "b")]
        one, other = (BRIQUE.secrets(commune(agents=order), pack()) for order in (agents, agents[::-1]))
        assert sorted(one) == sorted(other)


class TestTransportPolicy:
    @given(st.sampled_from(["testing", "enforce"]), st.sampled_from(["pack.example", "autre.example"]))
    def test_the_identifier_has_the_rfc_s_form(self, mode, domain):
        shown = policy_identifier(pack(messagerie={"mta_sts": mode}, plateforme={"domaine": domain}))
        assert re.fullmatch(r"[A-Za-z0-9]{1,32}", shown)

    def test_it_changes_when_the_policy_does(self):
        settings = [
            pack(messagerie={"mta_sts": mode}, plateforme={"domaine": domain})
            for mode in ("testing", "enforce")
            for domain in ("pack.example", "autre.example")
        ]
        assert (
            len({policy_identifier(each) for each in settings}) == len({mta_sts_policy(each) for each in settings}) == 4
        )

    @pytest.mark.parametrize(
        "change",
        [
            {"dns": {"ttl": 60}},
            {"messagerie": {"quota_mo": 99}},
            {"nom": "Autre"},
            {"plateforme": {"ipv4": ["192.0.2.1"]}},
        ],
    )
    def test_and_only_then(self, change):
        assert policy_identifier(pack(**change)) == policy_identifier(pack())

    def test_it_is_what_the_zone_announces(self):
        assert records()["_mta-sts", "TXT"].values == (f"v=STSv1; id={policy_identifier(pack())}",)

    def test_the_policy_names_the_mx_that_the_zone_gives(self):
        lines = mta_sts_policy(pack()).split("\r\n")
        assert lines[0] == "version: STSv1"
        assert lines[-1] == ""
        assert f"10 {lines[2].removeprefix('mx: ')}." == records()["", "MX"].values[0]

    def test_is_served_under_the_commune_s_own_name(self):
        town = commune()
        trees = BRIQUE.tenant(town, pack(town), secrets_of(*BRIQUE.secrets(town, pack(town))))
        page = next(tree for tree in trees if tree.name == "frontal").files[0]
        assert page.path == "/srv/communes/mta-sts.riencourt-les-bapaume.fr/.well-known/mta-sts.txt"
        assert page.text() == mta_sts_policy(pack())
        assert page.parts[0].commune == "62708"


class TestPlatform:
    def test_sends_under_the_same_rules(self):
        wished = platform_records()
        assert wished["", "TXT"].values == ("v=spf1 include:_spf.pack.example -all",)
        assert wished["_dmarc", "TXT"].values[0].startswith("v=DMARC1; p=quarantine;")
        assert {name for name, type_ in wished if "_domainkey" in name} == {"pm1._domainkey", "pm2._domainkey"}

    def test_accepts_the_reports_of_every_commune(self):
        assert platform_records()["*._report._dmarc", "TXT"].values == ("v=DMARC1",)

    def test_ipv6_only_where_there_is_one(self):
        assert ("mx", "AAAA") not in platform_records()
        assert platform_records(plateforme={"ipv6": ["2001:db8::10"]})["mx", "AAAA"].values == ("2001:db8::10",)


def test_the_paper_is_a_reserved_name():
    town = commune(domaine={"nom": "essai.fr", "confirme": False})
    (paper,) = BRIQUE.dossier(town, pack(town))
    assert not paper.present
    assert "essai.fr" in paper.remedy
