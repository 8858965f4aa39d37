# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands about what is sent, run where the spools are: on the host of the file spaces, which follows them too."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import paramiko
import typer

from packmairie.cli.environment import environment
from packmairie.engines.hosts import relay_on
from packmairie.engines.spool import JOURNAL
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import fail
from packmairie.operations.envois import HOST_SPOOLS
from packmairie.operations.envois_places import spool_host, spool_of
from packmairie.operations.envois_rounds import follow_all

COMMAND = "/usr/local/lib/packmairie/envois-commande"
SILENT_SECONDS = 3600.0
"""A transfer of gigabytes is silent while it is read and sent."""
STANDARD_INPUT = Path("-")


def relayed(pack: Path, words: Sequence[str], *, file: Path | None = None, as_json: bool = False) -> None:
    """Run a command on the host that holds the spools, and end with its code; return where this machine holds them.

    ``words`` begin with the brique, the command and the INSEE code. ``file`` is read here and given to it as its
    standard input (``--file -``). Raise PackmairieError when the host cannot be reached.
    """
    host = spool_host(load_pack(pack))
    if host is None:
        return
    name, where = host
    known = spool_of(pack, words[0], words[2]).folder
    if (known / JOURNAL).exists():
        remedy = f"les copier sous {HOST_SPOOLS}/{words[0]} de {name}, puis renommer ce dossier ; ou PACKMAIRIE_ENVOIS"
        raise fail(str(known), "des envois sont restés sur cette machine : l'hôte les referait", remedy)
    given = b""
    asked = [COMMAND, *words]
    if file is not None:
        given = content_of(file)
        asked += ["--file", "-"]
    if as_json:
        asked.append("--json")
    try:
        code = relay_on(where, shlex.join(asked), given, (sys.stdout.buffer, sys.stderr.buffer), SILENT_SECONDS)
    except (paramiko.SSHException, OSError) as error:
        raise fail(f"hôte {name}", f"SSH impossible ({error})", "vérifier l'accès SSH, puis relancer") from None
    if code in (126, 127):
        raise fail(f"hôte {name}", "rien n'y est installé pour les envois", "packmairie deploy")
    raise typer.Exit(code)


def content_of(file: Path) -> bytes:
    """Return what a file holds, or the standard input for ``-``. Raise PackmairieError."""
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise fail(str(file), f"illisible ({error.strerror})", "indiquer le fichier reçu") from None


def here_only(host: object, option: str, value: object) -> None:
    """Refuse an option that means a place of this machine when the command runs on a host. Raise PackmairieError."""
    if host is not None and value is not None:
        raise fail(option, "la commande se fait sur l'hôte des fichiers", f"la relancer sans {option}")


def make_round(pack: Path, brique: str) -> None:
    """Make the hourly round on the host; a commune's trouble is told, and is no failure of the round itself."""
    console = environment()
    for insee, reason in follow_all(pack, brique, datetime.now().astimezone()).items():
        console.note(f"{insee} : {reason}")
