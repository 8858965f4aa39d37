# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts (€ excluding tax) from which a contract must be published, or put out to tender, by date of notification.

A pack may replace the table (``marches.seuils`` of pack.yml): thresholds change by decree, software should not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Thresholds:
    """The amounts in force since a date, in euros without tax.

    ``decp``: essential data are published (CCP R.2196-1). ``liste``: between this and ``decp``, a yearly list will do.
    ``dispense_travaux``, ``dispense_autres``: below, a contract may be passed without publicity (CCP R.2122-8).
    ``formalisee_travaux``, ``formalisee_autres``: from these, the adapted procedure is closed (CCP L.2124-1, notice of
    the European thresholds; local authorities).
    """

    depuis: date
    decp: int
    liste: int
    dispense_travaux: int
    dispense_autres: int
    formalisee_travaux: int
    formalisee_autres: int


TABLE: tuple[Thresholds, ...] = (
    Thresholds(date(2024, 1, 1), 40_000, 25_000, 100_000, 40_000, 5_538_000, 221_000),
    Thresholds(date(2026, 1, 1), 40_000, 25_000, 100_000, 40_000, 5_404_000, 216_000),
    Thresholds(date(2026, 4, 1), 40_000, 25_000, 100_000, 60_000, 5_404_000, 216_000),
)
"""Décret 2025-1386 (dispensations of 2026); European thresholds 2024-2025 and 2026-2027 of local authorities."""


def in_force(day: date, table: Sequence[Thresholds] = TABLE) -> Thresholds | None:
    """Return the thresholds in force on a day, None before the first row."""
    rows = [row for row in sorted(table, key=lambda row: row.depuis) if row.depuis <= day]
    return rows[-1] if rows else None
