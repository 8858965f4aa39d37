# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of the register of contracts, the document made of it, and what is found in that document."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path

import pytest

from packmairie.formats.decp.register import Row, convert
from packmairie.formats.decp.rules import Judged, beyond_schema
from packmairie.formats.findings import Level

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "data"
DECP = SCHEMAS / "decp"
official = pytest.mark.skipif(not DECP.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")
TODAY = date(2026, 11, 24)
BUYER = "21620708400015"
HOLDER = "21620633400015"
ROW = {
    "numero": "2026-01",
    "objet": "Réfection de la toiture",
    "cpv": "45261900-3",
    "procedure": "Procédure adaptée",
    "montant": 52300.5,
    "notification": date(2026, 10, 12),
    "duree_mois": 4,
    "ccag": "Travaux",
    "offres_recues": 3,
    "avance": "non",
    "forme_prix": "Forfaitaire",
    "type_prix": ["Définitif ferme"],
    "titulaires": [{"siret": HOLDER}],
    "considerations_sociales": ["Pas de considération sociale"],
    "considerations_environnementales": ["Clause environnementale"],
}
PLACE = {"code": "62708", "typeCode": "Code commune"}


def made(**changes):
    """Return what one row of the register becomes, with changed cells."""
    return convert([Row({**ROW, **changes}, 3)], BUYER, PLACE, {"": TODAY.isoformat()})


def document(**changes):
    """Return the document of one contract, with changed keys."""
    converted = made()
    result = copy.deepcopy(converted.document)
    result["marches"]["marche"][0].update(changes)
    return result


def told(found, level=Level.ERREUR):
    """Return the reasons of the findings of a level."""
    return [finding.reason for finding in found.findings if finding.level is level]


def beyond(**changes):
    """Return what the rules beyond the schema find in a changed document."""
    return beyond_schema(document(**changes), Judged(TODAY, buyer=BUYER), lambda _path: 0)


def schema():
    """Return the official schema."""
    return json.loads((DECP / "schema_decp_v2.0.3.json").read_text(encoding="utf-8"))
