# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commune that leaves takes with it of the reporting channel: `packmairie export` keeps what this prints."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from packmairie.portail.signalement.depart import taken_by


class Command(BaseCommand):
    """Prints a commune's adhesions, and the yearly tables of its cells, as JSON."""

    help = "Afficher ce qu'une commune emporte : ses adhésions, et les bilans anonymes de ses cellules (JSON)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the commune."""
        parser.add_argument("insee")

    def handle(self, **options: Any) -> None:
        """Print it."""
        self.stdout.write(json.dumps(taken_by(options["insee"]), ensure_ascii=False, indent=1))
