# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the rescue key of an installation: printed, put into a safe, never on the server."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from packmairie.portail.signalement.scellement.secours import new_rescue


class Command(BaseCommand):
    """Prints the identity and the recipient."""

    help = "Créer une clé de secours. À faire hors ligne : l'identité va au coffre, seul le destinataire va au serveur."
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        """Print both halves."""
        identity, recipient = new_rescue()
        self.stdout.write(f"Identité (à imprimer, au coffre) : {identity}")
        self.stdout.write(f"Destinataire (à donner à cellule_creer) : {recipient}")
