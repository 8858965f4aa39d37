# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie remove`: a commune that leaves, once it is archived."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.cli.export import CommuneArgument
from packmairie.model.problem import ExitCode
from packmairie.operations.deploy import RUNS_FOLDER, tasks_of_last_run
from packmairie.operations.leaving import remove_commune
from packmairie.operations.plan import failure_problems


def remove(  # noqa: PLR0917 — Typer gives its parameters by position
    commune: CommuneArgument,
    exported: Annotated[
        Path, typer.Option("--exported", metavar="ARCHIVE", help="Son archive du jour (packmairie export).")
    ],
    allow_removal: Annotated[bool, typer.Option("--allow-removal", help="Confirmer le retrait.")] = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Supprimer aussi son courrier, ses fichiers et son site des hôtes.")
    ] = False,
    runs: Annotated[Path, typer.Option("--runs", metavar="DOSSIER", help="Où garder la trace des exécutions.")] = Path(
        RUNS_FOLDER
    ),
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Retirer une commune de la plateforme, puis du pack, une fois son archive vérifiée."""
    console = environment()
    with console.steps("Retrait", tasks_of_last_run(runs)) as on_step:
        result = remove_commune(
            pack,
            commune,
            exported,
            runs=runs,
            allow_removal=allow_removal,
            delete_data=delete_data,
            on_step=on_step,
        )
    if as_json:
        console.json(asdict(result))
    else:
        console.say(f"{commune} : {'en échec' if result.failures else 'retirée'} ({len(result.changes)} changements)")
        for path in result.deleted:
            console.say(f"Supprimé : {path}")
        for path in result.kept:
            console.say(f"Gardé : {path}")
    for problem in failure_problems(result.failures) if result.failures else ():
        console.note(str(problem))
    if result.failures:
        raise typer.Exit(int(ExitCode.FAILURE))
