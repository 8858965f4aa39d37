# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sample is shared between strata."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from packmairie.model.problem import fail

Key = TypeVar("Key", bound=Hashable)


def proportional(sizes: Mapping[Key, int], total: int, minimum: int = 2) -> dict[Key, int]:
    """Share ``total`` between strata by their sizes, at least ``minimum`` in each (or all of a smaller one)."""
    return _share(sizes, {key: float(size) for key, size in sizes.items()}, total, minimum)


def neyman(sizes: Mapping[Key, int], deviations: Mapping[Key, float], total: int, minimum: int = 2) -> dict[Key, int]:
    """Share ``total`` by size × standard deviation within the stratum (Neyman 1934): more where answers vary more.

    Deviations come from a former survey; for a share p it is √(p(1−p)). Where all are 0, size alone decides.
    """
    wishes = {key: size * deviations[key] for key, size in sizes.items()}
    return _share(sizes, wishes if any(wishes.values()) else {k: float(v) for k, v in sizes.items()}, total, minimum)


def _share(sizes: Mapping[Key, int], wishes: Mapping[Key, float], total: int, minimum: int) -> dict[Key, int]:
    """Share by wishes within [min(minimum, size), size]; remainders go to the largest ones, then by order."""
    lowest = {key: min(minimum, size) for key, size in sizes.items()}
    if total > sum(sizes.values()):
        raise fail(
            "tirage",
            f"{total} collectivités demandées, la base n'en compte que {sum(sizes.values())}",
            "réduire --size ou élargir la base",
        )
    if total < sum(lowest.values()):
        raise fail(
            "tirage",
            f"{total} collectivités ne suffisent pas à en prendre {minimum} dans chacune des {len(sizes)} strates "
            f"(il en faut {sum(lowest.values())})",
            "augmenter --size, réduire --minimum ou stratifier moins finement",
        )
    # Find the scale at which the wishes, held within their bounds, add up to the total; then round.
    low, high = 0.0, 1.0
    positive = {key: max(wish, 1e-12) for key, wish in wishes.items()}

    def held(scale: float) -> dict[Key, float]:
        return {key: min(max(scale * positive[key], lowest[key]), sizes[key]) for key in sizes}

    while sum(held(high).values()) < total and high < 1e18:
        high *= 2
    for _step in range(200):
        middle = (low + high) / 2
        if sum(held(middle).values()) < total:
            low = middle
        else:
            high = middle
    exact = held(high)
    shared = {key: min(sizes[key], max(lowest[key], int(value + 1e-9))) for key, value in exact.items()}
    order = sorted(sizes, key=lambda key: exact[key] - shared[key], reverse=True)
    missing = total - sum(shared.values())
    while missing > 0:
        for key in order:
            if missing and shared[key] < sizes[key]:
                shared[key] += 1
                missing -= 1
    return shared
