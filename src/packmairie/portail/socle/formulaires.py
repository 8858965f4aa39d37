# SPDX-License-Identifier: GPL-3.0-or-later
"""How forms are shown: a label for each field, its help and its error tied to it, groups in fieldsets."""

from __future__ import annotations

from django.forms.renderers import DjangoTemplates


class AccessibleRenderer(DjangoTemplates):
    """Renders forms and fields with the templates of the ``socle``."""

    form_template_name = "socle/formulaire.html"
    field_template_name = "socle/champ.html"
