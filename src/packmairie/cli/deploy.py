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
from packmairie.model.deployment import Outcome
from packmairie.model.problem import ExitCode, fail
from packmairie.operations.deploy import RUNS_FOLDER, DeployResult, Options, deploy_pack, tasks_of_last_run
from packmairie.operations.plan import failure_problems
from packmairie.operations.proofs import VISITED_AT_ONCE
from packmairie.operations.saved_plan import read_plan
from packmairie.reports.status_report import names_of
from packmairie.reports.wording import commune_label, count

OUTCOME_STYLES = {
    Outcome.CHANGED: "yellow",
    Outcome.UNCHANGED: "green",
    Outcome.FAILED: "red",
    Outcome.UNPROVEN: "red",
    Outcome.INTERRUPTED: "red",
    Outcome.REMOVED: "yellow",
    Outcome.WAITING: "dim",
}
INVARIABLE = frozenset({Outcome.FAILED, Outcome.WAITING})
LISTED = 40
"""Communes named one by one; past that, those that are unchanged are only counted."""


def deploy(  # noqa: PLR0917 — Typer gives its parameters by position
    communes: CommunesArgument = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FICHIER", help="Appliquer exactement ce plan (plan --out), ou refuser."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Finir le dernier déploiement qui n'a pas abouti.")] = False,
    waves: Annotated[
        str | None,
        typer.Option(
            "--waves", metavar="N,N", help="Taille des premières vagues, au lieu de celles de pack.yml ; 0 : une."
        ),
    ] = None,
    allow_many: Annotated[
        bool, typer.Option("--allow-many", help="Accepter de changer une grande part des communes.")
    ] = False,
    allow_removal: Annotated[
        bool, typer.Option("--allow-removal", help="Accepter de retirer ce qui sert une commune absente du pack.")
    ] = False,
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
    """Déployer des communes (toutes si aucune n'est nommée), par vagues, et rendre compte de chacune."""
    console = environment()
    if plan is not None and resume:
        raise fail("--resume", "donné avec --plan", "choisir l'un ou l'autre : la reprise garde son plan")
    options = Options(force_dns, allow_many, allow_removal, wave_sizes(waves))
    saved = read_plan(plan) if plan is not None else None
    with console.steps("Déploiement", tasks_of_last_run(runs)) as on_step:
        result = deploy_pack(
            pack, communes or [], runs=runs, options=options, saved=saved, resume=resume, on_step=on_step
        )
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
    for preuve in result.faults:
        console.note(f"commune {preuve.commune}: {preuve.brique}.{preuve.check} : {preuve.measured} → {preuve.remedy}")
    for change in result.unplanned:
        console.note(f"{change.place} {change.what}: changé sans être au plan → relire la trace {result.folder}")
    if result.beyond:
        console.note(f"Non prouvées, leur nom ne mène pas encore ici : {', '.join(result.beyond[:LISTED])}")
    if result.sample:
        console.note(
            f"Grande vague : prouvée par {len(result.sample)} messages et {VISITED_AT_ONCE} visites, à intervalles"
            " réguliers → « packmairie status » vérifie toutes les communes"
        )
    if not result.succeeded:
        if any(outcome in (Outcome.WAITING, Outcome.UNPROVEN) for outcome in result.outcomes.values()):
            console.note("Vagues suivantes arrêtées → corriger, puis « packmairie deploy --resume »")
        raise typer.Exit(int(ExitCode.FAILURE))


def wave_sizes(text: str | None) -> tuple[int, ...] | None:
    """Given ``1,10``, return the sizes of the first waves; 0 is none. Raise PackmairieError."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) < 6 for word in words):
        raise fail("--waves", f"« {text[:40]} » n'est pas une suite de nombres", "écrire par exemple --waves 1,10")
    return tuple(int(word) for word in words if int(word))


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
        f"{totals[outcome]} {outcome.label}{'s' if totals[outcome] > 1 and outcome not in INVARIABLE else ''}"
        for outcome in Outcome
        if totals[outcome]
    )
    lines.append(Text(f"{summary} en {result.seconds:.0f} s ; trace : {result.folder}", style="bold"))
    return lines
