# SPDX-License-Identifier: GPL-3.0-or-later
"""Where something stands in a DECP document, as its reader knows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from packmairie.formats.findings import Path, shown

Line = Callable[[Path], int]
"""Given a path, the line of the source, 0 when there is none."""


def place_of(document: Any, path: Path) -> str:
    """Return a path as its reader knows it: the contract's number, then the keys below it."""
    if len(path) < 3 or not isinstance(path[2], int):
        return shown(path)
    kind = "marché" if path[1] == "marche" else "concession"
    try:
        number = str(document["marches"][path[1]][path[2]].get("id") or f"n° {path[2] + 1}")
    except (KeyError, IndexError, TypeError, AttributeError):
        number = f"n° {path[2] + 1}"
    below = shown(path[3:])
    return f"{kind} {number}, {below}" if below else f"{kind} {number}"
