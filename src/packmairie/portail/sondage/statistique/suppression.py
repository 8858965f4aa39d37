# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cells of a cross table must be hidden, so that none of the small ones can be computed from the rest."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from packmairie.portail.sondage.statistique.groups import SMALLEST

Cell = tuple[str, str]
_EMPTY = 1_000_000


def hidden_cells(
    table: Mapping[Cell, int], rows: Sequence[str], columns: Sequence[str], minimum: int = SMALLEST
) -> frozenset[Cell]:
    """Return the cells to hide of a table of numbers of answers whose margins are shown.

    First those of 1 to ``minimum`` − 1 answers. Then others, as few answers as possible, until none is alone: take
    rows and columns as points and hidden cells as lines between them; a hidden number follows from the margins exactly
    when its line is a bridge, on no closed path (Gusfield 1988). Each bridge is therefore closed by the cheapest path;
    empty cells come last, since they can only move one way. A table too small for that is hidden whole.
    """
    small = {(r, c) for r in rows for c in columns if 0 < table.get((r, c), 0) < minimum}
    hidden = set(small)
    while True:
        bridge = next((cell for cell in sorted(hidden) if _alone(cell, hidden)), None)
        if bridge is None:
            return frozenset(hidden)
        path = _cheapest(bridge, table, rows, columns, hidden)
        if path is None:
            return frozenset((r, c) for r in rows for c in columns)
        hidden |= path


def _alone(cell: Cell, hidden: set[Cell]) -> bool:
    """Tell whether a hidden cell is on no closed path of hidden cells."""
    reached = {("row", cell[0])}
    waiting = [("row", cell[0])]
    while waiting:
        kind, name = waiting.pop()
        for row, column in hidden - {cell}:
            here, there = (row, column) if kind == "row" else (column, row)
            point = ("column" if kind == "row" else "row", there)
            if here == name and point not in reached:
                reached.add(point)
                waiting.append(point)
    return ("column", cell[1]) not in reached


def _cheapest(
    cell: Cell, table: Mapping[Cell, int], rows: Sequence[str], columns: Sequence[str], hidden: set[Cell]
) -> set[Cell] | None:
    """Return the cells of the cheapest path from a cell's row to its column that does not use the cell."""
    queue: list[tuple[int, str, str, tuple[Cell, ...]]] = [(0, "row", cell[0], ())]
    closed: set[tuple[str, str]] = set()
    while queue:
        cost, kind, name, path = heapq.heappop(queue)
        if (kind, name) in closed:
            continue
        closed.add((kind, name))
        if (kind, name) == ("column", cell[1]):
            return set(path)
        for other in columns if kind == "row" else rows:
            step = (name, other) if kind == "row" else (other, name)
            if step == cell:
                continue
            price = 0 if step in hidden else table.get(step, 0) or _EMPTY
            heapq.heappush(queue, (cost + price, "column" if kind == "row" else "row", other, (*path, step)))
    return None
