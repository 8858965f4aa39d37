# SPDX-License-Identifier: GPL-3.0-or-later
"""How the answers of the web become verdicts: the RPNT of websites, and packmairie's own checks."""

from __future__ import annotations

import re

import pytest
from core_samples import commune, pack

from packmairie.briques import presence_checks as checks
from packmairie.briques.presence_clients import client_settings, outlook, thunderbird
from packmairie.briques.rpnt_site import EXPECTED, criteria
from packmairie.model.preuve import State
from packmairie.model.probe import (
    Absent,
    Chain,
    Found,
    Hop,
    HostFacts,
    Obstacle,
    Page,
    Unanswered,
    Visit,
    WebmailSession,
)

DOMAIN = "riencourt-les-bapaume.fr"
SITE = f"https://www.{DOMAIN}"
OK, BAD, UNKNOWN = State.CONFORME, State.NON_CONFORME, State.NON_VERIFIE
SILENT = Unanswered("pas de réponse en 10 s")
HEADERS = {
    "strict-transport-security": "max-age=31536000",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=()",
}


def chain(*urls: str, status: int = 200) -> Found:
    hops = [Hop(url, 308) for url in urls[:-1]] + [Hop(urls[-1], status)]
    return Found(Chain(tuple(hops), Page(status, {}, "")))


def stopped(obstacle: Obstacle, *urls: str, at: str = SITE) -> Found:
    return Found(Chain(tuple(Hop(url, 308) for url in urls), None, obstacle, obstacle.value, at))


def town(address: str | None = SITE, **changes):
    declared = {"courriel": f"contact@{DOMAIN}", "site": address, "constate_le": "2026-11-12"}
    return commune(service_public=declared, **changes)


def rpnt(code: str, *answers, of=None) -> State:
    check = {check.rpnt: check for check in criteria(of or town())}[code]
    assert len(answers) == len(check.probes)
    verdict = check.judge(answers)
    assert verdict.state is OK or verdict.remedy
    return verdict.state


class TestDeclaration:
    def test_all_eight_whatever_is_known(self):
        for place in (town(), town(None), commune(service_public=None), town("n'importe quoi")):
            assert [check.rpnt for check in criteria(place)] == list(EXPECTED)

    def test_nothing_read_is_not_verified(self):
        found = criteria(commune(service_public=None))
        assert {check.judge(()).state for check in found} == {UNKNOWN}

    @pytest.mark.parametrize("site", [None, "", "www.exemple.fr", "ftp://exemple.fr", "https://é.fr"])
    def test_missing_or_malformed_fails_everything(self, site):
        assert {check.judge(()).state for check in criteria(town(site))} == {BAD}

    @pytest.mark.parametrize(("site", "state"), [(SITE, OK), ("https://xy.com", BAD), ("https://xy.bzh", OK)])
    def test_1_2_extension(self, site, state):
        assert rpnt("1.2", of=town(site)) is state

    def test_1_8_scheme(self):
        assert rpnt("1.8") is OK
        assert rpnt("1.8", of=town(f"http://www.{DOMAIN}")) is BAD


