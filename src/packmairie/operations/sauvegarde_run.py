# SPDX-License-Identifier: GPL-3.0-or-later
"""``sauvegarde run``: back up now, without waiting for the timers."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from paramiko import SSHException

from packmairie.briques.sauvegarde_repositories import has_store
from packmairie.engines.hosts import command_on
from packmairie.inventory.loader import load_pack
from packmairie.model.pack import Hote
from packmairie.model.problem import fail
from packmairie.operations.desired import select
from packmairie.operations.variables import BACKED_UP

UNIT = "packmairie-sauvegarde.service"
SECONDS = 6 * 3600.0
COMMAND = (
    f"systemctl start {UNIT}; code=$?;"
    f" id=$(systemctl show --property=InvocationID --value {UNIT});"
    # What PAM says of a hook that changes its account is not for the technician.
    " journalctl --no-pager --output=cat _SYSTEMD_INVOCATION_ID=$id _TRANSPORT=stdout;"
    " exit $code"
)


@dataclass(frozen=True)
class HostRun:
    """What the backups of one host gave: whether all succeeded, and what the unit said."""

    host: str
    succeeded: bool
    said: str


def run_backups(folder: Path, wanted: Iterable[str] = ()) -> tuple[HostRun, ...]:
    """Given a pack's folder and a selection of communes (none means all), back up shared hosts and workstations.

    A shared host backs up every commune: the selection is of workstations. Raise PackmairieError without a store.
    """
    pack = load_pack(folder)
    if not has_store(pack):
        raise fail("pack.yml", "le pack n'a pas de stockage de sauvegarde", "déclarer un hôte du groupe stockage")
    chosen = set(select(pack, wanted))
    hosts = {name: host for name, host in pack.file.plateforme.hotes.items() if BACKED_UP & set(host.groupes)}
    for commune in pack.communes:
        if commune.insee in chosen:
            for poste in commune.postes:
                hosts[poste.nom] = Hote(adresse=poste.adresse, groupes=["frontal"], connexion=poste.connexion)
    with ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(pool.map(lambda item: _run(*item), sorted(hosts.items())))


def _run(name: str, host: Hote) -> HostRun:
    try:
        code, said = command_on(host, COMMAND, SECONDS)
    except (SSHException, OSError) as error:
        return HostRun(name, False, f"SSH impossible : {error}")
    return HostRun(name, code == 0, said)
