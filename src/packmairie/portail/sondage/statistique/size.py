# SPDX-License-Identifier: GPL-3.0-or-later
"""How many collectivités to ask for a wanted margin, and the margin that a number gives."""

from __future__ import annotations

import math
from dataclasses import dataclass

from packmairie.model.problem import fail
from packmairie.portail.sondage.statistique.distributions import normal_quantile


@dataclass(frozen=True)
class Size:
    """A size of sample and what it was computed from; ``reponses`` are answers wanted, ``envois`` invitations."""

    population: int
    marge: float
    confiance: float
    part: float
    effet_de_plan: float
    taux_de_reponse: float
    reponses_population_infinie: int
    reponses: int
    envois: int

    def explanation(self) -> str:
        """Tell in French where the number comes from."""
        return (
            f"Pour connaître une part proche de {_percent(self.part)} à ± {_points(self.marge)} "
            f"avec une confiance de {_percent(self.confiance)}, il faudrait "
            f"{self.reponses_population_infinie} réponses dans une population sans limite"
            + (f" (effet de plan {self.effet_de_plan:.2f})".replace(".", ",") if self.effet_de_plan != 1 else "")
            + f". La base compte {self.population} collectivités : {self.reponses} réponses suffisent. "
            f"Si {_percent(self.taux_de_reponse)} des collectivités répondent, il faut en inviter {self.envois}"
            + (
                ", c'est-à-dire toutes, et la marge ne sera pas atteinte : relancez, ou acceptez une marge plus large."
                if self.envois == self.population and self.reponses > self.population * self.taux_de_reponse
                else "."
            )
        )


def sample_size(
    population: int,
    margin: float,
    *,
    confidence: float = 0.95,
    share: float = 0.5,
    design_effect: float = 1.0,
    response_rate: float = 1.0,
) -> Size:
    """Return the number of answers for which the half-width of the interval is at most ``margin``.

    Shares, margin and rates are between 0 and 1. Simple random sampling without replacement, inflated by the design
    effect (Cochran, *Sampling Techniques*, §4.4): n₀ = deff·z²·p(1−p)/e², n = n₀/(1 + (n₀ − 1)/N), the last with
    the correction for a finite population. Raise PackmairieError for a value that makes no sense.
    """
    for name, value, highest in (
        ("marge", margin, 0.5),
        ("confiance", confidence, 0.9999),
        ("part", share, 1),
        ("taux de réponse", response_rate, 1),
    ):
        if not 0 < value <= highest:
            raise fail(name, f"{value} n'est pas entre 0 et {highest}", "donner un pourcentage, par exemple 5")
    if population < 1 or not 1 <= design_effect <= 10:
        raise fail("taille", "population vide, ou effet de plan hors de 1 à 10", "vérifier la base de sondage")
    unlimited = design_effect * normal_quantile(confidence) ** 2 * share * (1 - share) / margin**2
    answers = min(population, max(1, math.ceil(unlimited / (1 + (unlimited - 1) / population) - 1e-9)))
    return Size(
        population, margin, confidence, share, design_effect, response_rate,
        max(1, math.ceil(unlimited - 1e-9)), answers, min(population, math.ceil(answers / response_rate - 1e-9)),
    )  # fmt: skip


def margin(
    answers: int, population: int | None, share: float = 0.5, confidence: float = 0.95, deff: float = 1
) -> float:
    """Return the half-width of the normal interval of a share; ``population`` None for one without limit."""
    correction = 1.0 if population is None else max(0, population - answers) / max(1, population - 1)
    return normal_quantile(confidence) * math.sqrt(share * (1 - share) / answers * deff * correction)


def _percent(value: float) -> str:
    return f"{value * 100:.4g} %".replace(".", ",")


def _points(value: float) -> str:
    figure = f"{value * 100:.3g}"
    return f"{figure} point{'s' if value >= 0.02 else ''}".replace(".", ",")
