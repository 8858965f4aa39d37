# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a commune the way a technician remembers it: a piece of its name, or one of its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from functools import cache

from packmairie.registry.slug import fold
from packmairie.registry.table import Row, table


class Rank(IntEnum):
    """How well a commune answers, best first."""

    EXACT = 0
    PREFIX = 1
    WORD = 2
    FRAGMENT = 3


@dataclass(frozen=True)
class Hit:
    """A commune that was found, and how."""

    row: Row
    rank: Rank


_ABBREVIATIONS = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes", "s": "sur"}
_SPACED_NUMBER = re.compile(r"[\d\s.\u00a0\u202f]+")


def search(text: str) -> list[Hit]:
    """Given a piece of a name, an INSEE code, a SIREN, a SIRET or a postal code, return the communes found.

    Accents, ligatures, hyphens and case do not matter, nor spaces in a number, and
    « St » is read as « Saint ». Best answers come first, then names in order.
    """
    number = re.sub(r"\D", "", text) if _SPACED_NUMBER.fullmatch(text) else ""
    found = _by_number(number) if number else _by_name(_spell_out(fold(text)))
    # Five digits may be both a commune's INSEE code and others' postal code: that commune first.
    return sorted(found, key=lambda hit: (hit.rank, hit.row.insee != number, fold(hit.row.nom), hit.row.insee))


def did_you_mean(text: str, most: int = 3) -> list[Row]:
    """Given a text that found nothing, return the communes whose name is written most like it."""
    wanted = _spell_out(fold(text))
    if not wanted or wanted.isdigit():
        return []
    close = get_close_matches(wanted, list(_folded()), n=most, cutoff=0.72)
    if not close:
        words = {word: name for name in reversed(_folded()) for word in name.split()}
        close = [words[word] for word in get_close_matches(wanted, list(words), n=most, cutoff=0.72)]
    return [row for name in close for row in _folded()[name]][:most]


@cache
def _folded() -> dict[str, list[Row]]:
    names: dict[str, list[Row]] = {}
    for row in table().values():
        names.setdefault(fold(row.nom), []).append(row)
    return names


def _spell_out(words: str) -> str:
    return " ".join(_ABBREVIATIONS.get(word, word) for word in words.split())


def _by_number(number: str) -> Iterable[Hit]:
    for row in table().values():
        codes = (row.insee, row.siren, row.siret, *row.codes_postaux)
        if number in codes:
            yield Hit(row, Rank.EXACT)
        elif any(code.startswith(number) for code in codes):
            yield Hit(row, Rank.PREFIX)


def _by_name(wanted: str) -> Iterable[Hit]:
    if not wanted:
        return
    joined = wanted.replace(" ", "")
    for name, rows in _folded().items():
        rank = _rank(name, wanted, joined)
        if rank is not None:
            yield from (Hit(row, rank) for row in rows)


def _rank(name: str, wanted: str, joined: str) -> Rank | None:
    """Tell how a folded name answers folded words (``joined``: the same, without spaces), or None."""
    whole = name.replace(" ", "")
    if joined not in whole:
        words = name.split()
        in_any_order = all(any(word.startswith(piece) for word in words) for piece in wanted.split())
        return Rank.WORD if in_any_order else None
    if whole == joined:
        return Rank.EXACT
    if whole.startswith(joined):
        return Rank.PREFIX
    return Rank.WORD if f" {wanted}" in name else Rank.FRAGMENT
