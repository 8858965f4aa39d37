# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie marches`: the register of contracts verified, and published as essential data."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.cli.findings import SchemasOption, as_data, end, show
from packmairie.model.problem import fail
from packmairie.operations import marches as operations

app = typer.Typer(help="Marchés publics : vérifier le registre d'une commune, le publier.", no_args_is_help=True)


@app.command()
def verify(
    insee: Annotated[str | None, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FICHIER", help="Vérifier ce document DECP (JSON), de qui que ce soit."),
    ] = None,
    schemas: SchemasOption = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Vérifier des marchés : le schéma officiel DECP 2.0.3, et ce qu'il laisse passer."""
    if (insee is None) == (file is None):
        raise fail("packmairie marches verify", "un code INSEE ou --file, l'un des deux", "en donner un seul")
    today = datetime.now().astimezone().date()
    if file is not None:
        found = operations.verify_file(file, today, schemas)
    else:
        found = operations.verify(pack, insee or "", today, schemas)
    console = environment()
    if as_json:
        console.json(
            {"file": str(found.file), "contracts": found.contracts, "late": list(found.late), **as_data(found.report)}
        )
    else:
        show(console, str(found.file), found.report, f"{found.contracts} contrats")
        for line in operations.advice(found):
            console.note(line)
    end(found.report)


@app.command()
def publish(
    insee: Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")],
    schemas: SchemasOption = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Écrire ce que le site de la commune publiera de ses marchés ; packmairie deploy le met en ligne."""
    done = operations.publish(pack, insee, datetime.now().astimezone().date(), schemas)
    console = environment()
    if as_json:
        console.json(
            {
                "folder": str(done.folder),
                "changed": list(done.changed),
                "address": done.address,
                "essential": done.essential,
                "listed": {str(year): count for year, count in done.listed.items()},
                **as_data(done.verified.report),
            }
        )
        return
    for found in done.verified.report.findings:
        console.note(f"{done.verified.file}:{found.line}: {found.place} : {found.reason} → {found.remedy}")
    listed = "".join(f", {count} dans la liste de {year}" for year, count in done.listed.items())
    console.say(f"{done.folder} : {done.essential} marchés en DECP{listed}")
    if done.changed:
        console.say(f"Changés : {', '.join(done.changed)} → packmairie deploy {insee}, puis {done.address}decp.json")
    else:
        console.say("Rien n'a changé.")
