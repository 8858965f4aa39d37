# SPDX-License-Identifier: GPL-3.0-or-later
"""How a verification is shown: one line a finding, then its state; and the exit code that it ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from packmairie.cli.environment import Environment
from packmairie.formats.findings import Level, Report
from packmairie.model.preuve import State
from packmairie.model.problem import ExitCode
from packmairie.reports.wording import symbol_and_words

SchemasOption = Annotated[
    Path | None,
    typer.Option(
        "--schemas", metavar="DOSSIER", help="Dossier des schémas officiels (défaut : celui de pack.yml, ou voisin)."
    ),
]

EXIT_CODES = {
    State.CONFORME: ExitCode.SUCCESS,
    State.NON_CONFORME: ExitCode.NOT_CONFORM,
    State.NON_VERIFIE: ExitCode.NOT_VERIFIED,
}


def show(console: Environment, file: str, report: Report, what: str) -> None:
    """Print a report: findings on the standard output, each with its place and remedy, then the state."""
    for found in report.findings:
        place = f"{file}:{found.line}" if found.line else file
        mark = "" if found.level is Level.ERREUR else "[à vérifier] "
        about = f"{found.place} : " if found.place else ""
        console.say(f"{place}: {mark}{about}{found.reason} → {found.remedy}")
    for gap in report.unverified:
        console.note(gap)
    console.say(f"{symbol_and_words(report.state)} : {what}")


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "state": report.state.value,
        "findings": [
            {
                "line": found.line,
                "place": found.place,
                "level": "erreur" if found.level is Level.ERREUR else "a_verifier",
                "reason": found.reason,
                "remedy": found.remedy,
            }
            for found in report.findings
        ],
        "unverified": list(report.unverified),
    }


def end(report: Report) -> None:
    """End the command with the code of the report's state."""
    raise typer.Exit(int(EXIT_CODES[report.state]))
