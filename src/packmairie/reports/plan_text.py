# SPDX-License-Identifier: GPL-3.0-or-later
"""``plan`` on a terminal: by commune then brique, with the signs that every reader of diffs knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

from packmairie.model.change import PLATEFORME, Action, Change, Plan
from packmairie.reports.status_report import FLEET
from packmairie.reports.terminal import ACTION_STYLES
from packmairie.reports.wording import brique_title, commune_label, count, enumeration, printable, printable_lines

NOTHING_TO_CHANGE = "Rien à changer : tout est déjà dans l'état décrit."
SHOWN_LINES = 20
"""Lines of one diff shown without ``detail``."""

_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def plan_totals(plan: Plan) -> str:
    """Given a plan, return ``3 créations, 1 modification pour 2 communes et la plateforme``."""
    nouns = {Action.CREATE: "création", Action.UPDATE: "modification", Action.DELETE: "suppression"}
    shown = [count(number, nouns[action]) for action, number in plan.counts().items() if number]
    touched = {change.commune for change in plan.changes}
    communes = len(touched - {PLATEFORME})
    targets = [count(communes, "commune")] if communes else []
    targets += ["la plateforme"] if PLATEFORME in touched else []
    return f"{enumeration(shown)} pour {enumeration(targets)}"


def plan_scope(plan: Plan) -> str:
    """Given a plan, say how many of the communes asked about are already as described; empty when none was named."""
    unchanged = len(set(plan.communes) - {change.commune for change in plan.changes})
    if not plan.communes or not plan.changes or not unchanged:
        return ""
    return f"{count(unchanged, 'commune')} sans changement."


def plan_conclusion(plan: Plan) -> str:
    """Given a plan, return its last word; a plan that could not foresee everything never says that nothing changes."""
    if plan.changes:
        return f"{plan_totals(plan)}."
    if plan.unforeseen:
        return "Aucun changement certain, mais tout n'a pas pu être prévu."
    return NOTHING_TO_CHANGE


@dataclass(frozen=True)
class PlanView:
    """A plan ready for ``console.print``; ``names`` are the communes' by INSEE code.

    Long diffs are cut, and left out altogether past ``status_report.FLEET`` communes, unless ``detail``.
    """

    plan: Plan
    names: Mapping[str, str]
    detail: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        with_diffs = self.detail or len({change.commune for change in self.plan.changes}) <= FLEET
        for code, briques in self.plan.by_commune():
            yield Text(commune_label(code, self.names), style="bold")
            for brique, changes in briques:
                yield Text(f"  {brique_title(brique)}", style="bold")
                for change in changes:
                    yield _change_line(change)
                    if with_diffs and change.detail:
                        yield self._diff(change.detail)
            yield Text()
        if self.plan.changes and not with_diffs:
            yield Text("Les différences ne sont pas montrées pour autant de communes : --detail les montre.\n")
        if self.plan.unforeseen:
            yield Text("Ne peut être connu qu'une fois une étape précédente appliquée", style="bold")
            for sentence in self.plan.unforeseen:
                yield Padding(Text(f"? {printable(sentence)}", style="yellow"), (0, 0, 0, 2))
            yield Text()
        yield Text(plan_conclusion(self.plan), style="bold")
        if plan_scope(self.plan):
            yield Text(plan_scope(self.plan))

    def _diff(self, detail: str) -> RenderableType:
        lines = printable_lines(detail.rstrip("\n"))
        shown = lines if self.detail or len(lines) <= SHOWN_LINES else lines[:SHOWN_LINES]
        text = Text("\n").join(Text(line, style=_DIFF_STYLES.get(line[:1], "dim")) for line in shown)
        if len(shown) < len(lines):
            rest = count(len(lines) - len(shown), "autre ligne", "autres lignes")
            text.append(f"\n… {rest} (--detail)", style="bold")
        return Padding(text, (0, 0, 0, 8))


def _change_line(change: Change) -> RenderableType:
    line = Text(f"{change.action.sign} ", style=f"bold {ACTION_STYLES[change.action]}")
    line.append(printable(change.what), style=ACTION_STYLES[change.action])
    return Padding(line.append(f"  ({printable(change.place)})", style="dim"), (0, 0, 0, 4))
