# SPDX-License-Identifier: GPL-3.0-or-later
"""Give reports back to a member with the rescue key, when nobody can open them any more."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from packmairie.portail.signalement import coffre, journal
from packmairie.portail.signalement.competence import vouched
from packmairie.portail.signalement.models import Membre, PartCle, Signalement
from packmairie.portail.signalement.scellement import secours
from packmairie.portail.signalement.scellement.enveloppe import Unreadable


class Command(BaseCommand):
    """Reads the identity of the rescue key on the standard input, so that it is in no argument and no file."""

    help = "Rendre à un membre confirmé les dossiers de sa cellule, avec la clé de secours lue sur l'entrée standard."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the member."""
        parser.add_argument("identifiant")

    def handle(self, **options: Any) -> None:
        """Open each part of the safe and seal it to the member; log it."""
        member = Membre.objects.select_related("cellule").filter(identifiant=options["identifiant"], actif=True).first()
        if member is None or not vouched(member.cellule, member):
            raise CommandError("membre inconnu, inactif ou non confirmé → faire confirmer le membre par un garant")
        identity = sys.stdin.readline()
        done = 0
        for report in Signalement.objects.filter(cellule=member.cellule):
            keys = {}
            try:
                for part in PartCle.objects.filter(signalement=report, destinataire="secours"):
                    keys[part.enveloppe] = secours.open_with_identity(bytes(part.scellee), identity)
            except Unreadable:
                raise CommandError(
                    "cette clé n'est pas celle de la cellule → vérifier la clé sortie du coffre"
                ) from None
            with transaction.atomic():
                coffre.grant(coffre.Coffre(report, keys), member, bytes(member.cle_publique or b""))
                journal.write(member.cellule, journal.SYSTEM, "clé de secours", report, member.identifiant)
            done += 1
        self.stdout.write(f"{done} dossier(s) rendus à {member.identifiant}")
