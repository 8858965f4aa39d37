# SPDX-License-Identifier: GPL-3.0-or-later
"""The draw: reproducible by anybody who has the frame and the seed, with any SHA-256."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packmairie.model.problem import fail
from packmairie.portail.sondage.statistique.allocation import neyman, proportional
from packmairie.portail.sondage.statistique.deviations import matched
from packmairie.portail.sondage.statistique.frame import VARIABLES, Stratum, Unit, frame_hash, strata

ALGORITHM = "sha256-rang-1"
"""Name of the rule of ``rank``; recorded with each draw, so that a later rule changes no earlier draw."""


@dataclass(frozen=True)
class Drawn:
    """A unit in the order of its stratum: ``rang`` counts from 1; drawn, or replacement number so many."""

    unit: Unit
    strate: Stratum
    rang: int
    titulaire: bool


@dataclass(frozen=True)
class Draw:
    """A sample and everything needed to draw it again."""

    graine: str
    empreinte: str
    algorithme: str
    variables: tuple[str, ...]
    effectifs: Mapping[Stratum, int]
    allocation: Mapping[Stratum, int]
    ordre: tuple[Drawn, ...]

    @property
    def sample(self) -> tuple[Drawn, ...]:
        """Those that are asked first."""
        return tuple(one for one in self.ordre if one.titulaire)


def rank(seed: str, frame: str, identifier: str) -> bytes:
    """Return the key by which a stratum is sorted: SHA-256 of ``seed|hash of the frame|identifier``.

    A hash takes every order with the same probability, so the first n of a stratum are a simple random sample
    without replacement, and the next ones are its replacements in order.
    """
    return hashlib.sha256(f"{seed}|{frame}|{identifier}".encode()).digest()


def draw(
    units: Iterable[Unit],
    size: int,
    seed: str,
    *,
    variables: Sequence[str] = VARIABLES,
    minimum: int = 2,
    deviations: Mapping[Stratum, float] | None = None,
) -> Draw:
    """Return a stratified sample of ``size`` units, proportional or, given ``deviations``, by Neyman's allocation.

    Deviations are those of a former survey, by stratum or by group of strata (ANY where a value is not told).

    Raise PackmairieError for a frame with a double, an empty seed, or a size that cannot be shared.
    """
    listed = tuple(units)
    counted = Counter(unit.identifiant for unit in listed)
    doubles = sorted(name for name, times in counted.items() if times > 1)
    if doubles:
        raise fail("base de sondage", f"plusieurs lignes pour {', '.join(doubles[:5])}", "ne garder qu'une ligne")
    if not seed.strip():
        raise fail("tirage", "graine vide", "donner --seed, par exemple la date et le lieu du tirage")
    found = strata(listed, variables)
    sizes = {key: len(members) for key, members in found.items()}
    if deviations is None:
        shared = proportional(sizes, size, minimum)
    else:
        shared = neyman(sizes, matched(sizes, deviations), size, minimum)
    fingerprint = frame_hash(listed)
    order = tuple(
        Drawn(unit, key, position, position <= shared[key])
        for key, members in found.items()
        for position, unit in enumerate(
            sorted(members, key=lambda unit: rank(seed, fingerprint, unit.identifiant)), start=1
        )
    )
    return Draw(seed, fingerprint, ALGORITHM, tuple(variables), sizes, shared, order)


def replacements(drawn: Draw, stratum: Stratum, number: int, used: int) -> tuple[Drawn, ...]:
    """Return the next ``number`` replacements of a stratum of which ``used`` have been called already."""
    reserve = [one for one in drawn.ordre if one.strate == stratum and not one.titulaire]
    return tuple(reserve[used : used + number])
