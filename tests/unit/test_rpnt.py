# SPDX-License-Identifier: GPL-3.0-or-later
"""RPNT 2.1–2.8, each judged on the traps where its publisher's reading surprises."""

from __future__ import annotations

import pytest
from core_samples import ABSENT, SILENT, commune, found, pack

from packmairie.briques.rpnt import EXPECTED, GENERIC_DOMAINS, criteria
from packmairie.model.preuve import State, worst
from packmairie.model.probe import DnsQuery, Found, Location, MxLocation, Verdict

OK, NO, UNKNOWN = State.CONFORME, State.NON_CONFORME, State.NON_VERIFIE
MX = found("10 mx.pack.example.")
DOMAIN = "riencourt-les-bapaume.fr"
QUARANTINE = "v=DMARC1; p=quarantine"


def declared(mail: str | None, site: str | None = f"https://www.{DOMAIN}"):
    return commune(service_public={"courriel": mail, "site": site, "constate_le": "2026-11-12"})


def verdict(code: str, *answers, of=None, **changes) -> Verdict:
    town = of or commune()
    check = {check.rpnt: check for check in criteria(town, pack(town, **changes))}[code]
    assert check.name == f"rpnt-{code}"
    assert check.expected == EXPECTED[code]
    return check.judge(answers)


class TestDeclaration:
    def test_all_eight_whatever_is_known(self):
        for town in (commune(), commune(service_public=None), declared(None)):
            assert [check.rpnt for check in criteria(town, pack(town))] == list(EXPECTED)

    def test_nothing_read_is_not_verified_and_nothing_is_asked(self):
        town = commune(service_public=None)
        checks = criteria(town, pack(town))
        assert {check.judge(()).state for check in checks} == {UNKNOWN}
        assert {check.probes for check in checks} == {()}
        assert f"contact@{DOMAIN}" in checks[0].judge(()).remedy

    def test_nothing_declared_fails_everything(self):
        assert {verdict(code, of=declared(None)).state for code in EXPECTED} == {NO}

    @pytest.mark.parametrize(
        "mail",
        ["x+y@essai.fr", "é@essai.fr", "x@essai", "x@essai.fr ", "x@essai.FR", "mailto:x@essai.fr", "x@y@essai.fr"],
    )
    def test_a_malformed_address_fails_everything(self, mail):
        assert {verdict(code, of=declared(mail)).state for code in EXPECTED} == {NO}
        assert "mal formée" in verdict("2.1", of=declared(mail)).measured

    def test_a_good_one(self):
        assert verdict("2.1").state is OK
        assert verdict("2.2").state is OK
        assert verdict("2.3").state is OK


class TestGeneric:
    @pytest.mark.parametrize(
        "domain", ["wanadoo.fr", "orange.fr", "gmail.com", "laposte.net", "nordnet.fr", "icloud.com"]
    )
    def test_providers(self, domain):
        assert verdict("2.2", of=declared(f"mairie@{domain}")).state is NO

    @pytest.mark.parametrize(
        "domain",
        [
            "collectivite47.fr",
            "inforoutes.fr",
            "inforoutes-ardeche.fr",
            "info46.fr",
            "copler.fr",
            "intramuros.org",
            "pole-secretariat.fr",
        ],
    )
    def test_mutualised_domains_too(self, domain):
        assert verdict("2.2", of=declared(f"mairie@{domain}")).state is NO
        assert verdict("2.3", of=declared(f"mairie@{domain}", f"https://{domain}")).state is NO

    def test_the_publisher_s_list_has_fifty(self):
        assert len(GENERIC_DOMAINS) == 50

    def test_an_intercommunality_s_address_passes_here_and_fails_next(self):
        town = declared("mairie@cc-sudartois.fr")
        assert verdict("2.2", of=town).state is OK
        assert verdict("2.3", of=town).state is NO


class TestSameDomain:
    @pytest.mark.parametrize(
        ("mail", "site", "state"),
        [
            (f"contact@{DOMAIN}", f"https://{DOMAIN}", OK),
            (f"contact@{DOMAIN}", f"http://www.{DOMAIN}/accueil", OK),
            (f"contact@{DOMAIN}", f"https://mairie.{DOMAIN}", NO),
            (f"contact@www.{DOMAIN}", f"https://www.{DOMAIN}", NO),
            (f"contact@mail.{DOMAIN}", f"https://www.{DOMAIN}", NO),
            (f"contact@{DOMAIN}", "https://www.autre.fr", NO),
            (f"contact@{DOMAIN}", None, NO),
            (f"contact@{DOMAIN}", f"www.{DOMAIN}", NO),
            (f"contact@{DOMAIN}", f"https://www.{DOMAIN}/é", NO),
            ("contact@essai.com", "https://www.essai.com", NO),
            ("contact@essai.org", "https://www.essai.org", NO),
            ("contact@essai.bzh", "https://www.essai.bzh", OK),
            ("contact@essai.eu", "https://essai.eu", OK),
        ],
    )
    def test_equality_once_www_is_removed(self, mail, site, state):
        assert verdict("2.3", of=declared(mail, site)).state is state

    def test_shows_both(self):
        shown = verdict("2.3", of=declared(f"contact@{DOMAIN}", "https://www.autre.fr")).measured
        assert shown == f"messagerie {DOMAIN}, site autre.fr"


