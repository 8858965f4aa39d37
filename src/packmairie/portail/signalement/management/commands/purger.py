# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the reports whose time is over; run every day."""

from __future__ import annotations

from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.utils import timezone

from packmairie.portail.signalement import journal
from packmairie.portail.signalement.models import SessionScellee, Signalement
from packmairie.portail.signalement.regles.conservation import may_purge
from packmairie.portail.signalement.sessions import IDLE


class Command(BaseCommand):
    """Purges what is due; its statistical line was written when it was closed."""

    help = "Effacer les dossiers clos arrivés au terme de leur conservation, et les sessions oubliées."

    def handle(self, **options: object) -> None:
        """Purge each report in its own transaction; log it."""
        today, done, kept = timezone.localdate(), 0, 0
        for report in Signalement.objects.filter(purge_prevue__lte=today).select_related("cellule"):
            with transaction.atomic():
                locked = Signalement.objects.select_for_update().get(pk=report.pk)
                if not may_purge(locked.purge_prevue, locked.auteur_a_ecrit, today):
                    kept += 1
                    continue
                journal.write(report.cellule, journal.SYSTEM, "purge", report, report.issue)
                locked.delete()
                done += 1
        SessionScellee.objects.filter(vue__lt=timezone.now() - IDLE).delete()
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.stdout.write(f"{done} dossier(s) effacés, {kept} gardés parce que l'auteur vient d'écrire")
