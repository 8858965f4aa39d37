# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a closed report is kept, by outcome, as data.

CNIL, référentiel of 6 July 2023 (délibération 2023-064) gives principles and no fixed figure; the two months for
« sans suite » come from its earlier doctrine (AU-004). Each figure can be changed by the CdG's data protection officer.
"""

from __future__ import annotations

from datetime import date, timedelta

DAYS_KEPT: dict[str, int] = {
    "hors_champ": 0,
    "sans_suite": 60,
    "mesures": 365,
    "discipline": 3 * 365,
    "justice": 6 * 365,
}
"""Days after closing. « discipline »: L532-2 CGFP bars proceedings three years after the facts are known; « justice »:
the limitation of délits is six years (article 8 CPP)."""
QUIET_DAYS = 30
"""Never purge while the author wrote within these days."""


def purge_date(outcome: str, closed: date) -> date:
    """Given an outcome and the day of closing, return the first day on which the report may be purged."""
    return closed + timedelta(days=DAYS_KEPT[outcome])


def may_purge(planned: date | None, author_wrote: date | None, today: date) -> bool:
    """Tell whether a report whose purge is planned may go today: never within 30 days of a word of its author."""
    if planned is None or today < planned:
        return False
    return author_wrote is None or (today - author_wrote).days > QUIET_DAYS
