# SPDX-License-Identifier: GPL-3.0-or-later
"""``status --html``: one self-contained page that a mayor can read, print and keep.

The page asks nothing of the network and runs no script; its own Content-Security-Policy forbids both, so that
a value that came from a stranger's server cannot make it do otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from packmairie.model.preuve import Preuve, State
from packmairie.reports.rpnt_levels import (
    CRITERIA,
    LEVEL_TITLES,
    LEVELS,
    VERSION,
    Criterion,
    Reached,
    commune_levels,
    criteria_states,
)
from packmairie.reports.status_report import Section, StatusReport, by_brique, findings
from packmairie.reports.synthesis import counts_words, fleet_sentence, platform_sentence, section_sentence
from packmairie.reports.territory_map import draw
from packmairie.reports.wording import (
    PLATEFORME_TITLE,
    SYMBOLS,
    alphabetical_key,
    brique_title,
    commune_name,
    count,
    enumeration,
    long_date,
    paris,
    printable,
    short_date,
    thousands,
)

LETTERS = {State.CONFORME: "c", State.NON_CONFORME: "n", State.NON_VERIFIE: "u"}
"""One-letter classes: a page of 905 communes repeats them 40,000 times."""

LEVEL_LETTERS = {Reached.YES: "c", Reached.NO: "n", Reached.UNKNOWN: "u"}


@dataclass(frozen=True)
class RpntRow:
    """The criteria and levels of one commune."""

    section: Section
    criteria: dict[str, State]
    levels: dict[str, Reached]


@dataclass(frozen=True)
class LevelTotal:
    """How many communes reach a level, do not, or are not verified."""

    level: str
    title: str
    communes: dict[Reached, int]


@dataclass(frozen=True)
class RpntTable:
    """The RPNT matrix: what was evaluated for at least one commune, and how many communes reach each level."""

    criteria: tuple[Criterion, ...]
    columns: tuple[str, ...]
    """Levels of which something is known for at least one commune."""
    rows: tuple[RpntRow, ...]
    totals: tuple[LevelTotal, ...]


def render_html(report: StatusReport) -> str:
    """Given a report, return the whole HTML page (to write as UTF-8)."""
    sections = sorted(report.commune_sections, key=lambda section: (alphabetical_key(section.name), section.code))
    return _template().render(
        report=report,
        sections=sections,
        fleet=report.is_fleet,
        fleet_sentence=fleet_sentence(report),
        platform_sentence=platform_sentence(report),
        communes_by_brique=by_brique(report.commune_sections),
        found=findings(preuve for section in report.commune_sections for preuve in section.preuves),
        map=draw(report),
        rpnt=rpnt_table(sections),
        in_paris_time=paris() is not None,
    )


def rpnt_table(sections: list[Section]) -> RpntTable | None:
    """Given sections of communes, return their RPNT matrix, or None when no criterion was evaluated."""
    rows = tuple(
        RpntRow(section, criteria_states(section.preuves), commune_levels(section.commune, section.preuves))
        for section in sections
    )
    evaluated = {code for row in rows for code in row.criteria}
    if not evaluated:
        return None
    reached = {level: [row.levels[level] for row in rows] for level in LEVELS}
    return RpntTable(
        criteria=tuple(criterion for code, criterion in CRITERIA.items() if code in evaluated),
        columns=tuple(level for level in LEVELS if any(value is not Reached.UNKNOWN for value in reached[level])),
        rows=rows,
        totals=tuple(
            LevelTotal(level, LEVEL_TITLES[level], {value: reached[level].count(value) for value in Reached})
            for level in LEVELS
        ),
    )


def sentence(text: str) -> str:
    """Given a sentence, return it with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def anchor(code: str) -> str:
    """Given a commune's code, return the identifier of its section (HTML forbids spaces in one)."""
    return "c-" + re.sub(r"[^A-Za-z0-9]", "-", code)


def conforming_by_brique(section: Section) -> list[tuple[str, tuple[Preuve, ...]]]:
    """Given a section, return its conforming preuves by brique, briques without any left out."""
    found = [
        (brique, tuple(preuve for preuve in preuves if preuve.state is State.CONFORME))
        for brique, preuves in section.briques
    ]
    return [(brique, preuves) for brique, preuves in found if preuves]


def _safe(value: object) -> object:
    """Clean every text that a template writes; escaping alone leaves control and direction characters in."""
    return printable(value) if type(value) is str else value


@cache
def _template() -> Template:
    """Return the page's template; escaping is always on, whatever the file's extension."""
    environment = Environment(
        loader=PackageLoader("packmairie.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        anchor=anchor,
        long_date=long_date,
        short_date=short_date,
        thousands=thousands,
        brique_title=brique_title,
        counts_words=counts_words,
        section_sentence=section_sentence,
        sentence=sentence,
        enumeration=enumeration,
    )
    environment.globals.update(
        State=State,
        Reached=Reached,
        STATES=tuple(State),
        SYMBOLS=SYMBOLS,
        LETTERS=LETTERS,
        LEVEL_LETTERS=LEVEL_LETTERS,
        LEVEL_TITLES=LEVEL_TITLES,
        CRITERIA=CRITERIA,
        RPNT_VERSION=VERSION,
        PLATEFORME_TITLE=PLATEFORME_TITLE,
        count=count,
        commune_name=commune_name,
        conforming_by_brique=conforming_by_brique,
    )
    return environment.get_template("rapport.html.j2")
