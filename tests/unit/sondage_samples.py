# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic answers for the tests of the survey: drawn by seed, never those of anybody."""

from __future__ import annotations

import random
from collections.abc import Mapping

from packmairie.portail.sondage.questionnaire.model import Values, shipped

DISSATISFIED = {"delai": 0.17, "suivi": 0.15}
OTHERS = 0.08


def values(chance: random.Random, dissatisfied: Mapping[str, float] = DISSATISFIED) -> Values:
    """Return one synthetic answer; steps are judged alike by whoever is easily dissatisfied."""
    grid = shipped().with_role("satisfaction")
    assert grid is not None
    answer: Values = {
        "usage": sorted(chance.sample(["carrieres", "paie", "retraite", "sante", "juridique"], chance.randint(1, 3))),
        "frequence": chance.choices(["semaine", "mois", "annee"], [1, 4, 5])[0],
    }
    strict = chance.random() < 0.3
    for line in grid.lignes:
        bad = dissatisfied.get(line.code, OTHERS) * (2 if strict else 0.6)
        degrees = ["tres", "assez", "peu", "pas", "sans_objet"]
        answer[f"satisfaction.{line.code}"] = chance.choices(degrees, [0.2, 0.76 - bad, bad * 0.75, bad * 0.25, 0.04])[
            0
        ]
        weight = 0.7 if line.code in ("delai", "suivi", "reponse") else 0.4
        answer[f"importance.{line.code}"] = chance.choices(
            ["tres", "assez", "peu", "pas"], [weight, 0.9 - weight, 0.08, 0.02]
        )[0]
    return answer
