# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie deploy`: bring the platform and its communes to the state of their files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.cli.plan import CommunesArgument
from packmairie.inventory.loader import load_pack
from packmairie.model.change import PLATEFORME
from packmairie.model.problem import ExitCode
from packmairie.operations.deploy import RUNS_FOLDER, DeployResult, Outcome, deploy_pack, tasks_of_last_run
from packmairie.operations.plan import failure_problems
from packmairie.reports.status_report import names_of
from packmairie.reports.wording import commune_label, count

OUTCOME_STYLES = {Outcome.CHANGED: "yellow", Outcome.UNCHANGED: "green", Outcome.FAILED: "red"}
LISTED = 40
"""Communes named one by one; past that, those that are unchanged are only counted."""


def deploy(  # noqa: PLR0917 — Typer gives its parameters by position
    communes: CommunesArgument = None,
    runs: Annotated[Path, typer.Option("--runs", metavar="DOSSIER", help="Où garder la trace des exécutions.")] = Path(
        RUNS_FOLDER
    ),
    force_dns: Annotated[
        bool, typer.Option("--force-dns", help="Accepter un changement de zone que octoDNS juge dangereux.")
    ] = False,
    detail: Annotated[bool, typer.Option("--detail", help="Montrer chaque changement fait.")] = False,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Déployer des communes (toutes si aucune n'est nommée), et rendre compte de chacune."""
    console = environment()
    with console.steps("Déploiement", tasks_of_last_run(runs)) as on_step:
        result = deploy_pack(pack, communes or [], runs=runs, force_dns=force_dns, on_step=on_step)
    if as_json:
        console.json(result.as_dict())
    else:
        names = names_of(load_pack(pack).communes)
        for line in account(result, names):
            console.out.print(line)
        for change in sorted(result.changes, key=lambda change: change.sort_key) if detail else ():
            console.say(
                f"  {change.action.sign} {commune_label(change.commune, names)} : {change.what} ({change.place})"
            )
    for problem in failure_problems(result.failures) if result.failures else ():
        console.note(str(problem))
    if not result.succeeded:
        raise typer.Exit(int(ExitCode.FAILURE))


def account(result: DeployResult, names: dict[str, str]) -> list[Text]:
    """Return the lines that tell what became of each commune, then of the whole."""
    changed = Counter(change.commune for change in result.changes)
    lines = []
    if changed[PLATEFORME]:
        lines.append(Text(f"Plateforme : {count(changed[PLATEFORME], 'changement')}"))
    for code, outcome in result.outcomes.items():
        if len(result.outcomes) > LISTED and outcome is Outcome.UNCHANGED:
            continue
        line = Text(f"{commune_label(code, names)} : ")
        line.append(outcome.label, style=OUTCOME_STYLES[outcome])
        if changed[code]:
            line.append(f" ({count(changed[code], 'changement')})")
        lines.append(line)
    totals = Counter(result.outcomes.values())
    summary = ", ".join(
        f"{totals[outcome]} {outcome.label}{'s' if totals[outcome] > 1 and outcome is not Outcome.FAILED else ''}"
        for outcome in Outcome
        if totals[outcome]
    )
    lines.append(Text(f"{summary} en {result.seconds:.0f} s ; trace : {result.folder}", style="bold"))
    return lines
