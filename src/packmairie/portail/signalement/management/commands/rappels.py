# SPDX-License-Identifier: GPL-3.0-or-later
"""Remind the members of what waits; run every working day."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from packmairie.portail.signalement import notifications
from packmairie.portail.signalement.competence import entitled
from packmairie.portail.signalement.etat import counts
from packmairie.portail.signalement.models import Cellule


class Command(BaseCommand):
    """Sends one neutral message to each member of a cell where something is late, unread or stuck."""

    help = "Rappeler aux membres, par un courriel neutre, que des éléments attendent."

    def handle(self, **options: object) -> None:
        """Count and tell."""
        sent = failed = 0
        for cell in Cellule.objects.all():
            found = counts(cell)
            waiting = found["retards"] + found["proches"] + found["a_lire"] + found["avis"]
            for member in entitled(cell) if waiting else []:
                if notifications.remind(member, waiting):
                    sent += 1
                else:
                    failed += bool(member.courriel)
        self.stdout.write(f"{sent} rappel(s) envoyés, {failed} en échec")
