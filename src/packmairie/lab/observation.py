# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be seen of lab hosts from the machine, without changing anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from packmairie.lab import access, hosts, processes
from packmairie.lab.hosts import Host
from packmairie.lab.network import Network
from packmairie.lab.paths import Paths

_STATES = {"running": "démarré", "starting": "démarre", "stopped": "arrêté"}


@dataclass(frozen=True)
class HostStatus:
    """What can be seen of one host."""

    name: str
    address: str
    state: str
    """``running`` (SSH answers), ``starting`` or ``stopped``."""
    pid: int | None
    since: datetime | None
    memory: int
    """Bytes of memory of its processes, what they share counted once."""
    layer: str
    """Name and digest of the converged layer that it was created from, if any."""

    @property
    def label(self) -> str:
        """The state in French."""
        return _STATES[self.state]


def observe(host: Host) -> HostStatus:
    """Return what can be seen of a host now."""
    process = host.process
    state = "stopped"
    if process is not None:
        state = "running" if access.answers(host) else "starting"
    return HostStatus(
        name=host.name,
        address=host.address,
        state=state,
        pid=process.pid if process else None,
        since=process.since if process else None,
        memory=hosts.memory(host) if process else 0,
        layer=host.layer,
    )


def stray_processes(paths: Paths, network: Network) -> list[int]:
    """Return the ids of processes in a lab's cgroups, or its proxy's: none after `Lab.down`."""
    found: list[int] = []
    for machine in hosts.leftovers(network):
        for group in hosts.cgroup_folders(machine):
            found += hosts.members(group)
    record = processes.recorded(paths.proxy / "process.json")
    return sorted({*found, *([record.pid] if record else [])})
