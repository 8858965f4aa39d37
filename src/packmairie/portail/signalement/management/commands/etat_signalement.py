# SPDX-License-Identifier: GPL-3.0-or-later
"""What `packmairie status` reads over SSH: counts, never content."""

from __future__ import annotations

import json

from django.core.management.base import BaseCommand

from packmairie.portail.signalement.etat import state


class Command(BaseCommand):
    """Prints the state of the channel as JSON."""

    help = "Afficher l'état du service (effectifs et délais, aucun contenu) en JSON."

    def handle(self, **options: object) -> None:
        """Print it."""
        self.stdout.write(json.dumps(state(), ensure_ascii=False, indent=2))
