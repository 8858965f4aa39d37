# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cell receives a report: from the commune, the dispositif, the day, and who is accused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from packmairie.portail.signalement.models import Adhesion, Cellule, Membre
from packmairie.portail.signalement.regles.vocabulaire import CONFLICTS
from packmairie.portail.signalement.scellement import signature
from packmairie.registry.table import Row, table

Verdict = Literal["ordinaire", "deport", "sans_deport", "non_adherent", "indisponible"]
SIZES = ((100, "moins de 100 hab."), (500, "100 à 499 hab."), (1000, "500 à 999 hab."), (10_000, "1 000 à 9 999 hab."))


@dataclass(frozen=True)
class Competence:
    """The answer: the cell that receives (None: nobody here), and why."""

    cellule: Cellule | None
    verdict: Verdict


def entitled(cell: Cellule) -> list[Membre]:
    """Return the members to whom a new report may be sealed: active, and vouched for by the signature of the cell.

    A member added in the database by a technician has no such signature, so that nothing is ever sealed to him.
    """
    if cell.cle_verification is None:
        return []
    members = cell.membres.filter(actif=True, cle_publique__isnull=False, confirmation__isnull=False)
    return [m for m in members if vouched(cell, m)]


def vouched(cell: Cellule, member: Membre) -> bool:
    """Tell whether the cell's signature says that this key, with this role, is that of this member."""
    if cell.cle_verification is None or member.cle_publique is None or member.confirmation is None:
        return False
    statement = signature.member_statement(cell.pk, member.pk, bytes(member.cle_publique), member.garant)
    return signature.verifies(statement, bytes(member.confirmation), bytes(cell.cle_verification))


def competent_cell(
    insee: str, dispositif: str, accused: str, today: date, *, accept_conflict: bool = False
) -> Competence:
    """Given a commune, a dispositif, who is accused and the day, return which cell receives the report.

    When the accused is the mayor or someone of the centre de gestion, it is the cell that stands in. Where there is
    none the author may still choose the ordinary one, knowing it (``accept_conflict``).
    """
    adhesion = Adhesion.current(insee, dispositif, today)
    if adhesion is None or insee not in table():
        return Competence(None, "non_adherent")
    cell = adhesion.cellule
    verdict: Verdict = "ordinaire"
    if accused in CONFLICTS:
        if cell.deport is not None:
            cell, verdict = cell.deport, "deport"
        elif not accept_conflict:
            return Competence(None, "sans_deport")
    return Competence(cell, verdict) if entitled(cell) else Competence(None, "indisponible")


def commune(insee: str) -> Row | None:
    """Return the commune of the register, or None."""
    return table().get(insee)


def size_class(insee: str) -> str:
    """Given an INSEE code, return the size class of the commune, for statistics."""
    row = table().get(insee)
    if row is None:
        return "inconnue"
    return next((name for limit, name in SIZES if row.population < limit), "10 000 hab. et plus")