class TestTested:
    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (chain(SITE), OK),
            (chain(SITE, f"{SITE}/accueil"), OK),
            (chain(SITE, status=503), BAD),
            (stopped(Obstacle.REFUSED), BAD),
            (stopped(Obstacle.LOOP, *[SITE] * 6), BAD),
            (Absent("n'existe pas"), BAD),
            (stopped(Obstacle.CERTIFICATE), UNKNOWN),
            (SILENT, UNKNOWN),
        ],
    )
    def test_1_3_reachable(self, answer, state):
        assert rpnt("1.3", answer) is state

    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (chain(f"http://www.{DOMAIN}", SITE), OK),
            (chain(f"http://www.{DOMAIN}"), BAD),
            (chain(f"http://www.{DOMAIN}", SITE, status=404), BAD),
            (SILENT, UNKNOWN),
        ],
    )
    def test_1_4_https(self, answer, state):
        assert rpnt("1.4", answer) is state

    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (chain(SITE), OK),
            (stopped(Obstacle.CERTIFICATE), BAD),
            (chain(SITE, status=500), BAD),
            (SILENT, UNKNOWN),
        ],
    )
    def test_1_5_certificate(self, answer, state):
        assert rpnt("1.5", answer) is state

    @pytest.mark.parametrize(
        ("end", "state"),
        [
            (f"https://{DOMAIN}/", OK),
            ("https://riencourt.collectivite.fr/", OK),
            ("https://lannuaire.service-public.gouv.fr/x", OK),
            ("https://faux-collectivite.fr/", BAD),
            ("https://gouv.fr.exemple.com/", BAD),
            (f"https://{DOMAIN}.exemple.com/", BAD),
            ("https://facebook.com/mairie", BAD),
        ],
    )
    def test_1_6_official(self, end, state):
        plain = chain(f"http://www.{DOMAIN}", SITE)
        assert rpnt("1.6", chain(SITE, end), plain) is state

    def test_1_6_the_plain_address_counts_too(self):
        assert rpnt("1.6", chain(SITE), chain(f"http://www.{DOMAIN}", "https://parking.com/")) is BAD
        assert rpnt("1.6", chain(SITE), SILENT) is UNKNOWN

    def test_1_6_a_detour_by_somebody_else_s_site(self):
        via = chain(SITE, "https://parking.com/", "https://www.service-public.gouv.fr/")
        assert rpnt("1.6", via, chain(f"http://www.{DOMAIN}", SITE)) is BAD

    def test_1_7_usual_redirects(self):
        plain = chain(f"http://www.{DOMAIN}", SITE)
        apex = chain(f"http://{DOMAIN}", f"https://{DOMAIN}", SITE)
        secure = chain(f"https://{DOMAIN}", SITE)
        assert rpnt("1.7", plain, apex, secure) is OK
        assert rpnt("1.7", plain, apex, stopped(Obstacle.CERTIFICATE)) is BAD
        assert rpnt("1.7", plain, Absent("n'existe pas"), secure) is BAD
        assert rpnt("1.7", plain, SILENT, secure) is UNKNOWN
        assert rpnt("1.7", plain, apex, chain(f"https://{DOMAIN}", "https://autre.fr/")) is BAD
        assert rpnt("1.7", chain(f"http://www.{DOMAIN}"), apex, secure) is BAD

    def test_1_7_a_site_declared_without_www_has_no_apex_to_ask(self):
        place = town(f"https://{DOMAIN}")
        assert rpnt("1.7", chain(f"http://{DOMAIN}", f"https://{DOMAIN}"), of=place) is OK


