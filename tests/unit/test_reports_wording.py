# SPDX-License-Identifier: GPL-3.0-or-later
"""The French words of the reports, and text from strangers made safe to print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.model.preuve import State
from packmairie.reports import wording

NOW = datetime(2026, 11, 24, 6, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("elapsed", "words"),
    [
        (timedelta(seconds=-5), "à l'instant"),
        (timedelta(seconds=59), "à l'instant"),
        (timedelta(minutes=3, seconds=50), "il y a 3 min"),
        (timedelta(minutes=59, seconds=59), "il y a 59 min"),
        (timedelta(hours=26), "il y a 26 h"),
        (timedelta(days=2), "il y a 2 j"),
        (timedelta(hours=-1), "dans le futur"),
    ],
)
def test_age(elapsed: timedelta, words: str) -> None:
    assert wording.age(NOW - elapsed, NOW) == words


def test_dates_are_in_french_legal_time_in_winter_and_in_summer() -> None:
    assert wording.long_date(NOW) == "24 novembre 2026 à 7 h 21"
    assert wording.long_date(datetime(2026, 8, 1, 6, 5, tzinfo=UTC)) == "1er août 2026 à 8 h 05"
    assert wording.short_date(NOW) == "24/11/2026 07:21"


def test_dates_say_utc_on_a_machine_without_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "paris", lambda: None)
    assert wording.long_date(NOW) == "24 novembre 2026 à 6 h 21 (UTC)"
    assert wording.short_date(NOW) == "24/11/2026 06:21 UTC"


def test_numbers_agree_as_in_french() -> None:
    assert [wording.count(number, "commune") for number in (0, 1, 2)] == ["0 commune", "1 commune", "2 communes"]
    assert wording.count(22629, "contrôle") == "22\u202f629 contrôles"
    assert wording.enumeration([]) == ""
    assert wording.enumeration(["a"]) == "a"
    assert wording.enumeration(["a", "b", "c"]) == "a, b et c"
    assert wording.enumeration(list("abcdef"), limit=5) == "a, b, c, d, e et 1 autre"
    assert wording.enumeration(list("abcdefg"), limit=5) == "a, b, c, d, e et 2 autres"


def test_every_state_has_a_shape_and_words() -> None:
    shown = {wording.symbol_and_words(state) for state in State}
    assert shown == {"✔ conforme", "✘ non conforme", "? non vérifié"}


def test_names() -> None:
    names = {"62633": "Œuf-en-Ternois"}
    assert wording.commune_label("62633", names) == "Œuf-en-Ternois (62633)"
    assert wording.commune_label("62999", names) == "62999"
    assert wording.commune_label("plateforme", names) == "Plateforme partagée"


def test_alphabetical_order_ignores_accents_and_ligatures() -> None:
    names = ["Zuytpeene", "Œuf-en-Ternois", "Écourt-Saint-Quentin", "Oblinghem", "Eecke", "Offin"]
    assert sorted(names, key=wording.alphabetical_key) == [
        "Écourt-Saint-Quentin",
        "Eecke",
        "Oblinghem",
        "Œuf-en-Ternois",
        "Offin",
        "Zuytpeene",
    ]


def test_natural_order() -> None:
    assert sorted(["rpnt-2.10", "rpnt-2.4", "dkim"], key=wording.natural_key) == ["dkim", "rpnt-2.4", "rpnt-2.10"]


def test_briques_have_titles_and_unknown_ones_come_last() -> None:
    assert wording.brique_title("teletransmission") == "Télétransmission des actes"
    assert wording.brique_title("nouvelle_brique") == "Nouvelle brique"
    assert sorted(["zzz", "messagerie", "aaa", "socle"], key=wording.brique_rank) == [
        "socle",
        "messagerie",
        "aaa",
        "zzz",
    ]


def test_text_that_would_drive_a_terminal_is_made_harmless() -> None:
    assert wording.printable("\x1b[31mrouge\x07") == "\ufffd[31mrouge\ufffd"
    assert wording.printable("a\u202eb") == "a\ufffdb"
    assert wording.printable("deux\nlignes\tici") == "deux lignes ici"
    assert wording.printable("22\u202f629 « œuf »") == "22\u202f629 « œuf »"


@given(st.text())
def test_printable_text_has_no_control_character_and_can_be_written(text: str) -> None:
    shown = wording.printable(text)
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode("utf-8")
    assert wording.printable(shown) == shown
