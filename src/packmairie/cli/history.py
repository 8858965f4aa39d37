# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie history`: who deployed what, when, and what became of it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.model.deployment import Ending, Outcome, RunRecord
from packmairie.operations.deploy import RUNS_FOLDER
from packmairie.operations.journal import read_runs

ENDING_STYLES = {Ending.SUCCEEDED: "green", Ending.FAILED: "red", Ending.INTERRUPTED: "yellow", Ending.RUNNING: "cyan"}


def history(
    runs: Annotated[Path, typer.Option("--runs", metavar="DOSSIER", help="Où sont les traces des exécutions.")] = Path(
        RUNS_FOLDER
    ),
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Nombre d'exécutions montrées.")] = 20,
    detail: Annotated[bool, typer.Option("--detail", help="Montrer aussi chaque commune.")] = False,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Lister les déploiements du pack, du plus récent au plus ancien : qui, quand, quel plan, quel résultat."""
    found = read_runs(runs, pack)[:limit]
    console = environment()
    if as_json:
        console.json([run.as_dict() for run in found])
        return
    if not found:
        console.say(f"Aucun déploiement de {pack} dans {runs}")
        return
    table = Table("Exécution", "Début", "Par", "Plan", "Résultat", "Communes")
    table.columns[-1].overflow = "fold"
    for run in found:
        plan = run.request.plan[:12] or ("reprise" if run.request.resumes else "–")
        result = f"[{ENDING_STYLES[run.ending]}]{run.ending.label}[/]"
        cells = (run.name, local(run.started), run.who, plan)
        table.add_row(*(escape(cell) for cell in cells), result, escape(summary(run)))
    console.out.print(table)
    for run in found if detail else ():
        for code, outcome in run.outcomes.items():
            console.say(f"{run.name} {code} : {outcome.label}")


def local(moment: str) -> str:
    """Return a moment of a journal in the machine's own time."""
    return datetime.fromisoformat(moment).astimezone().strftime("%d/%m/%Y %H:%M")


def summary(run: RunRecord) -> str:
    """Return how many communes had each outcome."""
    totals = Counter(run.outcomes.values())
    return ", ".join(f"{totals[outcome]} {outcome.label}" for outcome in Outcome if totals[outcome])
