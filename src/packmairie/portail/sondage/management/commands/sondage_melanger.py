# SPDX-License-Identifier: GPL-3.0-or-later
"""Mix the ballots that have come."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from packmairie.portail.sondage.melange import mix


class Command(BaseCommand):
    """Writes ballots and invitations again, so that nothing in the database tells which came together."""

    help = "Récrire les bulletins scellés dans un ordre qui ne dit rien ; à faire chaque nuit (PostgreSQL)."

    def handle(self, **options: object) -> None:
        """Mix them."""
        mix()
