# SPDX-License-Identifier: GPL-3.0-or-later
"""RPNT levels: reached, not reached, not verified."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.model.commune import ServicePublic
from packmairie.model.preuve import Preuve, State
from packmairie.reports.rpnt_levels import (
    CRITERIA,
    LEVELS,
    Reached,
    commune_levels,
    criteria_states,
    levels,
    mail_domain_waiver,
)

ALL_FINE = dict.fromkeys(CRITERIA, State.CONFORME)
READ_ON = date(2026, 11, 12)


def declared(courriel: str | None, site: str | None) -> ServicePublic:
    return ServicePublic(courriel=courriel, site=site, constate_le=READ_ON)


def test_there_are_sixteen_criteria_grouped_as_the_publisher_computes() -> None:
    assert len(CRITERIA) == 16
    assert LEVELS["1.a"] == ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6")
    assert LEVELS["2.a"] == ("2.1", "2.2", "2.3", "2.4", "2.5", "2.8")
    assert LEVELS["a"] == ("1.1", "1.2", "1.3", "1.4", "1.5", "2.1", "2.2", "2.3", "2.4", "2.5", "2.8")
    assert LEVELS["aa"] == tuple(CRITERIA)
    assert len(LEVELS["1.aa"]) == len(LEVELS["2.aa"]) == 8


def test_all_conforming_reaches_every_level() -> None:
    assert set(levels(ALL_FINE).values()) == {Reached.YES}


def test_nothing_evaluated_reaches_nothing_and_denies_nothing() -> None:
    assert set(levels({}).values()) == {Reached.UNKNOWN}


def test_mail_alone_says_nothing_of_the_site_nor_of_the_whole() -> None:
    mail = {code: State.CONFORME for code in CRITERIA if code.startswith("2.")}
    found = levels(mail)
    assert found["2.a"] is found["2.aa"] is Reached.YES
    assert {found[level] for level in ("1.a", "1.aa", "a", "aa")} == {Reached.UNKNOWN}


def test_one_failure_denies_a_level_even_when_the_rest_is_unknown() -> None:
    assert levels({"2.5": State.NON_CONFORME})["a"] is Reached.NO


def test_the_page_and_the_program_differ_on_1_6_and_2_5() -> None:
    assert levels({**ALL_FINE, "1.6": State.NON_CONFORME})["a"] is Reached.YES
    assert levels({**ALL_FINE, "2.5": State.NON_CONFORME})["a"] is Reached.NO
    assert CRITERIA["1.6"].essential
    assert not CRITERIA["2.5"].essential


def test_2_3_is_waived_from_mail_levels_only() -> None:
    found = levels({**ALL_FINE, "2.3": State.NON_CONFORME}, waiver=True)
    assert found["2.a"] is found["2.aa"] is Reached.YES
    assert found["a"] is found["aa"] is Reached.NO
    assert levels({**ALL_FINE, "2.3": State.NON_CONFORME}, waiver=None)["2.a"] is Reached.UNKNOWN


@pytest.mark.parametrize(
    ("states", "page", "expected"),
    [
        ({}, None, None),
        ({}, declared("contact@saint-aubin.fr", None), True),
        ({}, declared("contact@saint-aubin.fr", "saint-aubin"), True),
        ({}, declared("contact@saint-aubin.fr", "https://www.saint-aubin.com/accueil"), True),
        ({}, declared("contact@saint-aubin.fr", "https://www.saint-aubin.fr/"), False),
        ({}, declared("contact@saint-aubin.com", None), False),
        ({}, declared(None, None), False),
        ({"1.1": State.NON_CONFORME}, None, None),
        ({"1.1": State.CONFORME, "1.2": State.CONFORME}, None, False),
        ({"1.2": State.NON_CONFORME}, declared("contact@saint-aubin.fr", "https://saint-aubin.fr"), True),
    ],
)
def test_waiver(states: dict[str, State], page: ServicePublic | None, expected: bool | None) -> None:
    assert mail_domain_waiver(states, page) is expected


def test_a_criterion_proven_twice_is_as_good_as_its_worst_proof() -> None:
    def preuve(check: str, state: State, rpnt: str | None) -> Preuve:
        return Preuve(
            commune="59529",
            brique="messagerie",
            check=check,
            state=state,
            measured="",
            expected="",
            remedy="agir",
            rpnt=rpnt,
        )

    preuves = [
        preuve("a", State.CONFORME, "2.4"),
        preuve("b", State.NON_VERIFIE, "2.4"),
        preuve("c", State.CONFORME, None),
        preuve("d", State.CONFORME, "9.9"),
    ]
    assert criteria_states(preuves) == {"2.4": State.NON_VERIFIE}
    assert commune_levels(None, preuves)["2.a"] is Reached.UNKNOWN


@given(st.dictionaries(st.sampled_from(list(CRITERIA)), st.sampled_from(State)), st.sampled_from([True, False, None]))
def test_complete_levels_never_exceed_essential_ones(states: dict[str, State], waiver: bool | None) -> None:
    found = levels(states, waiver)
    for essential, complete in (("1.a", "1.aa"), ("2.a", "2.aa"), ("a", "aa")):
        if found[complete] is Reached.YES:
            assert found[essential] is Reached.YES
        if found[essential] is Reached.NO:
            assert found[complete] is Reached.NO
