# SPDX-License-Identifier: GPL-3.0-or-later
"""The receipt, as a text that can be kept."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from packmairie.portail.signalement.models import Cellule
from packmairie.portail.signalement.scellement import code as codes


def receipt_text(number: str, code: str, cell: Cellule, when: datetime) -> str:
    """Given the number, the code, the cell and the moment, return the ``data:`` address of the receipt as a text file.

    It is made in the page: no second request asks for the code.
    """
    text = (
        f"Accusé de réception\n\nReçu le {when:%d/%m/%Y à %H:%M} par {cell.nom}, {cell.centre}.\n"
        f"Numéro : {codes.groups(number)}\nCode : {codes.groups(code)}\n\n"
        "Avec ce numéro et ce code vous lirez les réponses de la cellule et pourrez lui écrire.\n"
        "Personne ne peut retrouver le code s'il est perdu.\n"
    )
    return "data:text/plain;charset=utf-8," + quote(text)
