# SPDX-License-Identifier: GPL-3.0-or-later
"""The few probability laws that the tests need, beside those of the standard library."""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()
_TINY = 1e-300


def normal_quantile(confidence: float) -> float:
    """Given a two-sided confidence level (0.95), return its normal quantile (1.96)."""
    return _NORMAL.inv_cdf((1 + confidence) / 2)


def normal_two_sided(statistic: float) -> float:
    """Return the two-sided p-value of a standard normal statistic."""
    return math.erfc(abs(statistic) / math.sqrt(2))


def chi2_survival(statistic: float, degrees: float) -> float:
    """Return P(X > statistic) for a chi-squared law.

    Regularised incomplete gamma function: series below a + 1, continued fraction above (Numerical Recipes §6.2).
    """
    if statistic <= 0:
        return 1.0
    shape: float = degrees / 2
    x: float = statistic / 2
    scale: float = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        for step in range(1, 1_000):
            term *= x / (shape + step)
            total += term
            if term < total * 1e-16:
                break
        return 1 - scale * total
    b = x + 1 - shape
    c = 1 / _TINY
    d = fraction = 1 / b
    for step in range(1, 1_000):
        a = -step * (step - shape)
        b += 2
        d = 1 / (a * d + b or _TINY)
        c = b + a / c or _TINY
        fraction *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return scale * fraction


def binomial_two_sided(successes: int, trials: int) -> float:
    """Return the exact two-sided p-value of ``successes`` in ``trials`` tosses of a fair coin."""
    if trials == 0:
        return 1.0
    fewer = min(successes, trials - successes)
    return min(1.0, 2 * sum(math.comb(trials, k) for k in range(fewer + 1)) / (1 << trials))


def holm(p_values: list[float]) -> list[float]:
    """Return p-values adjusted for their number, in the order given (Holm 1979, step-down)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
