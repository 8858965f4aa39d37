# SPDX-License-Identifier: GPL-3.0-or-later
"""The host keys of the workstations that keep a tunnel, known from the vault before anybody has met them."""

from __future__ import annotations

from pathlib import Path

from packmairie.briques.postes import host_secret
from packmairie.inventory.atomic import write_file
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.problem import fail
from packmairie.operations.variables import known_hosts_file


def write_known_hosts(folder: Path) -> tuple[Path, int]:
    """Given a pack, write the keys of its workstations in service as known_hosts(5); return the file and their number.

    Nothing in it is secret. Raise PackmairieError when the vault cannot be opened or the file not written.
    """
    pack, vault = load_pack(folder), Vault(folder)
    lines = []
    for commune in pack.communes:
        secrets = vault.read(commune.insee) if commune.postes else {}
        for poste in commune.postes:
            key = secrets.get(host_secret(poste))
            if poste.tunnelled and isinstance(key, dict):
                lines.append(f"{poste.nom} {key['publique']}\n")
    path = known_hosts_file(str(folder))
    try:
        write_file(path, "".join(lines))
    except OSError as error:
        raise fail(str(path), f"écriture impossible ({error.strerror})", "vérifier les droits du dossier") from None
    return path, len(lines)
