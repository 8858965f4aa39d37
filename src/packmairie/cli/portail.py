# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie portail`: the CdG's web services (signalement, sondage), on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import environment

app = typer.Typer(help="Portail du CdG : signalement et sondage.", no_args_is_help=True)

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DOSSIER", help="Dossier des données (SQLite) ; défaut : ./portail-donnees."),
]


def _prepare(data: Path | None) -> None:
    """Name the settings, and the folder of the data, to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "packmairie.portail.projet.settings")
    if data is not None:
        os.environ["PACKMAIRIE_PORTAIL_DONNEES"] = str(data.absolute())
    import django

    django.setup()


@app.command()
def serve(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port, sur cette machine seulement.")] = 8765,
    data: DataOption = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=16, help="Processus.")] = 1,
) -> None:
    """Préparer la base et servir le portail sur http://127.0.0.1:PORT/ avec gunicorn."""
    _prepare(data)
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    from packmairie.portail.projet.serveur import run

    environment().note(f"http://127.0.0.1:{port}/ (Ctrl+C pour arrêter)")
    run(f"127.0.0.1:{port}", workers)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def manage(context: typer.Context, data: DataOption = None) -> None:
    """Passer une commande de gestion au portail (par exemple : manage migrate)."""
    _prepare(data)
    from django.core.management import execute_from_command_line

    execute_from_command_line(["packmairie portail manage", *context.args])
