# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper of the channel, made from templates for one commune and its cell: printable HTML, nothing remote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import segno
from django.template.loader import render_to_string

from packmairie.portail.signalement.models import Cellule
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.regles.conservation import DAYS_KEPT
from packmairie.portail.signalement.regles.delais import DELAIS
from packmairie.portail.signalement.scellement import signature
from packmairie.registry.table import Row


@dataclass(frozen=True)
class Papier:
    """One document: the name of its file, its title."""

    nom: str
    titre: str


PAPERS = (
    Papier("acte", "Modèle d'acte de l'employeur"),
    Papier("convention", "Annexe à la convention d'adhésion"),
    Papier("note", "Note d'information aux agents"),
    Papier("affiche", "Affiche"),
    Papier("registre", "Fiche du registre des traitements"),
    Papier("aipd", "Trame d'analyse d'impact (AIPD)"),
    Papier("lettres", "Lettres types"),
)


def make_papers(row: Row, cell: Cellule, address: str, today: date) -> dict[str, str]:
    """Given a commune, its cell, the address of the service and the day, return file names and their HTML."""
    code = segno.make(address, error="m").svg_inline(scale=6, border=2, omitsize=True)
    context = {
        "commune": row, "cellule": cell, "adresse": address, "jour": today, "qr": code,
        "categories": [text for key, text in words.CATEGORIES[words.AVDHAS] if key != "ne_sait_pas"],
        "delais": DELAIS, "conservation": [(words.label(words.ISSUES, key), days) for key, days in DAYS_KEPT.items()],
        "empreinte": signature.fingerprint(bytes(cell.cle_verification or b"")),
        "consentements": [text for _key, text in words.CONSENTEMENTS],
    }  # fmt: skip
    return {
        f"{paper.nom}.html": render_to_string(
            f"signalement/papiers/{paper.nom}.html", {**context, "titre": paper.titre}
        )
        for paper in PAPERS
    }
