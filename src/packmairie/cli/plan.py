# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie plan`: what would change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import ExitCode, fail
from packmairie.operations.deploy import RUNS_FOLDER, tasks_of_last_run
from packmairie.operations.offline import plan_offline
from packmairie.operations.plan import plan_pack
from packmairie.operations.saved_plan import save_plan
from packmairie.reports.plan_json import render_plan_json
from packmairie.reports.plan_markdown import render_plan_markdown
from packmairie.reports.plan_text import PlanView
from packmairie.reports.status_report import names_of

CommunesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="COMMUNE", help="Codes INSEE ; aucun : toutes les communes du pack.")
]
RENDERED_TITLES = {
    "communes": "communes",
    "zones": "zones DNS",
    "records": "enregistrements",
    "files": "fichiers",
    "parts": "parties de fichiers",
    "bytes": "octets",
}


def plan(  # noqa: PLR0917 — Typer gives its parameters by position
    communes: CommunesArgument = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ne rien contacter : valider, tout produire, relire.")
    ] = False,
    write_to: Annotated[
        Path | None, typer.Option("--write", metavar="DOSSIER", help="Avec --offline : y écrire ce qui est produit.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FICHIER", help="Garder ce plan, à appliquer tel quel par deploy --plan."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="En Markdown, pour une demande de fusion.")] = False,
    detail: Annotated[bool, typer.Option("--detail", help="Montrer les différences en entier.")] = False,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Montrer ce qui changerait, par commune et par brique ; rien n'est modifié (0 rien, 2 changements, 1 erreur)."""
    if offline:
        if out is not None:
            raise fail("--out", "un plan sans contact n'a rien observé", "retirer --offline")
        _offline(pack, communes or [], write_to, as_json)
        return
    if write_to is not None:
        raise fail("--write", "n'a de sens qu'avec --offline", "ajouter --offline")
    console = environment()
    with console.steps("Comparaison", tasks_of_last_run(Path(RUNS_FOLDER))) as on_step:
        found = plan_pack(pack, communes or [], on_step)
    loaded = load_pack(pack)
    names = names_of(loaded.communes)
    if out is not None:
        save_plan(found, loaded, out)
        console.note(f"Plan gardé : packmairie deploy --plan {out}")
    if as_json:
        sys.stdout.write(render_plan_json(found))
    elif markdown:
        sys.stdout.write(render_plan_markdown(found, names))
    else:
        console.out.print(PlanView(found, names, detail))
    if found.changes:
        raise typer.Exit(int(ExitCode.CHANGES))


def _offline(pack: Path, communes: list[str], write_to: Path | None, as_json: bool) -> None:
    rendered = plan_offline(pack, communes, write_to)
    counts = rendered.counts()
    console = environment()
    if as_json:
        console.json(counts | {"written": str(write_to) if write_to else None})
        return
    figures = ", ".join(f"{counts[key]:,} {title}".replace(",", " ") for key, title in RENDERED_TITLES.items())
    console.say(f"Pack valide, tout a été produit et relu sans rien contacter : {figures}.")
    if write_to:
        console.say(f"Fichiers et zones dans {write_to} (les secrets y sont remplacés).")