class TestSite:
    @pytest.mark.parametrize(
        ("changes", "state"),
        [
            ({}, OK),
            ({"strict-transport-security": "max-age=3600"}, BAD),
            ({"strict-transport-security": "max-age=demain"}, BAD),
            ({"content-security-policy": "default-src 'self'"}, BAD),
            ({"content-security-policy": HEADERS["content-security-policy"] + "; style-src 'unsafe-inline'"}, BAD),
            ({"referrer-policy": "origin"}, BAD),
        ],
    )
    def test_headers(self, changes, state):
        assert checks.judge_headers(Page(200, {**HEADERS, **changes}, ""), "x").state is state

    def test_a_home_page_is_the_commune_s(self):
        def judge(body: str, status: int = 200) -> State:
            visit = Visit(Page(status, {}, body), 100, 1, 3, {}, ())
            return checks.judge_home(visit, "L'Écluse", "x").state

        assert judge('<html lang="fr">L’Écluse') is OK
        assert judge('<html lang="fr">Bienvenue') is BAD
        assert judge("<html>L'Écluse") is BAD
        assert judge('<html lang="fr">L’Écluse', 500) is BAD

    def test_links_weight_and_foreign_files(self):
        page = Page(200, {}, "")
        assert checks.judge_links(Visit(page, 1, 1, 2, {}, ())).state is OK
        assert checks.judge_links(Visit(page, 1, 1, 2, {"/x": "réponse 404"}, ())).state is BAD
        assert checks.judge_links(Visit(page, 1, 1, 2, {}, ("https://cdn.example/x.js",))).state is BAD
        assert checks.judge_weight(Visit(page, 50_000, 4, 2, {}, ())).state is OK
        assert checks.judge_weight(Visit(page, 50_001, 4, 2, {}, ())).state is BAD

    def test_a_redirection_is_the_one_asked_for(self):
        wanted = "https://exemple.fr/"
        assert checks.judge_redirection(Page(302, {"location": wanted}, ""), wanted, "x").state is OK
        assert checks.judge_redirection(Page(302, {"location": "https://autre.fr/"}, ""), wanted, "x").state is BAD
        assert checks.judge_redirection(Page(200, {}, ""), wanted, "x").state is BAD

    def test_a_site_elsewhere_has_the_rpnt_and_its_redirections_only(self):
        site = {"redirections": [{"de": "@", "vers": "https://exemple.fr/"}]}
        place = town(
            existant={"presence": "P", "messagerie": "P"}, site=site, domaine={"nom": DOMAIN, "dns": "externe"}
        )
        names = [check.name for check in checks.commune_checks(place, pack(place), "webmail.pack.example")]
        assert names == [*(f"rpnt-{code}" for code in EXPECTED), "redirection-domaine"]

    def test_every_check_is_named_for_a_mayor_and_silence_is_no_verdict(self):
        place = town()
        for check in checks.commune_checks(place, pack(place), "webmail.pack.example"):
            assert check.expected
            assert check.title or check.rpnt
            if check.probes:
                verdict = check.judge(tuple(SILENT for _ in check.probes))
                assert verdict.state is UNKNOWN
                assert verdict.remedy


class TestSettings:
    place = commune()
    settings = client_settings(place, pack(place), "webmail.pack.example")
    address = f"contact@{DOMAIN}"

    def test_thunderbird(self):
        right = thunderbird(self.settings)
        assert checks.judge_thunderbird(Page(200, {}, right), self.settings, "x").state is OK
        assert checks.judge_thunderbird(Page(200, {}, right.replace("993", "143")), self.settings, "x").state is BAD
        assert checks.judge_thunderbird(Page(404, {}, right), self.settings, "x").state is BAD

    @pytest.mark.parametrize("body", ["", "<html>", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'])
    def test_what_is_not_a_document_of_ours(self, body):
        assert checks.judge_thunderbird(Page(200, {}, body), self.settings, "x").state is BAD

    def test_outlook(self):
        text = re.sub(r"\{\{ (with[^\n]*?|end) \}\}", "", outlook(self.settings)).replace("{{ . }}", self.address)
        assert checks.judge_outlook(Page(200, {}, text), self.settings, self.address, "x").state is OK
        wrong = text.replace(self.address, "autre@x.fr")
        assert checks.judge_outlook(Page(200, {}, wrong), self.settings, self.address, "x").state is BAD


class TestServices:
    def test_webmail_steps(self):
        assert checks.judge_webmail(WebmailSession({"page": 0.1, "connexion": 0.2}, title="x")).state is OK
        failed = checks.judge_webmail(WebmailSession({"page": 0.1}, "connexion", "refusé"))
        assert failed.state is BAD
        assert "connexion" in failed.measured

    def test_services(self):
        up = dict.fromkeys(checks.WEB_SERVICES, "active")
        assert checks.judge_services(HostFacts({}, up, ())).state is OK
        assert checks.judge_services(HostFacts({}, up | {"caddy.service": "failed"}, ())).state is BAD
        assert checks.judge_services(HostFacts({}, up, ("packmairie-sites.service",))).state is BAD
