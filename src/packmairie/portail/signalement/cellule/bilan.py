# SPDX-License-Identifier: GPL-3.0-or-later
"""The yearly bilan: tables of counts, each protected, of what was closed in the year."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from packmairie.portail.signalement.models import Cellule, LigneStatistique
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.regles.effectifs import HIDDEN, THRESHOLD, protect


@dataclass(frozen=True)
class Tableau:
    """One table: its title and its (label, shown count) lines."""

    titre: str
    lignes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bilan:
    """What may be published of a year."""

    annee: int
    total: str
    tableaux: tuple[Tableau, ...]


_EVERY_CATEGORY = words.CATEGORIES[words.AVDHAS] + words.CATEGORIES[words.ALERTE]
_TABLES = (
    ("categorie", "Qualification", _EVERY_CATEGORY),
    ("issue", "Issue", words.ISSUES),
    ("taille", "Taille de la commune", ()),
    ("origine", "Réception", words.ORIGINES),
    ("duree", "Durée du traitement", ()),
)


def yearly(cell: Cellule, year: int) -> Bilan:
    """Given a cell and a year, return its bilan. Under 5 reports in all, nothing is broken down."""
    lines = list(LigneStatistique.objects.filter(cellule=cell, annee=year))
    if len(lines) < THRESHOLD:
        return Bilan(year, "0" if not lines else HIDDEN, ())
    tables = []
    for field, title, choices in _TABLES:
        counts = Counter(str(getattr(line, field)) for line in lines)
        shown = protect(counts)
        tables.append(
            Tableau(
                title,
                tuple(
                    (words.label(choices, code), HIDDEN if shown[code] is None and counts[code] < THRESHOLD
                     else "masqué" if shown[code] is None else str(shown[code]))
                    for code in sorted(counts)
                ),
            )
        )  # fmt: skip
    return Bilan(year, str(len(lines)), tuple(tables))
