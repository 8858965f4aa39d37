# SPDX-License-Identifier: GPL-3.0-or-later
"""The sampling frame: every collectivité that could be asked, and the strata that it is cut into."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from packmairie.registry.table import table

VARIABLES = ("departement", "classe", "adhesion", "epci")
"""What strata are made of, the most important first: small groups lose the last ones (see ``groups``)."""
TITLES = MappingProxyType(
    {"departement": "Département", "classe": "Population", "adhesion": "Adhésion au CdG", "epci": "Intercommunalité"}
)
POPULATION_CLASSES = (
    (500, "moins de 500"),
    (1_000, "500 à 999"),
    (3_500, "1 000 à 3 499"),
    (10_000, "3 500 à 9 999"),
)
LARGEST_CLASS = "10 000 et plus"
EPCI_KINDS = MappingProxyType(
    {"CC": "communauté de communes", "CA": "communauté d'agglomération", "CU": "communauté urbaine"}
)

Stratum = tuple[str, ...]


@dataclass(frozen=True, order=True)
class Unit:
    """One collectivité of the frame. ``population`` is in inhabitants; ``courriel`` may be empty (paper, phone)."""

    identifiant: str
    nom: str
    departement: str
    population: int
    adhesion: str
    epci: str
    courriel: str = ""

    @property
    def classe(self) -> str:
        """Its class of population."""
        return population_class(self.population)

    def stratum(self, variables: Sequence[str] = VARIABLES) -> Stratum:
        """Return the stratum it belongs to, one value per variable."""
        return tuple(str(getattr(self, name)) for name in variables)


def population_class(population: int) -> str:
    """Given a number of inhabitants, return its class (thresholds of the CGCT: 500, 1 000, 3 500, 10 000)."""
    return next((label for below, label in POPULATION_CLASSES if population < below), LARGEST_CLASS)


def epci_kind(name: str) -> str:
    """Given the name of an EPCI as the DGCL writes it, return its kind."""
    first = name.strip('" ').partition(" ")[0]
    return EPCI_KINDS.get(first, "métropole" if first.startswith("Métropole") else "sans EPCI à fiscalité propre")


def frame_from_register(
    departements: Iterable[str], addresses: Mapping[str, str] = MappingProxyType({}), adhesion: str = "affiliée"
) -> tuple[Unit, ...]:
    """Return the communes of some departments as a frame, in the order of their INSEE codes.

    ``addresses`` gives mail addresses by INSEE code. The register does not know adhesions: all get the same.
    """
    wanted = frozenset(departements)
    return tuple(
        Unit(
            row.insee, row.nom, row.departement, row.population, adhesion, epci_kind(row.epci_nom),
            addresses.get(row.insee, ""),
        )
        for row in table().values()
        if row.departement in wanted
    )  # fmt: skip


def frame_hash(units: Iterable[Unit]) -> str:
    """Return the SHA-256 of a frame, whatever the order of its units; mail addresses do not count.

    Recorded with a draw, it proves which list the sample was drawn from.
    """
    lines = sorted(
        "\t".join((u.identifiant, u.nom, u.departement, str(u.population), u.adhesion, u.epci)) for u in units
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def strata(units: Iterable[Unit], variables: Sequence[str] = VARIABLES) -> dict[Stratum, list[Unit]]:
    """Return the units of each stratum that is not empty, strata in alphabetical order."""
    found: dict[Stratum, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.stratum(variables), []).append(unit)
    return dict(sorted(found.items()))
