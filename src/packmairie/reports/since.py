# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two runs of ``status``, on a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

from packmairie.model.preuve import Preuve, State
from packmairie.reports.status_json import preuve_dict
from packmairie.reports.status_report import preuve_order
from packmairie.reports.terminal import STATE_STYLES
from packmairie.reports.wording import (
    age,
    brique_title,
    commune_label,
    count,
    enumeration,
    printable,
    symbol_and_words,
)

Pair = tuple[Preuve | None, Preuve | None]
"""A check before and after, as ``model.preuve.changed_since`` returns it; one of the two may be absent."""

_SEVERITY = {State.CONFORME: 0, State.NON_VERIFIE: 1, State.NON_CONFORME: 2}


class Turn(StrEnum):
    """Which way a check went."""

    WORSE = "degrade"
    BETTER = "ameliore"
    APPEARED = "apparu"
    VANISHED = "disparu"

    @property
    def words(self) -> tuple[str, str]:
        """The words shown to a reader, for one and for several."""
        return {
            "degrade": ("dégradation", "dégradations"),
            "ameliore": ("amélioration", "améliorations"),
            "apparu": ("contrôle nouveau", "contrôles nouveaux"),
            "disparu": ("contrôle disparu", "contrôles disparus"),
        }[self.value]


def turn_of(pair: Pair) -> Turn:
    """Given a pair, tell which way its check went. Raise ValueError when both sides are absent."""
    before, after = pair
    if before is None and after is None:
        raise ValueError("a pair holds at least one preuve")
    if before is None:
        return Turn.APPEARED
    if after is None:
        return Turn.VANISHED
    return Turn.WORSE if _SEVERITY[after.state] > _SEVERITY[before.state] else Turn.BETTER


def render_since_json(pairs: Iterable[Pair]) -> str:
    """Given pairs, return a JSON list: commune, brique, check, turn, and the preuves before and after (or null)."""
    objects: list[dict[str, Any]] = []
    for pair in _ordered(pairs):
        before, after = pair
        shown = _present(pair)
        objects.append(
            {
                "commune": shown.commune,
                "brique": shown.brique,
                "check": shown.check,
                "turn": turn_of(pair).value,
                "before": preuve_dict(before) if before else None,
                "after": preuve_dict(after) if after else None,
            }
        )
    return json.dumps(objects, ensure_ascii=False, indent=2) + "\n"


@dataclass(frozen=True)
class SinceView:
    """Pairs ready for ``console.print``, by commune; ``since`` is the date of the earlier run when it is known."""

    pairs: Sequence[Pair]
    names: Mapping[str, str]
    now: datetime
    since: datetime | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        earlier = f" ({age(self.since, self.now)})" if self.since else ""
        if not self.pairs:
            yield Text(f"Rien n'a changé d'état depuis le relevé précédent{earlier}.")
            return
        ordered = _ordered(self.pairs)
        for code, of_commune in groupby(ordered, key=lambda pair: _present(pair).commune):
            yield Text(commune_label(code, self.names), style="bold")
            for pair in of_commune:
                yield from self._pair(pair)
            yield Text()
        yield Text(f"{_totals(ordered)} depuis le relevé précédent{earlier}.")

    def _pair(self, pair: Pair) -> Iterator[RenderableType]:
        before, after = pair
        shown = _present(pair)
        code = f" [RPNT {printable(shown.rpnt)}]" if shown.rpnt and shown.rpnt not in shown.check else ""
        line = Text(f"  {brique_title(shown.brique)}, {printable(shown.check)}{code} : ")
        if before is None:
            line.append("nouveau, ")
        else:
            line.append(symbol_and_words(before.state), style=STATE_STYLES[before.state]).append(" → ")
        if after is None:
            yield line.append("n'est plus contrôlé")
            return
        yield line.append(symbol_and_words(after.state), style=STATE_STYLES[after.state])
        if after.state is not State.CONFORME:
            yield Padding(Text.assemble(("mesuré  : ", "dim"), printable(after.measured)), (0, 0, 0, 6))
            yield Padding(Text.assemble(("attendu : ", "dim"), printable(after.expected)), (0, 0, 0, 6))
            yield Padding(Text.assemble(("→ ", "bold"), printable(after.remedy)), (0, 0, 0, 6))


def _present(pair: Pair) -> Preuve:
    shown = pair[1] or pair[0]
    if shown is None:
        raise ValueError("a pair holds at least one preuve")
    return shown


def _ordered(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: preuve_order(_present(pair)))


def _totals(pairs: Sequence[Pair]) -> str:
    turns = [turn_of(pair) for pair in pairs]
    return enumeration([count(turns.count(turn), *turn.words) for turn in Turn if turn in turns])
