# SPDX-License-Identifier: GPL-3.0-or-later
"""The official register of communes, carried as package data and read once."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from packmairie.registry.slug import slug

MILLESIME = 2026
"""Year of every figure of the table (see data/ATTRIBUTION.md)."""
SOURCE = "INSEE (COG, populations légales), DGCL, La Poste, SIRENE, IGN, millésime 2026, Licence Ouverte 2.0"
_FILE = Path(__file__).with_name("data") / "communes_hauts_de_france.csv"


class Row(NamedTuple):
    """One commune of the register. ``population`` is the municipal population; coordinates are degrees WGS84."""

    insee: str
    nom: str
    departement: str
    arrondissement: str
    epci_siren: str
    epci_nom: str
    siren: str
    siret: str
    codes_postaux: tuple[str, ...]
    population: int
    latitude: float
    longitude: float


@cache
def table() -> Mapping[str, Row]:
    """Return every commune of the register by INSEE code, in the order of the codes."""
    lines = csv.reader(_FILE.read_text(encoding="utf-8").splitlines())
    header = tuple(next(lines))
    if header != Row._fields:
        raise RuntimeError(f"unexpected columns in the register: {header}")
    rows = {
        cells[0]: Row._make((*cells[:8], tuple(cells[8].split()), int(cells[9]), float(cells[10]), float(cells[11])))
        for cells in lines
    }
    return MappingProxyType(rows)


@cache
def by_slug() -> Mapping[str, tuple[Row, ...]]:
    """Return the communes of the register by the slug of their name; a slug shared by homonyms has several."""
    groups: dict[str, list[Row]] = {}
    for row in table().values():
        groups.setdefault(slug(row.nom), []).append(row)
    return MappingProxyType({label: tuple(rows) for label, rows in groups.items()})
