# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a difference more than chance? Between steps judged by the same people, between years, between groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packmairie.portail.sondage.statistique.distributions import (
    binomial_two_sided,
    chi2_survival,
    normal_quantile,
    normal_two_sided,
)
from packmairie.portail.sondage.statistique.estimates import CONFIDENCE, Share, Sums, weighted_mean
from packmairie.portail.sondage.statistique.groups import Group

SIGNIFICANT = 0.05
FEW_DISCORDANT = 25
"""Below so many people who judge two steps differently, the exact test is used."""

Joint = Mapping[tuple[bool, bool], int]


@dataclass(frozen=True)
class Difference:
    """A difference of two shares (−1 to 1), its interval and the p-value of « there is none »."""

    value: float
    low: float
    high: float
    p_value: float
    base: int

    def significant(self, threshold: float = SIGNIFICANT) -> bool:
        """Tell whether it is more than chance."""
        return self.p_value < threshold


def paired(groups: Sequence[Group], weights: Sequence[float], joint: Sequence[Joint]) -> Difference | None:
    """Compare two shares of the same people; None where nobody answered both.

    ``joint`` counts, by group, those who are (in the first, in the second). The p-value is McNemar's (1947): with
    weights, (Σw₁₀ − Σw₀₁)²/Σw² over those who differ, which is his own when all weigh the same; under 25 of them,
    the exact binomial test on their number.
    """
    sums = []
    for cell in joint:
        more, less = cell.get((True, False), 0), cell.get((False, True), 0)
        sums.append(Sums(sum(cell.values()), more - less, more + less))
    mean = weighted_mean(groups, weights, sums)
    if mean is None:
        return None
    ahead = sum(cell.get((True, False), 0) for cell in joint)
    behind = sum(cell.get((False, True), 0) for cell in joint)
    squares = sum(w * w * s.second for w, s in zip(weights, sums, strict=True))
    if ahead + behind < FEW_DISCORDANT or squares <= 0:
        p_value = binomial_two_sided(ahead, ahead + behind)
    else:
        p_value = normal_two_sided(sum(w * s.first for w, s in zip(weights, sums, strict=True)) / math.sqrt(squares))
    half = normal_quantile(CONFIDENCE) * mean.error
    return Difference(mean.value, max(-1.0, mean.value - half), min(1.0, mean.value + half), p_value, mean.base)


def independent(later: Share, earlier: Share) -> Difference:
    """Compare the same share in two surveys (or two groups that share nobody).

    Some may have been asked both years, which makes the difference better known than said: the interval is careful.
    """
    value = later.value - earlier.value
    error = math.hypot(_error(later), _error(earlier))
    half = normal_quantile(CONFIDENCE) * error
    p_value = normal_two_sided(value / error) if error > 0 else float(value == 0)
    return Difference(
        value, max(-1.0, value - half), min(1.0, value + half), p_value, min(later.base, earlier.base)
    )  # fmt: skip


def _error(one: Share) -> float:
    """Return its standard error; where everybody agreed, what its interval says of it."""
    return one.error or (one.high - one.low) / (2 * normal_quantile(CONFIDENCE))


@dataclass(frozen=True)
class Independence:
    """A test of a cross table: « the answers do not depend on the group »."""

    statistic: float
    degrees: int
    p_value: float


def rao_scott(
    groups: Sequence[Group], weights: Sequence[float], table: Sequence[Mapping[tuple[str, str], int]]
) -> Independence | None:
    """Test a cross table, counted by group as {(row, column): answers}; None where there is nothing to compare.

    Pearson's statistic on the weighted shares, divided by the mean design effect of cells and margins (Rao and Scott
    1984, first-order correction).
    """
    rows = sorted({row for cell in table for (row, _column), count in cell.items() if count})
    columns = sorted({column for cell in table for (_row, column), count in cell.items() if count})
    if len(rows) < 2 or len(columns) < 2:
        return None

    def estimate(keep: frozenset[tuple[str, str]]) -> tuple[float, float]:
        """Return a share and its design effect."""
        sums = []
        for cell in table:
            inside = sum(count for key, count in cell.items() if key in keep)
            sums.append(Sums(sum(cell.values()), inside, inside))
        mean = weighted_mean(groups, weights, sums)
        if mean is None or not 0 < mean.value < 1:
            return (mean.value if mean else 0.0), 0.0
        return mean.value, mean.error**2 / (mean.value * (1 - mean.value) / mean.base)

    cells = {(r, c): estimate(frozenset({(r, c)})) for r in rows for c in columns}
    by_row = {r: estimate(frozenset((r, c) for c in columns)) for r in rows}
    by_column = {c: estimate(frozenset((r, c) for r in rows)) for c in columns}
    number = sum(sum(cell.values()) for cell in table)
    degrees = (len(rows) - 1) * (len(columns) - 1)
    pearson = number * sum(
        (cells[r, c][0] - by_row[r][0] * by_column[c][0]) ** 2 / (by_row[r][0] * by_column[c][0])
        for r in rows
        for c in columns
    )
    effect = (
        sum((1 - value) * deff for value, deff in cells.values())
        - sum((1 - value) * deff for value, deff in by_row.values())
        - sum((1 - value) * deff for value, deff in by_column.values())
    ) / degrees
    if effect <= 0:
        return None
    statistic = pearson / effect
    return Independence(statistic, degrees, chi2_survival(statistic, degrees))
