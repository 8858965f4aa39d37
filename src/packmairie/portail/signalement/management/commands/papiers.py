# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the paper of one commune into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from packmairie.portail.signalement.models import Adhesion
from packmairie.portail.signalement.papiers import make_papers
from packmairie.registry.table import table


class Command(BaseCommand):
    """Makes the documents of the employer, to be read again, completed and signed."""

    help = "Écrire les documents d'une commune adhérente (acte, convention, note, affiche, registre, AIPD, lettres)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("insee")
        parser.add_argument("--adresse", required=True, metavar="https://…", help="adresse du service")
        parser.add_argument("--to", type=Path, required=True, metavar="DOSSIER")

    def handle(self, **options: Any) -> None:
        """Write them."""
        adhesion = Adhesion.objects.select_related("cellule").filter(insee=options["insee"]).order_by("-debut").first()
        row = table().get(options["insee"])
        if adhesion is None or row is None:
            raise CommandError(f"{options['insee']}: cette commune n'a pas d'adhésion → adhesions_importer")
        if not options["adresse"].startswith("https://"):
            raise CommandError(f"{options['adresse']}: l'adresse doit être en https → la corriger")
        options["to"].mkdir(parents=True, exist_ok=True)
        for name, text in make_papers(row, adhesion.cellule, options["adresse"], timezone.localdate()).items():
            (options["to"] / name).write_text(text, encoding="utf-8")
            self.stdout.write(str(options["to"] / name))
