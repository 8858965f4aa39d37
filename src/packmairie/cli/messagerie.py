# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie messagerie`: the acts of mail that are not a deployment."""

from __future__ import annotations

from dataclasses import asdict

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.cli.plan import CommunesArgument
from packmairie.inventory.loader import load_pack
from packmairie.operations.rotation import rotate_keys
from packmairie.reports.status_report import names_of
from packmairie.reports.wording import commune_label

app = typer.Typer(help="Messagerie : renouvellement des clés de signature.", no_args_is_help=True)


@app.callback()
def messagerie() -> None:
    """Keep the group a group while it has a single command."""


@app.command("rotate-dkim")
def rotate_dkim(
    communes: CommunesArgument = None, pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False
) -> None:
    """Renouveler les clés DKIM, sans toucher aux zones des communes : à relancer jusqu'à ce que la clé signe."""
    rotations = rotate_keys(pack, communes or [])
    console = environment()
    if as_json:
        console.json([asdict(rotation) for rotation in rotations])
        return
    names = names_of(load_pack(pack).communes)
    for rotation in rotations:
        console.say(f"{commune_label(rotation.commune, names)} : {rotation.message}")
