# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain name proposed for a commune; whether it is free, only the registrar knows."""

from __future__ import annotations

from packmairie.registry.slug import slug, with_suffix
from packmairie.registry.table import Row, by_slug

TOP_LEVEL = "fr"


def propose_domain(row: Row) -> str:
    """Given a commune of the register, return the domain to propose for it, e.g. ``riencourt-les-bapaume.fr``.

    When another commune of the register has the same slug the department is added
    (``saint-aubin-59.fr``), and when two homonyms share the department, the INSEE code.
    """
    label = slug(row.nom)
    homonyms = [other for other in by_slug().get(label, ()) if other.insee != row.insee]
    if not homonyms:
        return f"{label}.{TOP_LEVEL}"
    numbered = with_suffix(label, row.departement.lower())
    if any(other.departement == row.departement for other in homonyms) or numbered in by_slug():
        numbered = with_suffix(label, row.insee.lower())
    return f"{numbered}.{TOP_LEVEL}"
