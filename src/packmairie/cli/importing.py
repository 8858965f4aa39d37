# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie import`: a commune's archive taken in another pack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.operations.leaving import import_data, import_settings


def import_(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="Archive faite par « packmairie export ».")],
    data: Annotated[
        bool,
        typer.Option("--data", help="Remettre courrier, fichiers et site sur les hôtes ; la commune y est déployée."),
    ] = False,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Reprendre une commune dans ce pack : ses réglages d'abord, puis, une fois déployée, ses données."""
    console = environment()
    if data:
        done = import_data(pack, archive, lambda title: console.note(f"Reprise : {title}"))
        if as_json:
            console.json({"parts": done})
            return
        for name, count in done.items():
            console.say(f"{name} : {count} fichiers et dossiers remis")
        return
    manifest, paths = import_settings(pack, archive)
    if as_json:
        console.json({"commune": manifest.insee, "files": [str(path) for path in paths]})
        return
    for path in paths:
        console.say(str(path))
    console.note(
        f"À suivre : packmairie deploy {manifest.insee}, puis packmairie import {archive} --data --pack {pack}"
    )
