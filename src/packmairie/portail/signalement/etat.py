# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the service, in counts: what a technician may know."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone

from packmairie.portail.signalement import journal, notifications
from packmairie.portail.signalement.competence import competent_cell, entitled
from packmairie.portail.signalement.models import Adhesion, Cellule, Signalement


def counts(cell: Cellule) -> dict[str, int]:
    """Given a cell, return how many reports are open, late, near their term, or not examined yet."""
    today = timezone.localdate()
    opened = Signalement.objects.filter(cellule=cell, clos__isnull=True)
    clocks = [clock for report in opened for clock in report.echeances(today) if clock.atteinte is None]
    unread = [report.recu for report in opened if report.etat == "accuse"]
    silent = [report.recu for report in opened if report.accuse is None]
    return {
        "ouverts": len(opened),
        "retards_legaux": sum(clock.retard and clock.delai.legal for clock in clocks),
        "retards": sum(clock.retard for clock in clocks),
        "proches": sum(clock.proche for clock in clocks),
        "non_accuses": len(silent),
        "plus_ancien_non_accuse_jours": max(((today - day).days for day in silent), default=0),
        "a_lire": len(unread),
        "plus_ancien_a_lire_jours": max(((today - day).days for day in unread), default=0),
        "avis": notifications.waiting(cell.pk),
    }


def state() -> dict[str, Any]:
    """Return the state of each cell, and for each commune whether its channel takes reports today."""
    today = timezone.localdate()
    return {
        "jour": today.isoformat(),
        "cellules": [
            {
                "nom": cell.nom,
                "membres": len(entitled(cell)),
                "garants": sum(member.garant for member in entitled(cell)),
                "journal_intact": journal.first_fault(cell) is None,
                **counts(cell),
            }
            for cell in Cellule.objects.order_by("nom")
        ],
        "communes": {
            insee: {"verdict": found.verdict, "cellule": _ordinary_cell(insee, today)}
            for insee in sorted(set(Adhesion.objects.values_list("insee", flat=True)))
            for found in [competent_cell(insee, "avdhas", "collegue", today)]
        },
    }


def _ordinary_cell(insee: str, today: date) -> str:
    """Return the name of the cell of a commune today, whether or not it can take reports."""
    adhesion = Adhesion.current(insee, "avdhas", today)
    return adhesion.cellule.nom if adhesion else ""
