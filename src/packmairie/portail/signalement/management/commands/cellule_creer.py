# SPDX-License-Identifier: GPL-3.0-or-later
"""Create a cell, and invite its founder."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from packmairie.portail.signalement import comptes
from packmairie.portail.signalement.models import Cellule, Membre
from packmairie.portail.signalement.scellement import code as codes
from packmairie.portail.signalement.scellement.secours import is_recipient


class Command(BaseCommand):
    """Creates a cell and its first custodian, who will found it when he accepts his invitation."""

    help = "Créer une cellule et inviter son premier garant."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("nom")
        parser.add_argument("--centre", required=True, help="Centre de gestion")
        parser.add_argument("--secours", required=True, metavar="age1…", help="destinataire de la clé de secours")
        parser.add_argument("--garant", required=True, metavar="IDENTIFIANT")
        parser.add_argument("--nom-garant", required=True)
        parser.add_argument("--courriel-garant", default="")
        parser.add_argument("--deport-de", metavar="NOM", help="cellule dont celle-ci reçoit les conflits d'intérêts")

    def handle(self, **options: Any) -> None:
        """Create it all or nothing."""
        if not is_recipient(options["secours"]):
            raise CommandError("--secours: ce n'est pas un destinataire age → le créer avec cle_secours")
        with transaction.atomic():
            cell = Cellule.objects.create(nom=options["nom"], centre=options["centre"], cle_secours=options["secours"])
            founder = Membre.objects.create(
                cellule=cell, identifiant=options["garant"], nom=options["nom_garant"], garant=True,
                courriel=options["courriel_garant"],
            )  # fmt: skip
            if options["deport_de"]:
                changed = Cellule.objects.filter(nom=options["deport_de"]).update(deport=cell)
                if changed != 1:
                    raise CommandError(f"{options['deport_de']}: {changed} cellule(s) de ce nom → vérifier le nom")
            code = comptes.invite(founder)
        self.stdout.write(f"Cellule {cell.nom} créée. Invitation de {founder.identifiant} : {codes.groups(code)}")
        self.stdout.write(
            "À remettre en main propre ; elle s'utilise à l'adresse /cellule/invitation/ dans les 7 jours."
        )
