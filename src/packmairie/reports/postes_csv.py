# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of machines as a table for the annex of the convention: a spreadsheet opens it by a double click."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from packmairie.reports.status_csv import BYTE_ORDER_MARK, inert

TITLES = {
    "insee": "Code INSEE",
    "commune": "Commune",
    "poste": "Poste",
    "etat": "État",
    "modele": "Modèle déclaré",
    "numero_serie": "N° de série déclaré",
    "modele_lu": "Modèle lu",
    "numero_serie_lu": "N° de série lu",
    "garantie": "Garantie jusqu'au",
    "memoire_go": "Mémoire (Go)",
    "disques": "Disques",
    "sante_disques": "Santé des disques",
    "chiffrement": "Disque chiffré",
    "systeme": "Système",
    "fin_de_support": "Fin de support",
    "lu_le": "Lu le",
}


def machines_csv(machines: Iterable[Mapping[str, Any]]) -> str:
    """Given lines by the keys of :data:`TITLES`, return semicolons, CRLF and a byte order mark, formulas made inert."""
    output = io.StringIO()
    output.write(BYTE_ORDER_MARK)
    writer = csv.writer(output, delimiter=";")
    writer.writerow(TITLES.values())
    for machine in machines:
        writer.writerow([inert(str(machine[key])) for key in TITLES])
    return output.getvalue()