class TestExchange:
    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (MX, OK),
            (found("0 ."), NO),
            (found("0 .", "10 mx.pack.example."), OK),
            (ABSENT, NO),
            (SILENT, UNKNOWN),
        ],
    )
    def test_a_null_mx_is_none(self, answer, state):
        assert verdict("2.4", answer).state is state

    @pytest.mark.parametrize("code", ["2.5", "2.6", "2.7", "2.8"])
    @pytest.mark.parametrize(("answer", "state"), [(ABSENT, NO), (found("0 ."), NO), (SILENT, UNKNOWN)])
    def test_without_it_the_others_fail_too(self, code, answer, state):
        good = {
            "2.5": found("v=spf1 -all"),
            "2.6": found(QUARANTINE),
            "2.7": found(QUARANTINE),
            "2.8": Found(Location("mx", {"192.0.2.10": "FR"})),
        }
        assert verdict(code, MX, good[code]).state is OK
        assert verdict(code, answer, good[code]).state is state

    def test_the_declared_address_s_domain_is_asked_and_not_ours(self):
        town = declared("mairie@cc-sudartois.fr")
        probes = {probe for check in criteria(town, pack(town)) for probe in check.probes}
        assert probes == {
            DnsQuery("cc-sudartois.fr", "MX"),
            DnsQuery("cc-sudartois.fr", "TXT"),
            DnsQuery("_dmarc.cc-sudartois.fr", "TXT"),
            MxLocation("cc-sudartois.fr"),
        }


class TestSenderPolicy:
    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (found("v=spf1 include:x -all"), OK),
            (found("v=spf1 +all"), OK),
            (found("google=1", "v=spf1 -all", "v=spf1 ~all"), OK),
            (found("google=1"), NO),
            (found(" v=spf1 -all"), NO),
            (found("spf1 -all"), NO),
            (ABSENT, NO),
            (SILENT, UNKNOWN),
        ],
    )
    def test_need_only_begin(self, answer, state):
        assert verdict("2.5", MX, answer).state is state


class TestPolicy:
    @pytest.mark.parametrize(
        ("text", "exists", "strong"),
        [
            ("v=DMARC1; p=reject", OK, OK),
            ("v=DMARC1; p=quarantine", OK, OK),
            ("v=DMARC1; p=quarantine; pct=100", OK, OK),
            ("v=DMARC1; p=quarantine; pct=99", OK, NO),
            ("v=DMARC1; p=quarantine; pct=0", OK, NO),
            ("v=DMARC1;p = quarantine;pct = 50", OK, NO),
            ("v=DMARC1; p=reject; pct=10", OK, OK),
            ("v=DMARC1; p=none", OK, NO),
            ("v=DMARC1; p=bizarre", OK, NO),
            ("v=DMARC1", OK, NO),
            ("v=DMARC1; sp=none; p=reject", OK, NO),
            ("v=DMARC1; sp=reject; p=none", OK, OK),
            ("v=DMARC1; p=reject; sp=none", OK, OK),
            ("v=DMARC1; adkim=r; aspf=r; p=reject", OK, OK),
            ("v=dmarc1; p=reject", NO, NO),
            ("DMARC1; p=reject", NO, NO),
        ],
    )
    def test_the_first_p_met_is_read(self, text, exists, strong):
        assert verdict("2.6", MX, found(text)).state is exists
        assert verdict("2.7", MX, found(text)).state is strong

    def test_ours_passes(self):
        from packmairie.briques.messagerie import mail_records

        ours = next(record for record in mail_records(pack(), ()) if record.name == "_dmarc")
        assert verdict("2.7", MX, found(*ours.values)).state is OK

    @pytest.mark.parametrize("code", ["2.6", "2.7"])
    def test_none_or_silence(self, code):
        assert verdict(code, MX, ABSENT).state is NO
        assert verdict(code, MX, SILENT).state is UNKNOWN


class TestLocation:
    @pytest.mark.parametrize(
        ("countries", "state"),
        [
            ({"198.51.100.1": "FR"}, OK),
            ({"198.51.100.1": "FR", "198.51.100.2": "DE"}, OK),
            ({"198.51.100.1": "FR", "198.51.100.2": "US"}, NO),
            ({"198.51.100.1": "US"}, NO),
            ({"198.51.100.1": "GB"}, NO),
            ({"198.51.100.1": "CH"}, NO),
            ({"198.51.100.1": "EL"}, NO),
            ({"198.51.100.1": "GR"}, OK),
            ({"198.51.100.1": ""}, UNKNOWN),
            ({"198.51.100.1": "FR", "198.51.100.2": ""}, UNKNOWN),
            ({"198.51.100.1": "US", "198.51.100.2": ""}, NO),
            ({}, UNKNOWN),
        ],
    )
    def test_any_address_outside_is_one_too_many(self, countries, state):
        assert verdict("2.8", MX, Found(Location("mx.x", countries))).state is state

    def test_the_platform_is_where_its_operator_says(self):
        shown = verdict("2.8", MX, Found(Location("mx.pack.example", {"192.0.2.10": ""})))
        assert shown.state is OK
        assert "déclaré par l’opérateur" in shown.measured

    def test_unless_a_base_says_otherwise(self):
        assert verdict("2.8", MX, Found(Location("mx.pack.example", {"192.0.2.10": "US"}))).state is NO

    def test_an_operator_outside_the_union(self):
        shown = verdict("2.8", MX, Found(Location("m", {"192.0.2.10": ""})), plateforme={"pays": "CH"})
        assert shown.state is NO

    @pytest.mark.parametrize("answer", [ABSENT, SILENT])
    def test_a_server_that_cannot_be_located_is_not_verified(self, answer):
        shown = verdict("2.8", MX, answer)
        assert shown.state is UNKNOWN
        assert shown.remedy


def test_what_fails_says_what_to_do():
    for code in EXPECTED:
        assert verdict(code, of=declared(None)).remedy
    assert worst([verdict(code, MX, SILENT).state for code in ("2.5", "2.6", "2.7", "2.8")]) is UNKNOWN
