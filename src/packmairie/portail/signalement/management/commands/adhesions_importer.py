# SPDX-License-Identifier: GPL-3.0-or-later
"""Import the adhesions of the communes from a CSV file."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from packmairie.portail.signalement.models import Adhesion, Cellule
from packmairie.portail.signalement.regles.vocabulaire import DISPOSITIFS
from packmairie.registry.table import table


class Command(BaseCommand):
    """Makes the adhesions of a cell equal to a file with the columns insee;dispositif;debut;fin."""

    help = "Importer les adhésions d'une cellule (CSV : insee;dispositif;debut;fin, dates AAAA-MM-JJ)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("cellule")
        parser.add_argument("fichier", type=Path)

    def handle(self, **options: Any) -> None:
        """Read everything, tell every fault, then write everything or nothing."""
        cell = Cellule.objects.filter(nom=options["cellule"]).first()
        if cell is None:
            raise CommandError(f"{options['cellule']}: cellule inconnue → cellule_creer")
        rows, faults = [], []
        with options["fichier"].open(encoding="utf-8-sig", newline="") as lines:
            for number, line in enumerate(csv.DictReader(lines, delimiter=";"), start=2):
                try:
                    if line["insee"] not in table():
                        raise ValueError(f"commune inconnue « {line['insee']} »")
                    if line["dispositif"] not in dict(DISPOSITIFS):
                        raise ValueError(f"dispositif inconnu « {line['dispositif']} »")
                    end = date.fromisoformat(line["fin"]) if line.get("fin") else None
                    rows.append((line["insee"], line["dispositif"], date.fromisoformat(line["debut"]), end))
                except (KeyError, ValueError, TypeError) as error:
                    faults.append(f"{options['fichier']}:{number}: {error} → corriger la ligne")
        if faults:
            raise CommandError("\n".join(faults))
        with transaction.atomic():
            wanted = {(insee, kind, start) for insee, kind, start, _end in rows}
            for old in cell.adhesions.all():
                if (old.insee, old.dispositif, old.debut) not in wanted:
                    old.delete()
            for insee, kind, start, end in rows:
                Adhesion.objects.update_or_create(
                    insee=insee, dispositif=kind, debut=start, defaults={"cellule": cell, "fin": end}
                )
        self.stdout.write(f"{len(rows)} adhésion(s) pour {cell.nom}")
