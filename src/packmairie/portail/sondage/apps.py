# SPDX-License-Identifier: GPL-3.0-or-later
"""The CdG's satisfaction surveys."""

from __future__ import annotations

from django.apps import AppConfig


class Sondage(AppConfig):
    """The application ``sondage``."""

    name = "packmairie.portail.sondage"
    label = "sondage"
    default_auto_field = "django.db.models.BigAutoField"
