# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing to the hash-chained log of a cell, and verifying it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from packmairie.portail.signalement.models import Cellule, Journal, Membre, Signalement
from packmairie.portail.signalement.scellement import chaine

AUTHOR = "auteur"
SYSTEM = "système"


def write(
    cell: Cellule, actor: Membre | str, action: str, subject: Signalement | Membre | None = None, details: str = ""
) -> None:
    """Given who does what on which report or member of a cell, add a line to its log.

    What an author does is dated by the day alone. ``details`` never holds content: a state, a count, a digest.
    """
    with transaction.atomic():
        # The lock on the cell orders the writers: two lines cannot follow the same one.
        Cellule.objects.select_for_update().get(pk=cell.pk)
        last = Journal.objects.filter(cellule=cell).order_by("-numero").first()
        number, previous = (last.numero + 1, last.empreinte) if last else (1, chaine.START)
        now = timezone.now()
        when = now.date().isoformat() if actor == AUTHOR else now.isoformat(timespec="seconds")
        name = actor.identifiant if isinstance(actor, Membre) else actor
        about = subject.identifiant if isinstance(subject, Membre) else subject.repere if subject else ""
        digest = chaine.digest(number, when, name, action, about, details, previous)
        Journal.objects.create(
            cellule=cell, numero=number, quand=when, acteur=name, action=action, sujet=about, details=details,
            precedent=previous, empreinte=digest,
        )  # fmt: skip


def first_fault(cell: Cellule) -> int | None:
    """Given a cell, return the number of the first line of its log that was tampered with, or None."""
    lines = Journal.objects.filter(cellule=cell).order_by("numero").iterator()
    return chaine.first_fault(
        chaine.Link(
            line.numero, line.quand, line.acteur, line.action, line.sujet, line.details, line.precedent, line.empreinte
        )
        for line in lines
    )


def head(cell: Cellule) -> tuple[int, str]:
    """Given a cell, return the number and the digest of the last line of its log."""
    last = Journal.objects.filter(cellule=cell).order_by("-numero").first()
    return (last.numero, last.empreinte) if last else (0, chaine.START)
