# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a person run the surveys."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Makes the account, or gives it another password."""

    help = "Donner à une personne le droit de conduire les enquêtes ; son mot de passe est affiché une fois."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the name."""
        parser.add_argument("nom", help="nom de connexion, par exemple prenom.nom")

    def handle(self, **options: Any) -> None:
        """Print the login and the password."""
        password = secrets.token_urlsafe(18)
        user, _made = User.objects.get_or_create(username=options["nom"])
        user.set_password(password)
        user.save()
        user.user_permissions.add(Permission.objects.get(codename="gerer", content_type__app_label="sondage"))
        self.stdout.write(f"{user.username} : {password}")
