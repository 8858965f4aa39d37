# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie presence`: the website of a commune, seen before it is deployed."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.operations import presence as operations

app = typer.Typer(help="Présence : aperçu du site d'une commune.", no_args_is_help=True)


@app.callback()
def presence() -> None:
    """Keep the group a group while it has a single command."""


@app.command()
def preview(  # noqa: PLR0917 - Typer gives its parameters by position
    insee: Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")],
    to: Annotated[Path, typer.Option("--to", metavar="DOSSIER", help="Où construire le site.")],
    content: Annotated[
        Path | None,
        typer.Option("--content", metavar="DOSSIER", help="Contenu du secrétariat (défaut : contenu/INSEE du pack)."),
    ] = None,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve", metavar="PORT", min=0, max=65535, help="Montrer le site sur ce port, de cette machine."
        ),
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Construire le site d'une commune sur cette machine, pour le regarder avant de le déployer."""
    built = operations.preview(pack, insee, to, content, datetime.now().astimezone().date())
    console = environment()
    if as_json:
        console.json(
            {"host": built.host, "folder": str(built.folder), "files": built.files, "problems": list(built.problems)}
        )
    else:
        console.say(f"{built.folder} : site de {built.host}, {built.files} fichiers")
        for problem in built.problems:
            console.note(problem)
    if serve is not None:
        _serve(built.folder, serve)


def _serve(folder: Path, port: int) -> None:
    """Show a folder over HTTP on the loopback until interrupted."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        environment().note(f"http://127.0.0.1:{server.server_port}/ (Ctrl+C pour arrêter)")
        server.serve_forever()


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
