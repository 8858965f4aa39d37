# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of strata, large enough that being one of them tells nothing about anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packmairie.portail.sondage.statistique.frame import Stratum

ANY = "*"
"""In the place of a value that a group does not tell, because its strata differ by it."""
SMALLEST = 5
"""Fewest answers of a group (Insee hides below 3 for business statistics; we take 5)."""


@dataclass(frozen=True)
class Group:
    """Strata that are weighted as one. ``label`` has one value per variable, ANY where it is not told."""

    label: Stratum
    population: int
    invited: int
    answers: int


def merge_small(answers: Mapping[Stratum, int], minimum: int = SMALLEST) -> dict[Stratum, Stratum]:
    """Given the number of answers of every stratum of the frame (0 too), return the label of each one's group.

    From the last variable to the first, groups with fewer answers than ``minimum`` lose the value of the variable and
    so join the others that differ by it alone; if they are still too few, the smallest of their neighbours joins
    them. Every group ends with ``minimum`` answers, or there is a single one. Values already lost stay lost, so
    that merging twice changes nothing more.
    """
    if not answers:
        return {}
    depth = len(next(iter(answers)))
    labels: dict[Stratum, Stratum] = {stratum: stratum for stratum in answers}
    for level in range(depth - 1, -1, -1):
        counts = _counts(labels, answers)
        small = sorted(label for label, count in counts.items() if count < minimum)
        for target in sorted({_cut(label, level) for label in small}):
            counts = _counts(labels, answers)
            joined = {label for label in small if _cut(label, level) == target}
            joined |= {label for label in counts if label == target}
            neighbours = sorted(
                (label for label in counts if label[:level] == target[:level] and label not in joined),
                key=lambda label, seen=counts: (seen[label], label),  # type: ignore[misc]
            )
            while sum(counts[label] for label in joined) < minimum and neighbours:
                joined.add(neighbours.pop(0))
            for stratum, label in labels.items():
                if label in joined:
                    labels[stratum] = target
    return labels


def build_groups(
    labels: Mapping[Stratum, Stratum],
    population: Mapping[Stratum, int],
    invited: Mapping[Stratum, int],
    answers: Mapping[Stratum, int],
) -> tuple[Group, ...]:
    """Return the groups in the order of their labels, with what their strata add up to."""
    totals: dict[Stratum, list[int]] = {}
    for stratum, label in labels.items():
        total = totals.setdefault(label, [0, 0, 0])
        for place, counts in enumerate((population, invited, answers)):
            total[place] += counts.get(stratum, 0)
    return tuple(Group(label, *total) for label, total in sorted(totals.items()))


def _cut(label: Stratum, level: int) -> Stratum:
    return label[:level] + (ANY,) * (len(label) - level)


def _counts(labels: Mapping[Stratum, Stratum], answers: Mapping[Stratum, int]) -> dict[Stratum, int]:
    counts: dict[Stratum, int] = {}
    for stratum, label in labels.items():
        counts[label] = counts.get(label, 0) + answers[stratum]
    return counts
