# SPDX-License-Identifier: GPL-3.0-or-later
"""``status`` on a terminal: what is wrong first, in the width there is, for three communes as for nine hundred."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from packmairie.model.preuve import Preuve, State
from packmairie.reports.status_report import Finding, Section, StatusReport, findings
from packmairie.reports.synthesis import counts_words
from packmairie.reports.terminal import STATE_STYLES, state_text
from packmairie.reports.wording import (
    SYMBOLS,
    age,
    brique_title,
    commune_name,
    count,
    enumeration,
    printable,
    thousands,
)

WIDE = 110
"""From this many columns a table is easier to scan than stacked lines."""

STATE_WIDTH = 15
AGE_WIDTH = 14
LISTED_COMMUNES = 40
"""Communes named one by one in a fleet's summary; the rest is counted."""


@dataclass(frozen=True)
class StatusView:
    """A report ready for ``console.print``.

    By default the conforming checks of a brique take one line, and past ``status_report.FLEET`` communes what
    is wrong is gathered by cause rather than repeated by commune. ``detail`` shows every check of every commune.
    """

    report: StatusReport
    detail: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        wide = options.max_width >= WIDE
        if self.report.is_fleet and not self.detail:
            yield from self._fleet(options.max_width)
        else:
            for section in self.report.sections:
                yield from self._section(section, options.max_width if wide else None)
        yield from self._summary()

    def _section(self, section: Section, table_width: int | None) -> Iterator[RenderableType]:
        yield _heading(section)
        for brique, preuves in section.briques:
            title = Text(f"  {brique_title(brique)}", style="bold")
            conforming = [preuve for preuve in preuves if preuve.state is State.CONFORME]
            others = [preuve for preuve in preuves if preuve.state is not State.CONFORME]
            if conforming and not self.detail:
                words = f"  {SYMBOLS[State.CONFORME]} {_checks(len(conforming))}, {self._ages(conforming)}"
                title.append(words, style=f"not bold {STATE_STYLES[State.CONFORME]}")
            yield title
            yield from self._preuves(preuves if self.detail else others, table_width)
        yield Text()

    def _preuves(self, preuves: Iterable[Preuve], table_width: int | None) -> Iterator[RenderableType]:
        if table_width is None:
            for preuve in preuves:
                yield from self._stacked(preuve)
            return
        rows: list[Preuve] = []
        for preuve in preuves:
            rows.append(preuve)
            if preuve.state is not State.CONFORME:
                yield self._rows(rows, table_width)
                yield _remedy(preuve.remedy, STATE_WIDTH + 4)
                rows = []
        if rows:
            yield self._rows(rows, table_width)

    def _rows(self, preuves: list[Preuve], width: int) -> RenderableType:
        """Lay rows out in columns whose widths depend on the terminal alone, so that all sections line up."""
        free = width - 2 - STATE_WIDTH - AGE_WIDTH - 4 * 2
        check_width = free * 3 // 10
        measured_width = (free - check_width) // 2
        table = Table.grid(padding=(0, 2, 0, 0))
        for column_width in (STATE_WIDTH, check_width, measured_width, free - check_width - measured_width, AGE_WIDTH):
            table.add_column(width=column_width, overflow="fold")
        for preuve in preuves:
            table.add_row(
                state_text(preuve.state),
                self._check(preuve),
                Text(printable(preuve.measured)),
                Text.assemble(("attendu : ", "dim"), printable(preuve.expected)),
                Text(age(preuve.at, self.report.generated_at), style="dim"),
            )
        return Padding(table, (0, 0, 0, 2))

    def _stacked(self, preuve: Preuve) -> Iterator[RenderableType]:
        shown_age = Text(age(preuve.at, self.report.generated_at), style="dim")
        yield _in_columns(state_text(preuve.state), self._check(preuve), shown_age)
        yield Padding(Text.assemble(("mesuré  : ", "dim"), printable(preuve.measured)), (0, 0, 0, 6))
        yield Padding(Text.assemble(("attendu : ", "dim"), printable(preuve.expected)), (0, 0, 0, 6))
        if preuve.state is not State.CONFORME:
            yield _remedy(preuve.remedy, 6)

    def _check(self, preuve: Preuve) -> Text:
        """Name the check by its identifier, its RPNT code when the identifier does not show it, and its title."""
        text = Text(printable(preuve.check))
        if preuve.rpnt and preuve.rpnt not in preuve.check:
            text.append(f" [RPNT {printable(preuve.rpnt)}]")
        if preuve.rpnt or preuve.check in self.report.titles:
            text.append(f" {self.report.title_of(preuve)}", style="dim")
        return text

    def _ages(self, preuves: list[Preuve]) -> str:
        """Say the age of the oldest of several preuves: the one that a reader may trust least."""
        return age(min(preuve.at for preuve in preuves), self.report.generated_at)

    def _fleet(self, width: int) -> Iterator[RenderableType]:
        if self.report.platform is not None:
            yield from self._section(self.report.platform, width if width >= WIDE else None)
        of_communes = [preuve for section in self.report.commune_sections for preuve in section.preuves]
        found = findings(of_communes)
        if found:
            yield Text("Constats, du plus répandu au plus rare", style="bold underline")
            for finding in found:
                yield from self._finding(finding)
            yield Text()
        yield from self._to_handle()

    def _finding(self, finding: Finding) -> Iterator[RenderableType]:
        names = [commune_name(code, self.report.names) for code in finding.codes]
        subject = Text(f"{brique_title(finding.brique)} : ").append_text(self._check(finding.example))
        number = Text(count(len(finding.codes), "commune"), style="bold")
        yield _in_columns(state_text(finding.state), subject, number)
        yield Padding(Text(enumeration(names, limit=4), style="dim"), (0, 0, 0, 6))
        yield Padding(Text.assemble((f"{names[0]} : ", "dim"), printable(finding.example.measured)), (0, 0, 0, 6))
        yield _remedy(finding.example.remedy, 6)

    def _to_handle(self) -> Iterator[RenderableType]:
        wrong = [section for section in self.report.commune_sections if section.state is not State.CONFORME]
        if not wrong:
            return
        wrong.sort(key=lambda section: (-section.counts[State.NON_CONFORME], -section.counts[State.NON_VERIFIE]))
        yield Text("Communes à traiter", style="bold underline")
        for section in wrong[:LISTED_COMMUNES]:
            yield Text("  ").append_text(_heading(section))
        if len(wrong) > LISTED_COMMUNES:
            rest = count(len(wrong) - LISTED_COMMUNES, "autre commune", "autres communes")
            yield Text(f"  … et {rest} : --detail les montre toutes, --html, --csv et --json aussi.")
        yield Text()

    def _summary(self) -> Iterator[RenderableType]:
        counts = self.report.commune_counts
        communes = count(len(self.report.commune_sections), "commune")
        checks = count(len(self.report.preuves), "contrôle")
        yield Text.assemble((f"{communes} : ", "bold"), counts_words(counts, feminine=True))
        yield Text.assemble((f"{checks} : ", "bold"), counts_words(self.report.check_counts))


def _in_columns(state: Text, subject: Text, last: Text) -> RenderableType:
    """Lay three texts out so that a long subject wraps under itself."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=STATE_WIDTH)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(width=AGE_WIDTH)
    table.add_row(state, subject, last)
    return Padding(table, (0, 0, 0, 2))


def _heading(section: Section) -> Text:
    text = Text()
    text.append(f"{SYMBOLS[section.state]} ", style=STATE_STYLES[section.state])
    text.append(section.name, style="bold")
    if section.commune is not None:
        text.append(f" {printable(section.code)}")
    return text.append(f" : {counts_words(section.counts)}")


def _checks(number: int) -> str:
    return "1 contrôle conforme" if number == 1 else f"{thousands(number)} contrôles conformes"


def _remedy(remedy: str, indent: int) -> RenderableType:
    return Padding(Text.assemble(("→ ", "bold"), printable(remedy)), (0, 0, 0, indent))
