# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell to try the service on one machine, with accounts that are plainly examples."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import pyotp
from django.core.management.base import BaseCommand, CommandError, CommandParser

from packmairie.portail.signalement import comptes
from packmairie.portail.signalement.models import Adhesion, Cellule, Membre
from packmairie.portail.signalement.scellement.secours import new_rescue

PASSWORD = "exemple de mot de passe"  # noqa: S105 - shown to who tries


class Command(BaseCommand):
    """Makes two cells, three members and a few communes, in an empty database only."""

    help = "Remplir une base vide avec une cellule d'exemple, pour essayer."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the communes."""
        parser.add_argument("--une-fois", action="store_true", help="ne rien faire si la base n'est pas vide")
        parser.add_argument("--communes", default="62708,62633,59529", help="codes INSEE, séparés par des virgules")

    def handle(self, **options: Any) -> None:
        """Fill the database and print how to enter."""
        if Cellule.objects.exists():
            if options["une_fois"]:
                return
            raise CommandError("la base n'est pas vide → donner un autre dossier avec --data")
        _identity, recipient = new_rescue()
        neighbour = Cellule.objects.create(nom="Cellule voisine (exemple)", centre="CdG voisin", cle_secours=recipient)
        cell = Cellule.objects.create(
            nom="Cellule d'écoute (exemple)", centre="CdG exemple", cle_secours=recipient, deport=neighbour
        )
        self._member(neighbour, "voisin.exemple", True, None)
        founder = self._member(cell, "garant.exemple", True, None)
        self._member(cell, "membre.exemple", False, founder)
        for insee in options["communes"].split(","):
            Adhesion.objects.create(cellule=cell, insee=insee.strip(), debut=date(2026, 1, 1))

    def _member(
        self, cell: Cellule, login: str, custodian: bool, voucher: tuple[Membre, bytes] | None
    ) -> tuple[Membre, bytes]:
        member = Membre.objects.create(cellule=cell, identifiant=login, nom=login.title(), garant=custodian)
        made = comptes.set_password(member, PASSWORD)
        comptes.activate(member, made.private)
        member.refresh_from_db()
        if voucher is not None:
            comptes.confirm(*voucher, member)
        code = pyotp.TOTP(made.totp).at(time.time())
        self.stdout.write(f"{login} : mot de passe « {PASSWORD} », clé TOTP {made.totp} (code de l'instant : {code})")
        return member, made.private
