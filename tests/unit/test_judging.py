# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to verdicts: silence is never a fault, and a certificate's last days are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from core_samples import ABSENT, SILENT, commune, found, pack
from hypothesis import given
from hypothesis import strategies as st

from packmairie.briques.judging import expect_values, judge_certificate, require_answer
from packmairie.model.preuve import State
from packmairie.model.probe import Certificate, Found, Unanswered, conforme
from packmairie.operations.status import checks_of, preuve_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def certificate(left: timedelta, *, trusted: bool = True, reason: str = "") -> Found:
    return Found(Certificate(("essai.fr",), "AC d'essai", NOW + left, trusted, reason))


class TestAnswers:
    def test_found_is_judged(self):
        assert require_answer(Found(3), lambda value: conforme(str(value)), "x").measured == "3"

    def test_absent_is_a_fault_with_its_remedy(self):
        verdict = require_answer(ABSENT, conforme, "faire ceci")
        assert (verdict.state, verdict.remedy) == (State.NON_CONFORME, "faire ceci")

    @given(st.text(min_size=1))
    def test_silence_never_is(self, reason):
        verdict = require_answer(Unanswered(reason), conforme, "faire ceci")
        assert (verdict.state, verdict.measured) == (State.NON_VERIFIE, reason)
        assert verdict.remedy

    def test_in_no_check_of_any_commune_nor_of_the_platform(self):
        towns = (
            commune(),
            commune("62633", domaine={"nom": "essai.fr", "dns": "externe"}, existant={"messagerie": "Prestataire"}),
            commune("59529", service_public=None),
        )
        settings = pack(*towns, temoin={"adresse": "t@x.example", "imap": "i.x.example", "soumission": "s.x.example"})
        checks = checks_of(settings, [town.insee for town in towns])
        asking = [(code, check) for code, check in checks if check.probes]
        assert len(asking) > 40
        for code, check in asking:
            proof = preuve_of(code, check, dict.fromkeys(check.probes, SILENT), NOW)
            assert proof.state is State.NON_VERIFIE, check.name
            assert proof.remedy, check.name

    def test_what_does_not_conform_always_says_what_to_do(self):
        town = commune()
        for code, check in checks_of(pack(town), [town.insee]):
            proof = preuve_of(code, check, dict.fromkeys(check.probes, ABSENT), NOW)
            assert proof.remedy or proof.state is State.CONFORME, check.name

    def test_names_of_checks_are_unique(self):
        town = commune()
        names = [(code, check.brique, check.name) for code, check in checks_of(pack(town), [town.insee])]
        assert len(set(names)) == len(names)


class TestValues:
    @pytest.mark.parametrize(
        ("values", "state"),
        [
            (("a", "b"), State.CONFORME),
            (("b", "a"), State.CONFORME),
            ((" a ", "b"), State.CONFORME),
            (("a",), State.NON_CONFORME),
            (("a", "b", "c"), State.NON_CONFORME),
            ((), State.NON_CONFORME),
            (("A", "b"), State.NON_CONFORME),
        ],
    )
    def test_all_of_them_and_nothing_else(self, values, state):
        assert expect_values(found(*values), ("a", "b"), "x").state is state

    def test_shows_what_was_found(self):
        assert expect_values(found("z", "y"), ("a",), "x").measured == "y | z"


class TestCertificate:
    @pytest.mark.parametrize(
        ("left", "state"),
        [
            (timedelta(days=-400), State.NON_CONFORME),
            (timedelta(seconds=-1), State.NON_CONFORME),
            (timedelta(0), State.NON_CONFORME),
            (timedelta(seconds=1), State.NON_CONFORME),
            (timedelta(days=13), State.NON_CONFORME),
            (timedelta(days=14, seconds=-1), State.NON_CONFORME),
            (timedelta(days=14), State.CONFORME),
            (timedelta(days=15), State.CONFORME),
        ],
    )
    def test_lasts_two_weeks_more(self, left, state):
        verdict = judge_certificate(certificate(left), "mx.essai.fr", "renouveler", NOW)
        assert verdict.state is state
        assert verdict.remedy == ("" if state is State.CONFORME else "renouveler")

    @pytest.mark.parametrize(("seconds", "told"), [(-1, True), (0, True), (1, False)])
    def test_the_very_end(self, seconds, told):
        verdict = judge_certificate(certificate(timedelta(seconds=seconds)), "h", "r", NOW)
        assert verdict.measured.startswith("certificat expiré") is told

    def test_expired_says_so_before_untrusted(self):
        verdict = judge_certificate(certificate(timedelta(days=-1), trusted=False, reason="expired"), "h", "r", NOW)
        assert verdict.measured == "certificat expiré depuis le 23/11/2026"

    def test_untrusted_is_a_fault_however_long_it_lasts(self):
        verdict = judge_certificate(certificate(timedelta(days=80), trusted=False, reason="inconnu"), "h", "r", NOW)
        assert verdict.state is State.NON_CONFORME
        assert "refusé : inconnu" in verdict.measured

    def test_days_left_are_told(self):
        verdict = judge_certificate(certificate(timedelta(days=13, hours=23)), "h", "r", NOW)
        assert verdict.measured.endswith("reste 13 jours")

    def test_no_certificate(self):
        assert judge_certificate(ABSENT, "h", "r", NOW).state is State.NON_CONFORME
        assert judge_certificate(SILENT, "h", "r", NOW).state is State.NON_VERIFIE

    def test_without_a_moment_it_is_now(self):
        fresh = Found(Certificate((), "x", datetime.now(UTC) + timedelta(days=30), True))
        assert judge_certificate(fresh, "h", "r").state is State.CONFORME
