# SPDX-License-Identifier: GPL-3.0-or-later
"""What the applications share: the page, the look, the errors."""

from __future__ import annotations

from django.apps import AppConfig


class Socle(AppConfig):
    """Templates, stylesheet and form rendering."""

    name = "packmairie.portail.socle"
    label = "socle"
