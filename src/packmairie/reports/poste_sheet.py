# SPDX-License-Identifier: GPL-3.0-or-later
"""The handover sheet: one page of paper for each agent, its passwords on a part that tears off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

ROW_MILLIMETRES = 10.5
STUB_MILLIMETRES = 20
"""Height of the tear-off part: its title and its foot, then each password."""


@dataclass(frozen=True)
class ShownService:
    """A service as the sheet names it."""

    title: str
    shown: str


@dataclass(frozen=True)
class ShownPoste:
    """A workstation as the sheet names it."""

    nom: str
    texte: str


@dataclass(frozen=True, repr=False)
class ShownSecret:
    """A password of the tear-off part; it has no repr, so that no traceback shows it."""

    titre: str
    valeur: str
    note: str


@dataclass(frozen=True)
class SheetPage:
    """Everything that one agent's page says."""

    commune: str
    mairie: str
    insee: str
    agent: str
    date: str
    operateur: str
    telephone: str
    courriel: str
    assistance: str
    postes: tuple[ShownPoste, ...]
    services: tuple[ShownService, ...]
    debut: tuple[str, ...]
    jour: tuple[str, ...]
    secrets: tuple[ShownSecret, ...]

    @property
    def noms(self) -> str:
        """The names of the workstations, in a sentence."""
        return " ou ".join(poste.nom for poste in self.postes)


def sheet_html(pages: Sequence[SheetPage]) -> str:
    """Given one page an agent, return the document that is printed."""
    environment = Environment(
        loader=PackageLoader("packmairie.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typo"] = typographic
    rows = max(len(page.secrets) for page in pages)
    return environment.get_template("fiche.html.j2").render(
        pages=pages,
        commune=pages[0].commune,
        agent=", ".join(page.agent for page in pages),
        talon=STUB_MILLIMETRES + ROW_MILLIMETRES * rows,
    )


def typographic(text: str) -> str:
    """Return a French text with the spaces that no line may end on, and curly apostrophes."""
    text = text.replace("'", "’")
    return re.sub(r" (?=[:;?!»])|(?<=«) ", "\u00a0", text)
