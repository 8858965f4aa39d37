# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a report, and which may follow which."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Etat:
    """One state: what the cell calls it, what the author is told by default, and what may follow."""

    code: str
    nom: str
    explication: str
    suivants: tuple[str, ...]


_AFTER_ADMISSION = ("entretien", "mesures", "orientation", "transmis", "enquete", "suites", "clos")
ETATS: dict[str, Etat] = {
    etat.code: etat
    for etat in (
        Etat("accuse", "Reçu, accusé donné", "Votre signalement est arrivé. La cellule va le lire.",
             ("a_completer", "recevable", "hors_champ", "non_adherent")),
        Etat("a_completer", "À compléter", "La cellule a besoin de précisions pour vous aider.",
             ("recevable", "hors_champ", "non_adherent", "clos")),
        Etat("recevable", "Recevable", "Votre signalement relève bien du dispositif. La cellule s'en occupe.",
             _AFTER_ADMISSION),
        Etat("hors_champ", "Hors champ", "Votre signalement ne relève pas de ce dispositif.", ("recevable", "clos")),
        Etat("non_adherent", "Employeur non adhérent", "Votre employeur n'a pas confié ce dispositif à la cellule.",
             ("recevable", "clos")),
        Etat("entretien", "Entretien", "La cellule vous propose un échange.", _AFTER_ADMISSION),
        Etat("mesures", "Mesures de protection", "Des mesures de protection sont demandées.", _AFTER_ADMISSION),
        Etat("orientation", "Orientation", "La cellule vous oriente vers des professionnels.", _AFTER_ADMISSION),
        Etat("transmis", "Transmis à l'autorité", "Ce que vous avez accepté a été transmis à l'autorité.",
             ("mesures", "orientation", "enquete", "suites", "clos")),
        Etat("enquete", "Enquête administrative", "Une enquête administrative est ouverte.",
             ("mesures", "orientation", "suites", "clos")),
        Etat("suites", "Suites", "Des suites sont données.", ("mesures", "orientation", "clos")),
        Etat("clos", "Clos", "Le traitement de votre signalement est terminé.", ()),
    )
}  # fmt: skip
FIRST = "accuse"
LAST = "clos"
EXAMINED = ("recevable", "hors_champ", "non_adherent")
"""States that answer the question « does it belong here »."""


def may_follow(current: str, wanted: str) -> bool:
    """Tell whether a report in state ``current`` may go to ``wanted``."""
    return current in ETATS and wanted in ETATS[current].suivants
