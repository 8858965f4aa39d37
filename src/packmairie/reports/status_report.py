# SPDX-License-Identifier: GPL-3.0-or-later
"""What every renderer of ``status`` is given, and the one order in which all of them show it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from packmairie.model.change import PLATEFORME
from packmairie.model.commune import Commune
from packmairie.model.pack import Operateur
from packmairie.model.preuve import Preuve, State, worst
from packmairie.reports.rpnt_levels import CRITERIA
from packmairie.reports.wording import brique_rank, check_title, commune_name, natural_key, printable

FLEET = 20
"""Past this number of communes a reader looks for what stands out, not for each commune in turn."""


@dataclass(frozen=True)
class Place:
    """A point of the territory, in WGS84 degrees; one with a name is a landmark shown on the map."""

    latitude: float
    longitude: float
    name: str = ""


@dataclass(frozen=True)
class Section:
    """Everything known about one commune, or about the platform (``commune`` is then None)."""

    code: str
    name: str
    commune: Commune | None
    briques: tuple[tuple[str, tuple[Preuve, ...]], ...]

    @cached_property
    def preuves(self) -> tuple[Preuve, ...]:
        """Every preuve of the section, in its order."""
        return tuple(preuve for _, preuves in self.briques for preuve in preuves)

    @cached_property
    def state(self) -> State:
        """The state of the whole; a commune about which nothing was checked is *non vérifié*."""
        return worst(preuve.state for preuve in self.preuves)

    @cached_property
    def counts(self) -> Counter[State]:
        """How many checks are in each state."""
        return Counter(preuve.state for preuve in self.preuves)

    def of_state(self, *states: State) -> tuple[Preuve, ...]:
        """Return the preuves in one of these states, in the section's order."""
        return tuple(preuve for preuve in self.preuves if preuve.state in states)


@dataclass(frozen=True)
class StatusReport:
    """The result of one ``status``: who asked, about which communes, what was found.

    ``communes`` are those that were asked about, checked or not. ``territory`` are the points drawn faintly
    behind the map (every commune of the departments), landmarks by their name. ``titles`` gives the French title
    of a check by its identifier; a check without one is shown by its RPNT criterion or its own identifier.
    """

    pack_name: str
    operator: Operateur
    generated_at: datetime
    communes: tuple[Commune, ...]
    preuves: tuple[Preuve, ...]
    territory: tuple[Place, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a date without time zone: ages would be wrong by hours, silently."""
        if self.generated_at.tzinfo is None:
            raise ValueError("generated_at must carry a time zone")

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of the communes by INSEE code."""
        return names_of(self.communes)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The platform first when it was checked, then every commune by INSEE code."""
        return group(self.communes, self.preuves)

    @cached_property
    def platform(self) -> Section | None:
        """The platform's section, or None when nothing of it was checked."""
        return next((section for section in self.sections if section.code == PLATEFORME), None)

    @cached_property
    def commune_sections(self) -> tuple[Section, ...]:
        """The sections of communes only."""
        return tuple(section for section in self.sections if section.code != PLATEFORME)

    @cached_property
    def commune_counts(self) -> Counter[State]:
        """How many communes are in each state."""
        return Counter(section.state for section in self.commune_sections)

    @cached_property
    def check_counts(self) -> Counter[State]:
        """How many checks, of communes and platform together, are in each state."""
        return Counter(preuve.state for preuve in self.preuves)

    @property
    def is_fleet(self) -> bool:
        """Tell whether there are too many communes to be read one after the other."""
        return len(self.commune_sections) > FLEET

    def title_of(self, preuve: Preuve) -> str:
        """Given a preuve, return the words that name its check to someone who is not a technician."""
        title = self.titles.get(preuve.check)
        if title:
            return printable(title)
        if preuve.rpnt is not None and preuve.rpnt in CRITERIA:
            return CRITERIA[preuve.rpnt].title
        return check_title(preuve.check)


def names_of(communes: Iterable[Commune]) -> dict[str, str]:
    """Given communes, return their names by INSEE code."""
    return {commune.insee: commune.nom for commune in communes}


def preuve_order(preuve: Preuve) -> tuple[object, ...]:
    """Return the sort key of a preuve: platform, then INSEE code, brique, RPNT criteria, other checks.

    It does not depend on the order in which parallel checks ended, so two reports can be compared line by line.
    """
    return (
        preuve.commune != PLATEFORME,
        preuve.commune,
        brique_rank(preuve.brique),
        preuve.rpnt is None,
        natural_key(preuve.rpnt or preuve.check),
        preuve.check,
    )


def group(communes: Iterable[Commune], preuves: Iterable[Preuve]) -> tuple[Section, ...]:
    """Given communes and preuves, return the sections in stable order.

    A commune without preuve keeps its (empty) section, and a preuve about a commune that was not given
    is shown under its code: a report never drops what it was handed.
    """
    by_code: dict[str, dict[str, list[Preuve]]] = defaultdict(lambda: defaultdict(list))
    for preuve in sorted(preuves, key=preuve_order):
        by_code[preuve.commune][preuve.brique].append(preuve)
    known = {commune.insee: commune for commune in communes}
    names = names_of(known.values())
    codes = sorted({*known, *by_code}, key=lambda code: (code != PLATEFORME, code))
    return tuple(
        Section(
            code=code,
            name=commune_name(code, names),
            commune=known.get(code),
            briques=tuple((brique, tuple(of_brique)) for brique, of_brique in by_code.get(code, {}).items()),
        )
        for code in codes
    )


def by_brique(sections: Iterable[Section]) -> list[tuple[str, Counter[State], Counter[State]]]:
    """Given sections, return for each brique how many of them, then how many checks, are in each state."""
    of_sections: dict[str, Counter[State]] = defaultdict(Counter)
    of_checks: dict[str, Counter[State]] = defaultdict(Counter)
    for section in sections:
        for brique, preuves in section.briques:
            of_sections[brique][worst(preuve.state for preuve in preuves)] += 1
            of_checks[brique].update(preuve.state for preuve in preuves)
    return [(brique, of_sections[brique], of_checks[brique]) for brique in sorted(of_sections, key=brique_rank)]


@dataclass(frozen=True)
class Finding:
    """One check that is not conforming in several communes: a single cause until proven otherwise."""

    brique: str
    check: str
    state: State
    codes: tuple[str, ...]
    example: Preuve


def findings(preuves: Iterable[Preuve]) -> list[Finding]:
    """Given preuves, return those not conforming gathered by check, the most widespread first.

    A thousand lines that say the same thing hide it; one line that says « 312 communes » shows it.
    """
    gathered: dict[tuple[State, str, str], list[Preuve]] = defaultdict(list)
    for preuve in sorted(preuves, key=preuve_order):
        if preuve.state is not State.CONFORME:
            gathered[(preuve.state, preuve.brique, preuve.check)].append(preuve)
    found = [
        Finding(brique, check, state, tuple(preuve.commune for preuve in same), same[0])
        for (state, brique, check), same in gathered.items()
    ]
    return sorted(
        found,
        key=lambda finding: (
            finding.state is not State.NON_CONFORME,
            -len(finding.codes),
            brique_rank(finding.brique),
            natural_key(finding.check),
        ),
    )
