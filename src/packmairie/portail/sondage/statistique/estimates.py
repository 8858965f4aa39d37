# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted shares and means with their uncertainty, from sums by group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from packmairie.portail.sondage.statistique.distributions import normal_quantile
from packmairie.portail.sondage.statistique.groups import Group

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Sums:
    """What an estimate needs of a group: answers in the base, and the sums of y and of y² over them."""

    base: int
    first: float
    second: float


@dataclass(frozen=True)
class Mean:
    """An estimated mean: its value, its standard error, the answers of its base, their effective number (Kish)."""

    value: float
    error: float
    base: int
    effective: float


@dataclass(frozen=True)
class Share:
    """An estimated share (0 to 1) with its interval. ``base`` is the number of answers that it is computed on."""

    value: float
    error: float
    low: float
    high: float
    base: int


def weighted_mean(groups: Sequence[Group], weights: Sequence[float], sums: Sequence[Sums]) -> Mean | None:
    """Return the weighted mean over a base (domain), or None where nobody is in it.

    Variance by Taylor linearisation, groups as strata, without replacement: with u = (y − ȳ)/Ŵ in the base and 0
    outside, V = Σ (1 − r/N)·r/(r−1)·w²·(Σu² − (Σu)²/r) (Särndal, Swensson, Wretman 1992, §5.6, §7.10). Sums, groups
    and weights are in the same order. A group with a single answer counts by its distance to the mean.
    """
    total = sum(w * s.base for w, s in zip(weights, sums, strict=True))
    base = sum(s.base for s in sums)
    if not base or total <= 0:
        return None
    mean = sum(w * s.first for w, s in zip(weights, sums, strict=True)) / total
    variance = 0.0
    for group, weight, part in zip(groups, weights, sums, strict=True):
        if not part.base:
            continue
        linear = (part.first - mean * part.base) / total
        squares = (part.second - 2 * mean * part.first + mean * mean * part.base) / (total * total)
        unseen = max(0.0, 1 - group.answers / group.population)
        if group.answers > 1:
            spread = group.answers / (group.answers - 1) * max(0.0, squares - linear * linear / group.answers)
        else:
            spread = squares
        variance += unseen * weight * weight * spread
    squared = sum(w * w * s.base for w, s in zip(weights, sums, strict=True))
    return Mean(mean, math.sqrt(variance), base, total * total / squared)


def share(
    groups: Sequence[Group],
    weights: Sequence[float],
    bases: Sequence[int],
    counts: Sequence[int],
    confidence: float = CONFIDENCE,
) -> Share | None:
    """Return the weighted share of ``counts`` in ``bases`` with its interval, or None where nobody is in the base."""
    sums = [Sums(base, count, count) for base, count in zip(bases, counts, strict=True)]
    mean = weighted_mean(groups, weights, sums)
    if mean is None:
        return None
    value = min(1.0, max(0.0, mean.value))
    low, high = wilson(value, effective_number(groups, mean), confidence)
    return Share(value, mean.error, low, high, mean.base)


def effective_number(groups: Sequence[Group], mean: Mean) -> float:
    """Return the number of independent draws that would know a share as well: p(1−p)/V.

    Where everybody answered alike V says nothing: Kish's number then, enlarged by what is left of the population.
    """
    if mean.error > 1e-12:
        return mean.value * (1 - mean.value) / mean.error**2
    answers, population = sum(g.answers for g in groups), sum(g.population for g in groups)
    unseen = 1 - answers / population if population else 0.0
    return mean.effective / unseen if unseen > 1e-12 else math.inf


def wilson(value: float, number: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the score interval of a share known from ``number`` (effective) draws (Wilson 1927)."""
    if math.isinf(number):
        return value, value
    z2 = normal_quantile(confidence) ** 2
    centre = (value + z2 / (2 * number)) / (1 + z2 / number)
    half = math.sqrt(z2 * (value * (1 - value) / number + z2 / (4 * number * number))) / (1 + z2 / number)
    return max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half))
