# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what is sent stands: on the host of the file spaces, which holds the spools, else on this machine.

On the host, the unit of each brique names the folders by the environment; a technician's machine has none of them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from packmairie.engines.spool import Spool
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Hote, Pack
from packmairie.model.problem import fail

SPOOL_FOLDER = "envois"
SPOOL_VARIABLE = "PACKMAIRIE_ENVOIS"
"""The folder of the spools. Where it is set, commands work on this machine and on nothing else."""
SPACES_VARIABLE = "PACKMAIRIE_ESPACES"
"""The communes' file spaces: a folder for each INSEE code."""
CONTENTS_VARIABLE = "PACKMAIRIE_CONTENUS"
"""The content of the communes' sites: a folder for each INSEE code."""
HANDOVER_VARIABLE = "PACKMAIRIE_REMISE"
"""Where acts that were acknowledged wait to be archived, when another account archives them."""
SECRETS_VARIABLE = "PACKMAIRIE_SECRETS_HOTE"
"""A folder of JSON files, readable by one account, that stands for the vault."""


@dataclass(frozen=True)
class HostSpaces:
    """The host's own folders."""

    spaces: Path
    contents: Path
    handover: Path


def host_spaces() -> HostSpaces | None:
    """Return the folders of the host on which this runs, None on a technician's machine."""
    found = [os.environ.get(name) for name in (SPACES_VARIABLE, CONTENTS_VARIABLE, HANDOVER_VARIABLE)]
    return HostSpaces(*(Path(path) for path in found if path)) if all(found) else None


def spool_of(pack: Path, brique: str, insee: str) -> Spool:
    """Return the spool of a commune: under the folder that the environment names, else in the pack."""
    root = os.environ.get(SPOOL_VARIABLE)
    return Spool((Path(root) if root else pack / SPOOL_FOLDER) / brique / insee)


def spool_host(pack: Pack) -> tuple[str, Hote] | None:
    """Return the host of the platform that holds the spools, with its name; None when this machine does."""
    if os.environ.get(SPOOL_VARIABLE):
        return None
    return next(((name, host) for name, host in pack.file.plateforme.hotes.items() if "partage" in host.groupes), None)


def source_folder(insee: str, folder: Path) -> Path:
    """Given a folder as it was asked for, return where it is: on the host, below the commune's file space.

    Raise PackmairieError for a folder that leads out of it.
    """
    host = host_spaces()
    if host is None:
        return folder
    bases = [(root / insee).resolve() for root in (host.spaces, host.handover)]
    found = (bases[0] / folder).resolve()
    if not any(found.is_relative_to(base) for base in bases):
        raise fail(str(folder), "n'est pas un dossier de l'espace de fichiers", "donner par exemple a-archiver")
    return found


def secret(pack: Path, insee: str, name: str) -> str | None:
    """Return a secret of the commune, else of the platform, None when neither has it."""
    laid = os.environ.get(SECRETS_VARIABLE)
    for owner in (insee, PLATEFORME):
        value = _laid(Path(laid), owner).get(name) if laid else Vault(pack).read(owner).get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _laid(folder: Path, owner: str) -> dict[str, object]:
    try:
        found = json.loads((folder / f"{owner}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise fail(str(folder / f"{owner}.json"), f"secrets illisibles ({error})", "packmairie deploy") from None
    return found if isinstance(found, dict) else {}
