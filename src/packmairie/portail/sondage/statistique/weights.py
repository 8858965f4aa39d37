# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights: how many collectivités of the population each answer stands for.

All answers of a group have one weight, so everything here is by group, whatever the number of answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from statistics import median

from packmairie.model.problem import fail
from packmairie.portail.sondage.statistique.groups import ANY, Group

TRIM_AT = 3.0
"""Weights above so many times their median are brought down to it."""


@dataclass(frozen=True)
class Weights:
    """One weight per group, in the order of the groups, and what making them cost.

    ``design`` × ``non_response`` × ``calibration`` = ``values``, but for trimming. ``kish`` is Kish's design
    effect n·Σw²/(Σw)², ``effective`` the effective size n/kish, ``trimmed`` the number of answers brought down.
    """

    design: tuple[float, ...]
    non_response: tuple[float, ...]
    values: tuple[float, ...]
    kish: float
    effective: float
    trimmed: int
    passes: int


def post_stratified(groups: Sequence[Group], trim_at: float | None = TRIM_AT) -> Weights:
    """Return design (N/n invited) × non-response (n/r) weights: each group weighs what it does in the population.

    Raise PackmairieError where a group has nobody who answered.
    """
    design, non_response = _before_calibration(groups)
    values = [group.population / group.answers for group in groups]
    return _finish(groups, design, non_response, values, trim_at)


def raked(
    groups: Sequence[Group],
    margins: Mapping[int, Mapping[str, float]],
    trim_at: float | None = TRIM_AT,
    tolerance: float = 1e-12,
    passes: int = 1_000,
) -> Weights:
    """Return weights adjusted in turn to the population of each value of each variable (Deming and Stephan 1940).

    ``margins`` gives, by position of the variable in the labels, the population of each of its values. Start: design
    × overall non-response. Raise PackmairieError when a value has no answer, an answer no such value, or after
    ``passes`` without agreement.
    """
    design = [group.population / group.invited if group.invited else 0.0 for group in groups]
    overall = sum(group.invited for group in groups) / max(1, sum(group.answers for group in groups))
    values = [base * overall for base in design]
    members: list[tuple[list[int], float]] = []
    for place, wanted in margins.items():
        for value, population in wanted.items():
            inside = [i for i, group in enumerate(groups) if group.label[place] == value and group.answers]
            if not inside:
                raise fail("calage", f"aucune réponse pour « {value} »", "retirer cette variable du calage")
            members.append((inside, population))
        strangers = {group.label[place] for group in groups if group.answers} - set(wanted)
        if strangers:
            shown = ", ".join(sorted(strangers)).replace(ANY, "valeur regroupée")
            raise fail("calage", f"sans marge : {shown}", "retirer cette variable du calage")
    for done in range(1, passes + 1):
        furthest = 0.0
        for inside, population in members:
            total = sum(values[i] * groups[i].answers for i in inside)
            factor = population / total
            furthest = max(furthest, abs(factor - 1))
            for i in inside:
                values[i] *= factor
        if furthest < tolerance:
            return _finish(groups, design, [overall] * len(groups), values, trim_at, passes=done)
    raise fail("calage", f"pas d'accord entre les marges après {passes} passes", "caler sur moins de variables")


def kish(weighted: Sequence[tuple[float, int]]) -> float:
    """Given (weight, number of answers that have it), return Kish's design effect, 1 when all weigh the same."""
    number = sum(count for _weight, count in weighted)
    total = sum(weight * count for weight, count in weighted)
    squares = sum(weight * weight * count for weight, count in weighted)
    return number * squares / (total * total) if total else math.nan


def trim(weighted: Sequence[tuple[float, int]], at: float) -> tuple[list[float], int]:
    """Bring weights down to ``at`` × their median; the others take up what is lost, in proportion.

    Return the weights, in order, and the number of answers brought down. The total is kept. The cap stays that of the
    first median; taking up may lift a weight to the cap, never above it.
    """
    values = [weight for weight, _count in weighted]
    counts = [count for _weight, count in weighted]
    total = sum(value * count for value, count in weighted)
    cap = at * median(chain.from_iterable(repeat(weight, count) for weight, count in weighted))
    capped: set[int] = set()
    for _pass in range(len(values)):
        above = {i for i, value in enumerate(values) if counts[i] and value > cap * (1 + 1e-12)} - capped
        if not above:
            break
        capped |= above
        for i in capped:
            values[i] = cap
        free = sum(values[i] * counts[i] for i in range(len(values)) if i not in capped)
        rest = total - cap * sum(counts[i] for i in capped)
        if free <= 0:
            break
        for i in range(len(values)):
            if i not in capped:
                values[i] *= rest / free
    # Where everybody reached the cap, it cannot hold the total: all weigh the same then.
    kept = sum(value * count for value, count in zip(values, counts, strict=True))
    return [value * total / kept for value in values], sum(counts[i] for i in capped)


def _before_calibration(groups: Sequence[Group]) -> tuple[list[float], list[float]]:
    empty = [" / ".join(group.label) for group in groups if group.population and not (group.answers and group.invited)]
    if empty:
        raise fail("pondération", f"aucune réponse pour {empty[0]}", "regrouper davantage les strates")
    return [g.population / g.invited for g in groups], [g.invited / g.answers for g in groups]


def _finish(
    groups: Sequence[Group],
    design: Sequence[float],
    non_response: Sequence[float],
    values: Sequence[float],
    trim_at: float | None,
    *,
    passes: int = 0,
) -> Weights:
    counts = [group.answers for group in groups]
    trimmed = 0
    if trim_at is not None and any(counts):
        values, trimmed = trim(list(zip(values, counts, strict=True)), trim_at)
    effect = kish(list(zip(values, counts, strict=True)))
    return Weights(
        tuple(design), tuple(non_response), tuple(values), effect, sum(counts) / effect if sum(counts) else 0.0,
        trimmed, passes,
    )  # fmt: skip
