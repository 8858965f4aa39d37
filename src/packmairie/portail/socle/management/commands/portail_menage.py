# SPDX-License-Identifier: GPL-3.0-or-later
"""The housekeeping of each night: reports whose time is over, sessions that have ended, ballots that are mixed."""

from __future__ import annotations

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Runs ``purger``, ``clearsessions`` and ``sondage_melanger`` in one process: starting takes longest."""

    help = "Effacer les dossiers au terme de leur conservation et les sessions échues, mêler les urnes des enquêtes."

    def handle(self, **options: object) -> None:
        """Purge, clear, mix."""
        call_command("purger", stdout=self.stdout)
        call_command("clearsessions")
        call_command("sondage_melanger")
