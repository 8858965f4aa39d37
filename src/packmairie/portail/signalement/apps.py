# SPDX-License-Identifier: GPL-3.0-or-later
"""The reporting channel run by the CdG's cell (L135-6 and R135-1 s. CGFP)."""

from __future__ import annotations

from django.apps import AppConfig


class Signalement(AppConfig):
    """The application ``signalement``."""

    name = "packmairie.portail.signalement"
    label = "signalement"
    default_auto_field = "django.db.models.BigAutoField"
