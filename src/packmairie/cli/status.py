# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie status`: is everything as promised, now."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.cli.plan import CommunesArgument
from packmairie.model.preuve import State, changed_since, worst
from packmairie.model.problem import ExitCode
from packmairie.operations.status import StatusResult, status_pack
from packmairie.reports.since import SinceView, render_since_json
from packmairie.reports.status_csv import render_csv
from packmairie.reports.status_html import render_html
from packmairie.reports.status_json import read_preuves, render_json
from packmairie.reports.status_report import StatusReport
from packmairie.reports.status_terminal import StatusView
from packmairie.reports.territory_map import registry_territory

EXIT_CODES = {
    State.CONFORME: ExitCode.SUCCESS,
    State.NON_CONFORME: ExitCode.NOT_CONFORM,
    State.NON_VERIFIE: ExitCode.NOT_VERIFIED,
}


def status(  # noqa: PLR0917 — Typer gives its parameters by position
    communes: CommunesArgument = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FICHIER", help="Écrire aussi le rapport illustré.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Résultat en CSV.")] = False,
    since: Annotated[
        Path | None,
        typer.Option("--since", metavar="FICHIER", help="Ne montrer que ce qui a changé depuis ce relevé (JSON)."),
    ] = None,
    save: Annotated[Path | None, typer.Option("--save", metavar="FICHIER", help="Garder le relevé en JSON.")] = None,
    skip_mail: Annotated[
        bool, typer.Option("--skip-mail", help="Laisser de côté l'aller-retour de courrier : rien n'est envoyé.")
    ] = False,
    detail: Annotated[bool, typer.Option("--detail", help="Montrer aussi chaque vérification conforme.")] = False,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Vérifier maintenant chaque commune, preuves à l'appui (0 conforme, 4 non conforme, 5 non vérifié)."""
    console = environment()
    earlier = read_preuves(since) if since else None
    with console.progress("Vérifications") as progress:
        result = status_pack(pack, communes or [], mail=not skip_mail, on_progress=progress)
    report = report_of(result)
    if html:
        html.write_text(render_html(report), encoding="utf-8")
        console.note(f"Rapport : {html}")
    if save:
        save.write_text(render_json(result.preuves), encoding="utf-8")
    if earlier is not None:
        pairs = changed_since(earlier, result.preuves)
        if as_json:
            sys.stdout.write(render_since_json(pairs))
        else:
            taken = max((preuve.at for preuve in earlier), default=None)
            console.out.print(SinceView(pairs, report.names, report.generated_at, taken))
    elif as_json:
        sys.stdout.write(render_json(result.preuves))
    elif as_csv:
        sys.stdout.write(render_csv(result.preuves))
    else:
        console.out.print(StatusView(report, detail))
    code = EXIT_CODES[worst(preuve.state for preuve in result.preuves)]
    if code is not ExitCode.SUCCESS:
        raise typer.Exit(int(code))


def report_of(result: StatusResult) -> StatusReport:
    """Return what the renderers need of a status."""
    file = result.pack.file
    return StatusReport(
        file.nom,
        file.operateur,
        datetime.now(UTC),
        tuple(result.pack.commune(code) for code in result.communes),
        result.preuves,
        registry_territory(file.eligibilite.departements),
        result.titles,
    )
