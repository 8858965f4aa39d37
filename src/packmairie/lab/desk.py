# SPDX-License-Identifier: GPL-3.0-or-later
"""Sit at a host of the lab, as somebody does before a machine that lets nobody in by the network."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from packmairie.lab import commands
from packmairie.lab.hosts import Host
from packmairie.model.problem import fail

BOOT_SECONDS = 30.0
DEEPEST = 8
"""nspawn, its child and the host's first process: three; more than this is not the beginning of a host."""


def first_process(host: Host, seconds: float = BOOT_SECONDS) -> int:
    """Return the id, on this machine, of a running host's first process; wait until there is one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process = host.process
        for pid in _descendants(process.pid) if process else ():
            if _own_id(pid) == 1:
                return pid
        time.sleep(0.2)
    raise fail(host.name, "cet hôte du labo n'est pas démarré", f"lire {host.console}")


def run(
    host: Host, argv: Sequence[str], *, text_input: str | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command on a host as root, without its network; return what it said, whatever its exit status."""
    enter = ["nsenter", "--target", str(first_process(host)), "--mount", "--uts", "--ipc", "--net", "--pid"]
    enter += ["--root", "--wdns=/"]
    environment = ["env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    return commands.run([*enter, *environment, *argv], text_input=text_input, timeout=timeout)


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        if len(found) > DEEPEST:
            break
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii")
        except OSError:
            continue
        found += [int(word) for word in children.split()]
    return found


def _own_id(pid: int) -> int:
    """Return the id by which a process knows itself, 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[-1]) for line in lines if line.startswith("NSpid:")), 0)
