# SPDX-License-Identifier: GPL-3.0-or-later
"""How much answers varied in a former survey, stratum by stratum: what Neyman's allocation shares a sample by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from packmairie.portail.sondage.statistique.frame import Stratum
from packmairie.portail.sondage.statistique.groups import ANY


def deviation(unhappy: int, base: int) -> float:
    """Return √(p(1−p)) of a share of a group, p drawn a little towards one half (Laplace): (unhappy + 1)/(base + 2).

    A group of five who are all content is no proof that nobody of its stratum is otherwise.
    """
    share = (unhappy + 1) / (base + 2)
    return math.sqrt(share * (1 - share))


def deviations_of(counts: Mapping[Stratum, Iterable[tuple[int, int]]]) -> dict[Stratum, float]:
    """Given (dissatisfied, judged) of each step by group, return the mean deviation of each group that judged."""
    found = {}
    for label, steps in counts.items():
        known = [deviation(unhappy, base) for unhappy, base in steps if base]
        if known:
            found[label] = sum(known) / len(known)
    return found


def matched(strata: Iterable[Stratum], known: Mapping[Stratum, float]) -> dict[Stratum, float]:
    """Return the deviation of each stratum of a frame: that of the most precise group that it belongs to.

    A stratum that no group covers gets the mean of all, so that a new kind of collectivité is neither favoured nor
    forgotten; without any known, all are alike and Neyman's allocation is the proportional one.
    """
    mean = sum(known.values()) / len(known) if known else 1.0

    def one(stratum: Stratum) -> float:
        covering = [
            (sum(value != ANY for value in label), value_of)
            for label, value_of in sorted(known.items())
            if len(label) == len(stratum) and all(a in (ANY, b) for a, b in zip(label, stratum, strict=True))
        ]
        return max(covering)[1] if covering else mean

    return {stratum: one(stratum) for stratum in strata}
