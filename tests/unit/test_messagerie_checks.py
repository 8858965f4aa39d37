# SPDX-License-Identifier: GPL-3.0-or-later
"""How mail is proven: each check on the answers that should turn it, and on those that should not."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import pytest
from core_samples import ABSENT, SILENT, commune, found, pack

from packmairie.briques.messagerie import Messagerie
from packmairie.briques.messagerie_checks import (
    SERVICES,
    judge_disks,
    judge_round_trip,
    judge_services,
    key_size,
    step_remedy,
)
from packmairie.inventory.generators import new_secret
from packmairie.model.preuve import State
from packmairie.model.probe import Found, HostFacts, MailRoundTrip, Page, RoundTrip, SpfFindings, TlsHandshake, Verdict
from packmairie.model.secret import SecretKind

OK, NO, UNKNOWN = State.CONFORME, State.NON_CONFORME, State.NON_VERIFIE
WITNESS = {"adresse": "t@ailleurs.example", "imap": "mail.ailleurs.example", "soumission": "mail.ailleurs.example"}
PASSED = {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
TARGET = "pm1.62708._domainkey.pack.example."
SPF = "v=spf1 include:_spf.pack.example -all"


def checks(of=None, **changes):
    town = of or commune()
    return {check.name: check for check in Messagerie().checks(town, pack(town, **changes))}


def verdict(name: str, *answers, of=None, **changes) -> Verdict:
    return checks(of, **changes)[name].judge(answers)


class TestRecords:
    @pytest.mark.parametrize("name", ["mx", "dmarc", "mta-sts-dns", "tls-rpt", "srv-imaps", "srv-submissions"])
    def test_the_exact_wish(self, name):
        check = checks()[name]
        assert check.judge((found(check.expected),)).state is OK
        assert check.judge((found(check.expected, "autre"),)).state is NO
        assert check.judge((ABSENT,)).state is NO
        assert check.judge((SILENT,)).state is UNKNOWN

    def test_the_remedy_depends_on_who_publishes(self):
        assert "packmairie deploy 62708" in verdict("mx", ABSENT).remedy
        elsewhere = commune(domaine={"nom": "essai.fr", "dns": "externe"})
        assert "packmairie dns records 62708" in verdict("mx", ABSENT, of=elsewhere).remedy

    def test_a_commune_with_its_own_mail_is_judged_by_the_rpnt_only(self):
        town = commune(domaine={"nom": "essai.fr", "dns": "externe"}, existant={"messagerie": "Prestataire"})
        assert {check.rpnt for check in checks(town).values()} == {f"2.{number}" for number in range(1, 9)}


class TestSenderPolicy:
    @pytest.mark.parametrize(
        ("findings", "state"),
        [
            (SpfFindings(SPF, 1), OK),
            (SpfFindings(SPF, 10), OK),
            (SpfFindings(SPF, 11), NO),
            (SpfFindings("v=spf1 mx -all ", 1), OK),
            (SpfFindings("v=spf1 mx ~all", 1), NO),
            (SpfFindings("v=spf1 mx -all include:x", 1), NO),
            (SpfFindings("v=spf1 include:x-all", 1), NO),
            (SpfFindings("v=spf1 mx ?all", 1), NO),
            (SpfFindings("v=spf1 mx +all", 1), NO),
            (SpfFindings("v=spf1 mx", 1), NO),
            (SpfFindings(SPF, 1, "boucle"), NO),
        ],
    )
    def test_evaluation(self, findings, state):
        assert verdict("spf", found(SPF), Found(findings)).state is state

    @pytest.mark.parametrize(
        ("texts", "told"), [((SPF, "v=spf1 mx -all"), "2 enregistrements"), (("site=1",), "aucun"), ((), "aucun")]
    )
    def test_exactly_one(self, texts, told):
        shown = verdict("spf", found(*texts), Found(SpfFindings(SPF, 1)))
        assert shown.state is NO
        assert told in shown.measured

    def test_silence_at_either_question(self):
        assert verdict("spf", SILENT, Found(SpfFindings(SPF, 1))).state is UNKNOWN
        assert verdict("spf", found(SPF), SILENT).state is UNKNOWN
        assert verdict("spf", ABSENT, SILENT).state is NO


@cache
def key_text() -> str:
    """Return a real key record, as the platform publishes it."""
    return f"v=DKIM1; k=rsa; p={dict(new_secret(SecretKind.DKIM))['publique']}"


class TestKeys:
    def test_a_real_key_behind_the_alias(self):
        shown = verdict("dkim-pm1", found(TARGET), found(key_text()))
        assert shown.state is OK
        assert "2048 bits" in shown.measured

    @pytest.mark.parametrize(
        "text",
        ["v=DKIM1; k=rsa; p=", "v=DKIM1; k=rsa", "v=DKIM1; k=rsa; p=QUJD", "v=DKIM1; k=rsa; p=####", "site=1"],
    )
    def test_no_key_behind_it(self, text):
        shown = verdict("dkim-pm1", found(TARGET), found(text))
        assert shown.state is NO
        assert shown.remedy
        assert key_size(text) is None

    @pytest.mark.parametrize(("answer", "state"), [(ABSENT, NO), (SILENT, UNKNOWN)])
    def test_nothing_behind_it(self, answer, state):
        assert verdict("dkim-pm1", found(TARGET), answer).state is state

    @pytest.mark.parametrize(
        ("alias", "state"), [(found("pm1.59529._domainkey.pack.example."), NO), (ABSENT, NO), (SILENT, UNKNOWN)]
    )
    def test_another_alias_or_none(self, alias, state):
        assert verdict("dkim-pm1", alias, found(key_text())).state is state


class TestTransportPolicy:
    BODY = "version: STSv1\r\nmode: enforce\r\nmx: mx.pack.example\r\nmax_age: 604800\r\n"

    @pytest.mark.parametrize(
        ("page", "state"),
        [
            (Page(200, {}, BODY), OK),
            (Page(200, {}, BODY.replace("enforce", "testing")), NO),
            (Page(200, {}, BODY.replace("mx.pack", "mx.autre")), NO),
            (Page(200, {}, BODY.replace("STSv1", "STSv2")), NO),
            (Page(200, {}, "<html>accueil</html>"), NO),
            (Page(200, {}, ""), NO),
            (Page(404, {}, BODY), NO),
            (Page(301, {}, BODY), NO),
            (Page(500, {}, ""), NO),
        ],
    )
    def test_page(self, page, state):
        assert verdict("mta-sts", Found(page)).state is state

    def test_silence(self):
        assert verdict("mta-sts", SILENT).state is UNKNOWN


class TestRoundTrip:
    STEPS: ClassVar = {"envoi": 0.1, "réception": 1.2, "connexion": 0.2, "réponse": 0.3, "retour": 1.0}

    def test_there_and_back(self):
        shown = judge_round_trip(RoundTrip(self.STEPS, authentication=PASSED))
        assert shown.state is OK
        assert shown.measured == "aller et retour en 2.8 s ; SPF pass, DKIM pass, DMARC pass"

    @pytest.mark.parametrize("method", ["spf", "dkim", "dmarc"])
    @pytest.mark.parametrize("word", ["fail", "none", "softfail", "temperror", None])
    def test_each_of_the_three_must_pass(self, method, word):
        words = {key: value for key, value in (PASSED | {method: word}).items() if value}
        shown = judge_round_trip(RoundTrip(self.STEPS, authentication=words))
        assert shown.state is NO
        assert f"{method.upper()} {word or 'absent'}" in shown.measured

    def test_no_verdict_at_all(self):
        assert judge_round_trip(RoundTrip(self.STEPS)).state is NO

    def test_a_failed_step_is_told_with_those_done(self):
        shown = judge_round_trip(RoundTrip({"envoi": 0.1}, "connexion", "mot de passe refusé"))
        assert shown.state is NO
        assert shown.measured == "échec à l'étape « connexion » : mot de passe refusé (fait : envoi)"
        assert "Dovecot" in shown.remedy

    def test_the_very_first_step(self):
        assert "(fait : aucune étape)" in judge_round_trip(RoundTrip({}, "envoi", "x")).measured

    def test_each_step_has_its_own_remedy(self):
        remedies = [step_remedy(step) for step in (*self.STEPS, "inconnue")]
        assert len(set(remedies)) == len(remedies)

    def test_who_is_written_to_and_who_reads(self):
        (probe,) = checks(temoin=WITNESS)["aller-retour"].probes
        assert probe == MailRoundTrip(
            "62708",
            "contact@riencourt-les-bapaume.fr",
            "sonde@riencourt-les-bapaume.fr",
            "messagerie.boites.sonde",
        )

    def test_without_a_witness_nothing_is_claimed(self):
        check = checks()["aller-retour"]
        assert check.probes == ()
        assert check.judge(()).state is UNKNOWN
        assert "temoin:" in check.judge(()).remedy


class TestHost:
    UP: ClassVar = dict.fromkeys(SERVICES, "active")

    @pytest.mark.parametrize(
        ("units", "failed", "state"),
        [
            (UP, (), OK),
            (UP | {"dovecot.service": "failed"}, (), NO),
            (UP | {"dovecot.service": "activating"}, (), NO),
            ({"dovecot.service": "active"}, (), NO),
            (UP, ("apt-daily.service",), NO),
        ],
    )
    def test_services(self, units, failed, state):
        assert judge_services(HostFacts({}, units, failed)).state is state

    def test_a_service_that_failed_is_told_once(self):
        shown = judge_services(HostFacts({}, self.UP | {"dovecot.service": "failed"}, ("dovecot.service",)))
        assert shown.measured.count("dovecot") == 1
        assert "systemctl status dovecot.service" in shown.remedy

    @pytest.mark.parametrize(
        ("disks", "state"),
        [
            ({"/": (50, 100)}, OK),
            ({"/": (10, 100)}, OK),
            ({"/": (9, 100)}, NO),
            ({"/": (50, 100), "/var": (0, 100)}, NO),
            ({"/proc": (0, 0), "/": (50, 100)}, OK),
            ({}, UNKNOWN),
        ],
    )
    def test_disks(self, disks, state):
        assert judge_disks(HostFacts(disks, {}, ())).state is state

    def test_every_port_that_people_use_is_probed(self):
        probes = [check.probes[0] for check in Messagerie().platform_checks(pack())]
        assert [probe for probe in probes if isinstance(probe, TlsHandshake)] == [
            TlsHandshake("mx.pack.example", 25, "smtp"),
            TlsHandshake("mail.pack.example", 993, ""),
            TlsHandshake("mail.pack.example", 587, "smtp"),
            TlsHandshake("mail.pack.example", 465, ""),
        ]

    def test_hosts_that_play_another_part_are_not_asked_about_mail(self):
        hosts = {
            "un": {"adresse": "192.0.2.1", "groupes": ["dns", "frontal"]},
            "deux": {"adresse": "192.0.2.2", "groupes": ["messagerie"]},
        }
        settings = pack()
        file = settings.file.model_dump(mode="json")
        file["plateforme"]["hotes"] = hosts
        settings = settings.model_copy(update={"file": type(settings.file).model_validate(file)})
        names = {check.name for check in Messagerie().platform_checks(settings)}
        assert {"services-deux", "disque-deux"} <= names
        assert "services-un" not in names
