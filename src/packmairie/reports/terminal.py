# SPDX-License-Identifier: GPL-3.0-or-later
"""What every terminal rendering shares: the console, the styles, one line of counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from rich.console import Console
from rich.text import Text

from packmairie.model.change import Action
from packmairie.model.preuve import State
from packmairie.reports.wording import SYMBOLS

STATE_STYLES: Mapping[State, str] = {
    State.CONFORME: "green",
    State.NON_CONFORME: "bold red",
    State.NON_VERIFIE: "yellow",
}
ACTION_STYLES: Mapping[Action, str] = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DELETE: "red"}


def make_console(file: TextIO | None = None, *, width: int | None = None) -> Console:
    """Return a console that adds nothing of its own: no markup, no emoji names, no guessed highlighting.

    Given a stream (standard output by default) and a width (the terminal's by default). Rich itself leaves
    colours out when ``NO_COLOR`` is set or when the stream is not a terminal.
    """
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)


def state_text(state: State) -> Text:
    """Given a state, return its shape and words in its colour."""
    return Text(f"{SYMBOLS[state]} {state.label}", style=STATE_STYLES[state])
