# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks over holidays and ends of months, states, retention, protected counts, the throttle, file names."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signalement_samples import world

from packmairie.portail.projet.cadence import Cadence
from packmairie.portail.signalement.depot.enregistrement import Depot, deposit
from packmairie.portail.signalement.depot.televersement import clean_name
from packmairie.portail.signalement.models import Cellule, Signalement
from packmairie.portail.signalement.regles import conservation, etats
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.regles.delais import (
    DELAIS,
    add_months,
    add_working_days,
    echeances,
    is_working_day,
)
from packmairie.portail.signalement.regles.effectifs import THRESHOLD, protect

DAYS = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2026, 11, 24), 7, date(2026, 12, 3)),  # two week-ends apart, no holiday
        (date(2026, 4, 30), 7, date(2026, 5, 13)),  # 1 and 8 May 2026 are Fridays
        (date(2026, 5, 13), 7, date(2026, 5, 26)),  # Ascension (14) and Whit Monday (25)
        (date(2026, 12, 24), 7, date(2027, 1, 6)),  # Christmas and New Year's Day
        (date(2026, 4, 3), 1, date(2026, 4, 7)),  # Easter Monday
        (date(2026, 7, 11), 1, date(2026, 7, 13)),  # from a Saturday
    ],
)
def test_working_days_worked_by_hand(start, count, end):
    assert add_working_days(start, count) == end


@given(DAYS, st.integers(1, 60))
def test_a_delay_ends_on_a_working_day_after_that_many(start, count):
    end = add_working_days(start, count)
    assert is_working_day(end)
    days = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(is_working_day(day) for day in days) == count


def test_months_end_where_the_month_ends():
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2028, 1, 31), 1) == date(2028, 2, 29)
    assert add_months(date(2026, 11, 30), 3) == date(2027, 2, 28)
    assert add_months(date(2026, 12, 15), 1) == date(2027, 1, 15)


def test_the_two_regimes_are_not_mixed():
    legal = {(d.dispositif, d.duree, d.unite) for d in DELAIS if d.legal}
    assert legal == {
        ("avdhas", 0, "jours"), ("alerte", 7, "jours_ouvres"), ("alerte", 20, "jours_ouvres"), ("alerte", 3, "mois"),
    }  # fmt: skip
    assert all("objectif interne" in d.source for d in DELAIS if not d.legal)


def test_clocks_start_stop_and_stay_late():
    start = date(2026, 11, 2)
    found = {e.delai.code: e for e in echeances("alerte", {"recu": start, "accuse": start}, date(2026, 11, 3))}
    assert set(found) == {"alerte_accuse", "alerte_retour"}, "no interview was asked for"
    assert found["alerte_accuse"].atteinte == start
    assert found["alerte_retour"].limite == date(2027, 2, 2)
    assert not found["alerte_retour"].retard
    late = {e.delai.code: e for e in echeances("alerte", {"recu": start, "accuse": start}, date(2027, 2, 3))}
    assert late["alerte_retour"].retard
    closed = {"recu": start, "accuse": start, "clos": date(2027, 3, 1)}
    after = {e.delai.code: e for e in echeances("alerte", closed, date(2028, 1, 1))}
    assert after["alerte_retour"].retard, "closing does not wash a delay that was missed"
    assert after["alerte_retour"].atteinte == date(2027, 3, 1)


def test_every_state_reaches_the_end_and_nothing_follows_it():
    for code in etats.ETATS:
        seen, todo = set(), [code]
        while todo:
            current = todo.pop()
            if current not in seen:
                seen.add(current)
                todo.extend(etats.ETATS[current].suivants)
        assert etats.LAST in seen
        assert seen <= set(etats.ETATS)
    assert not etats.may_follow("clos", "recevable")
    assert not etats.may_follow("inconnu", "clos")


@given(st.sampled_from(sorted(conservation.DAYS_KEPT)), DAYS, DAYS, st.one_of(st.none(), DAYS))
def test_never_purged_early_nor_while_the_author_writes(outcome, closed, today, wrote):
    planned = conservation.purge_date(outcome, closed)
    if conservation.may_purge(planned, wrote, today):
        assert (today - closed).days >= conservation.DAYS_KEPT[outcome]
        assert wrote is None or wrote + timedelta(days=30) < today
    assert not conservation.may_purge(None, wrote, today)
    assert set(conservation.DAYS_KEPT) == set(dict(words.ISSUES))


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 30), max_size=8))
def test_no_hidden_count_can_be_found_by_subtraction(counts):
    shown = protect(counts)
    hidden = [name for name, value in shown.items() if value is None]
    assert all(value is None or value == counts[name] for name, value in shown.items())
    assert all(name in hidden for name, count in counts.items() if 0 < count < THRESHOLD)
    if hidden and any(count > 0 for name, count in counts.items() if name not in hidden):
        assert len(hidden) >= 2
        assert sum(counts[name] for name in hidden) >= THRESHOLD


def test_the_throttle_counts_by_key_and_forgets():
    now = [0.0]
    cadence = Cadence(2, 10, clock=lambda: now[0])
    assert [cadence.allows("a"), cadence.allows("a"), cadence.allows("a"), cadence.allows("b")] == [
        True,
        True,
        False,
        True,
    ]
    now[0] = 10.0
    assert cadence.allows("a")
    cadence.forget("a")
    assert cadence.allows("a")


@given(st.text(max_size=300))
def test_a_file_name_is_a_plain_name(name):
    kept = clean_name(name)
    assert 0 < len(kept) <= 110
    assert not set(kept) & set('/\\<>:"|?*\r\n\0')
    assert not kept.startswith(".")


@pytest.mark.parametrize("month", [(2026, 3, 29), (2026, 10, 25)])
def test_the_day_of_receipt_is_that_of_paris_also_when_the_clock_changes(month, db):
    """Half past midnight in Paris is still the day before in UTC; an hour that is twice or not there moves nothing."""
    start = datetime(*month, 0, 30, tzinfo=ZoneInfo("Europe/Paris"))
    world()
    cell = Cellule.objects.get(nom="Cellule d'écoute")
    made = deposit(Depot(cell, "avdhas", {"recit": "x"}, None, "", ()), start)
    report = Signalement.objects.get(pk=made.signalement.pk)
    assert report.recu == report.accuse == date(*month)
    assert start.astimezone(UTC).date() == date(*month) - timedelta(days=1)
    (reading,) = [e for e in report.echeances(date(*month)) if e.delai.code == "avdhas_lecture"]
    assert reading.limite == add_working_days(date(*month), 10)
