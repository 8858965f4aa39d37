# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening hours as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.site_mairie.opening_hours import (
    Closure,
    parse_closure,
    parse_days,
    parse_slots,
    parse_text,
    spoken_slot,
    week_of,
)

MORNING, AFTERNOON = (540, 720), (840, 1050)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("lundi", (0,)),
        ("Lundi, jeudi", (0, 3)),
        ("LUNDI et JEUDI", (0, 3)),
        ("lundi au vendredi", (0, 1, 2, 3, 4)),
        ("du mardi au jeudi", (1, 2, 3)),
        ("lundi-mercredi", (0, 1, 2)),
        ("samedis", (5,)),
        ("lun. mar.", None),
        ("lun., mar.", (0, 1)),
        ("tous les jours", (0, 1, 2, 3, 4, 5, 6)),
        ("vendredi au lundi", None),
        ("lundredi", None),
        ("", None),
        ("l", None),
    ],
)
def test_days(text, days):
    if days is None:
        with pytest.raises(ValueError, match="jour"):
            parse_days(text)
    else:
        assert parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("9h-12h", (MORNING,)),
        ("9h - 12h, 14h-17h30", (MORNING, AFTERNOON)),
        ("9 h à 12 h et 14 h à 17 h 30", (MORNING, AFTERNOON)),
        ("de 9h à 12h puis de 14h à 17h30", (MORNING, AFTERNOON)),
        ("09:00–12:00 ; 14:00–17:30", (MORNING, AFTERNOON)),
        ("9h-midi", (MORNING,)),
        ("Fermé", ()),
        ("fermée", ()),
        ("20h-24h", ((1200, 1440),)),
        ("12h-9h", None),
        ("9h-9h", None),
        ("9h-12h, 11h-14h", None),
        ("9h-25h", None),
        ("9h75-10h", None),
        ("9h", None),
        ("le matin", None),
        ("", None),
        ("8h-9h,10h-11h,12h-13h,14h-15h,16h-17h", None),
    ],
)
def test_slots(text, slots):
    if slots is None:
        with pytest.raises(ValueError, match=r"contient|ne contient"):
            parse_slots(text)
    else:
        assert parse_slots(text) == slots


def test_a_whole_text():
    hours = parse_text(
        "# commentaire\n\nLundi, jeudi : 9h-12h, 14h-17h30\nMardi 9h-12h\nSamedi: fermé\n"
        "Fermeture : du 24/12/2026 au 02/01/2027 (congés)\nFermeture : 11/11/2026\nNote : sur rendez-vous\n"
    )
    assert hours.week[0] == hours.week[3] == (MORNING, AFTERNOON)
    assert hours.week[1] == (MORNING,)
    assert hours.week[5] == ()
    assert hours.closures[1] == Closure(date(2026, 12, 24), date(2027, 1, 2), "congés")
    assert hours.closures[0].first == hours.closures[0].last
    assert hours.note == "sur rendez-vous"
    assert "Mo 09:00-12:00" in hours.schema()
    assert [closure.reason for closure in hours.upcoming(date(2026, 11, 24))] == ["congés"]
    assert spoken_slot(AFTERNOON) == "14\u00a0h\u00a0–\u00a017\u00a0h\u00a030"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "aucune ligne"),
        ("bonjour", "bonjour"),
        ("Lundi : 9h-12h\nLundi : 14h-17h", "deux fois"),
        ("Fermeture : du 02/01/2027 au 24/12/2026", "avant d'avoir commencé"),
        ("Fermeture : 31/02/2026", "n'existe pas"),
        ("Fermeture : bientôt", "ne se lit pas"),
        ("<script>alert(1)</script>", "script"),
        ("\n".join(f"Lundi : {n}h-{n + 1}h" for n in range(60)), "plus de 40 lignes"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, told):
    with pytest.raises(ValueError, match=told):
        parse_text(text)


@pytest.mark.parametrize(
    ("text", "first", "last", "reason"),
    [
        ("du 24/12/2026 au 02/01/2027 (congés)", (2026, 12, 24), (2027, 1, 2), "congés"),
        ("le 11 novembre 2026", (2026, 11, 11), (2026, 11, 11), ""),
        ("1er mai 2027", (2027, 5, 1), (2027, 5, 1), ""),
        (
            "du lundi 3 août 2026 au vendredi 14 août 2026 (vacances (été))",
            (2026, 8, 3),
            (2026, 8, 14),
            "vacances (été)",
        ),
        ("2026-12-24 - 2027-01-02", (2026, 12, 24), (2027, 1, 2), ""),
        ("24.12.2026 à 25.12.2026", (2026, 12, 24), (2026, 12, 25), ""),
        ("24 décembre", None, None, ""),
        ("du 1 au 2 au 3", None, None, ""),
        ("24/12/2026 (sans fin", None, None, ""),
    ],
)
def test_closures(text, first, last, reason):
    if first is None:
        with pytest.raises(ValueError, match="ne se lit pas"):
            parse_closure(text)
    else:
        assert parse_closure(text) == Closure(date(*first), date(*last), reason)


def test_a_day_twice_is_refused():
    with pytest.raises(ValueError, match="mercredi"):
        week_of([("lundi au vendredi", "9h-12h"), ("mercredi", "14h-16h")])


@given(st.text(max_size=80))
def test_any_text_ends_well(text):
    for read in (parse_days, parse_slots, parse_text):
        with suppress(ValueError):
            read(text)
