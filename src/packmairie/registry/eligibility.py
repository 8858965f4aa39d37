# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enter a pack: the policy of ``pack.yml`` applied to one commune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from packmairie.model.pack import Eligibilite
from packmairie.registry.table import MILLESIME


class Candidate(Protocol):
    """What eligibility looks at: a row of the register and a commune's file both have it."""

    @property
    def departement(self) -> str:
        """Department code, ``62``."""

    @property
    def population(self) -> int:
        """Municipal population, inhabitants."""


@dataclass(frozen=True)
class Eligible:
    """The commune may enter, and why. ``waived`` when the rules alone would have refused it."""

    reason: str
    waived: bool = False


@dataclass(frozen=True)
class Refused:
    """The commune may not enter: every reason, with the figures."""

    reasons: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The reasons as one sentence."""
        return " ; ".join(self.reasons)


def assess(
    candidate: Candidate,
    policy: Eligibilite,
    *,
    millesime: int = MILLESIME,
    under_convention: bool = False,
    waiver: str | None = None,
) -> Eligible | Refused:
    """Given a commune and a policy, tell whether it may enter the pack.

    ``millesime`` is the year of the candidate's population. The threshold is strict:
    a commune of exactly 1,000 inhabitants is refused by « moins de 1 000 ». A commune
    already under convention stays whatever its population becomes; a ``waiver`` (its
    motive, in French) admits what the rules refuse.
    """
    reasons = _objections(candidate, policy, millesime)
    if not reasons:
        return Eligible(f"{thousands(candidate.population)} habitants au millésime {millesime}")
    if under_convention:
        return Eligible("déjà sous convention")
    if waiver:
        return Eligible(f"dérogation : {waiver}", waived=True)
    return Refused(tuple(reasons))


def thousands(number: int) -> str:
    """Return a number as French readers write it, ``1 004``, with a narrow no-break space."""
    return f"{number:,}".replace(",", "\u202f")


def _objections(candidate: Candidate, policy: Eligibilite, millesime: int) -> list[str]:
    reasons = []
    if candidate.departement not in policy.departements:
        accepted = ", ".join(policy.departements) or "aucun"
        reasons.append(f"département {candidate.departement}, alors que le pack accepte : {accepted}")
    if millesime != policy.millesime:
        reasons.append(
            f"population connue au millésime {millesime}, alors que la règle porte sur le millésime {policy.millesime}"
        )
    elif candidate.population >= policy.population_moins_de:
        reasons.append(
            f"{thousands(candidate.population)} habitants au millésime {millesime}, "
            f"alors que la règle est « moins de {thousands(policy.population_moins_de)} »"
        )
    return reasons
