# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command shares: where it prints, the pack it works on, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from packmairie.model.problem import ExitCode, PackmairieError

DEFAULT_PACK = Path("inventories/demo")
PIPE_WIDTH = 160
"""Columns of a table that goes to a file or a pipe, where no terminal says how wide it is."""

PackOption = Annotated[
    Path,
    typer.Option("--pack", metavar="DOSSIER", envvar="PACKMAIRIE_PACK", help="Dossier du pack.", show_default=True),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Résultat en JSON, pour une machine.")]


@dataclass(frozen=True)
class Environment:
    """The two consoles of a command: ``out`` for its result, ``err`` for progress and problems.

    Rich reads NO_COLOR and knows a terminal from a pipe.
    """

    out: Console
    err: Console

    def json(self, data: Any) -> None:
        """Print data as JSON, and nothing else, on the standard output."""
        self.out.file.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")

    def say(self, text: str) -> None:
        """Print a line on the standard output; nothing in it is read as markup."""
        self.out.print(escape(text), highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a line beside the result."""
        self.err.print(escape(text), highlight=False, soft_wrap=True)

    def problems(self, error: PackmairieError) -> None:
        """Print one line a problem on the standard error."""
        for problem in error.problems:
            self.err.print(escape(str(problem)), style="red", highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """Give a function to call with (done, total); the bar is drawn on a terminal only, and goes away at the end."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self.err.is_terminal
        with Progress(*columns, console=self.err, transient=True, disable=hidden) as progress:
            task = progress.add_task(escape(title), total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    @contextmanager
    def steps(self, title: str, expected: int | None = None) -> Iterator[Callable[[Any], None]]:
        """Give a function to call with each ``Step`` of a playbook: a bar, the part and the task, the time spent.

        ``expected`` is how many tasks the last run had. Without a terminal each part is named once, so that a
        log of CI shows where a run is.
        """
        if not self.err.is_terminal:
            parts: set[str] = set()

            def name_part(step: Any) -> None:
                if step.role not in parts:
                    parts.add(step.role)
                    self.note(f"{title} : {step.role}")

            yield name_part
            return
        columns = (SpinnerColumn(), BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=self.err, transient=True) as progress:
            task = progress.add_task(escape(title), total=expected)

            def advance(step: Any) -> None:
                progress.update(task, advance=1, description=escape(f"{title} — {step.role} : {step.task}"[:80]))

            yield advance


def environment() -> Environment:
    """Return the consoles of the process as it is now (tests replace its streams)."""
    return Environment(_console(stderr=False), _console(stderr=True))


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH)


@contextmanager
def boundary() -> Iterator[None]:
    """Run a command; tell a PackmairieError on the standard error and end with its exit code."""
    try:
        yield
    except PackmairieError as error:
        environment().problems(error)
        raise typer.Exit(int(error.exit_code)) from None
    except KeyboardInterrupt:
        environment().note("Interrompu.")
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
