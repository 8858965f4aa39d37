# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commune that leaves may take: anonymous lines alone, and those are its cells' and not its own.

The line that stays of a closed report names no commune (see :class:`LigneStatistique`): none can be sorted out by it.
A commune therefore takes the yearly tables of the cells that it was entrusted to, where no count is under 5.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from django.utils import timezone

from packmairie.portail.signalement.cellule.bilan import yearly
from packmairie.portail.signalement.models import Adhesion, LigneStatistique


def taken_by(insee: str) -> dict[str, Any]:
    """Given a commune, return its adhesions and, for each cell and each year of them with lines, its bilan."""
    today = timezone.localdate()
    adhesions = list(Adhesion.objects.select_related("cellule").filter(insee=insee).order_by("dispositif", "debut"))
    years = {(one.cellule, year) for one in adhesions for year in _years(one, today)}
    return {
        "insee": insee,
        "jour": today.isoformat(),
        "adhesions": [
            {
                "cellule": one.cellule.nom,
                "centre": one.cellule.centre,
                "dispositif": one.dispositif,
                "debut": one.debut.isoformat(),
                "fin": one.fin.isoformat() if one.fin else None,
            }
            for one in adhesions
        ],
        "bilans": [
            {"cellule": cell.nom, **asdict(yearly(cell, year))}
            for cell, year in sorted(years, key=lambda found: (found[0].nom, found[1]))
        ],
    }


def _years(adhesion: Adhesion, today: date) -> list[int]:
    """Return the years, of those that an adhesion ran in, in which its cell closed anything."""
    last = min(adhesion.fin or today, today).year
    return list(
        LigneStatistique.objects.filter(cellule=adhesion.cellule, annee__range=(adhesion.debut.year, last))
        .order_by("annee")
        .values_list("annee", flat=True)
        .distinct()
    )
