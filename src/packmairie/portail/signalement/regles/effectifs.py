# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of counts that tell nothing about one person: cells under 5 are hidden, and what would give them back."""

from __future__ import annotations

from collections.abc import Mapping

THRESHOLD = 5
HIDDEN = "< 5"


def protect(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Given counts whose total is published, return them with None where a count must not be shown.

    Counts of 1 to 4 are hidden. When what is hidden could be found by subtraction from the total (one count hidden,
    or hidden counts that sum to less than 5), the smallest other counts are hidden too. Zero is shown, unless it
    is needed for that.
    """
    hidden = {name for name, count in counts.items() if 0 < count < THRESHOLD}
    if hidden:
        others = sorted((count, name) for name, count in counts.items() if name not in hidden and count > 0)
        while others and (len(hidden) < 2 or sum(counts[name] for name in hidden) < THRESHOLD):
            hidden.add(others.pop(0)[1])
    return {name: None if name in hidden else count for name, count in counts.items()}
