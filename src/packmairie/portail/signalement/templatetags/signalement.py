# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the pages: codes in groups, days in French, names of states."""

from __future__ import annotations

from datetime import date, datetime

from django import template
from django.utils.formats import date_format

from packmairie.portail.signalement.regles.etats import ETATS
from packmairie.portail.signalement.scellement import code as codes

register = template.Library()


@register.filter
def groupes(text: str) -> str:
    """Return a number or a code in groups of four."""
    return codes.groups(str(text))


@register.filter
def nom_etat(code: str) -> str:
    """Return the name of a state."""
    return ETATS[code].nom if code in ETATS else str(code)


@register.filter
def jour(value: object) -> str:
    """Given an ISO date or moment, or a date, return it in French; an empty text when it is none."""
    try:
        moment = value if isinstance(value, date) else datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    timed = isinstance(moment, datetime) and (moment.hour or moment.minute)
    return date_format(moment, "j F Y à H:i" if timed else "j F Y")
