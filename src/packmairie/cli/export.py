# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie export`: everything that a commune has on the platform, in one archive."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.model.problem import ExitCode
from packmairie.operations.export import export_commune

CommuneArgument = Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")]


def export(
    commune: CommuneArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FICHIER", help="Archive à écrire (.tar).")],
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Mettre dans une archive tout ce qu'une commune a ici : courrier, fichiers, site, sauvegarde, preuves."""
    console = environment()
    manifest = export_commune(pack, commune, to, lambda title: console.note(f"Export : {title}"))
    if as_json:
        console.json({"file": str(to), **asdict(manifest)})
    else:
        for part in manifest.parts:
            told = f"incomplet, {part.missing}" if part.missing else f"{part.files} fichiers, {part.octets} octets"
            console.say(f"{part.title} : {told}")
        console.say(f"Archive : {to} (vérifier : tar -xf, puis sha256sum --check SHA256SUMS)")
    if manifest.missing:
        console.note("Archive incomplète : elle ne permet pas de retirer la commune")
        raise typer.Exit(int(ExitCode.FAILURE))
