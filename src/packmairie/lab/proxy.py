# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's only door: a tinyproxy on the bridge that lets through the machine's apt mirror, no more."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable

from packmairie.lab import processes
from packmairie.lab.inheritance import Inheritance
from packmairie.lab.network import PROXY_PORT, Network
from packmairie.lab.paths import Paths, write_atomically
from packmairie.model.problem import fail


def configuration(network: Network, paths: Paths, upstream: str) -> str:
    """Return tinyproxy.conf (see tinyproxy.conf(5)): lab prefix only, everything denied but the filter."""
    lines = [
        f"Port {PROXY_PORT}",
        f"Listen {network.machine}",
        f"Allow {network.prefix}",
        "Timeout 120",
        "MaxClients 60",
        "LogLevel Warning",
        "User nobody",
        "Group nogroup",
        "DisableViaHeader Yes",
        "ConnectPort 443",
        f'Filter "{paths.proxy / "filter"}"',
        "FilterDefaultDeny Yes",
        "FilterExtended On",
    ]
    if upstream:
        lines.append(f"Upstream http {upstream}")
    return "\n".join(lines) + "\n"


def filter_rules(mirrors: Iterable[str]) -> str:
    """Return the filter file: one anchored expression per mirror name."""
    return "".join(f"^{re.escape(mirror)}$\n" for mirror in mirrors)


def up(network: Network, paths: Paths, inheritance: Inheritance) -> None:
    """Start the proxy unless it already runs with this configuration. Raise when it does not answer."""
    wanted = {
        paths.proxy / "tinyproxy.conf": configuration(network, paths, inheritance.upstream),
        paths.proxy / "filter": filter_rules(inheritance.mirrors),
    }
    record = paths.proxy / "process.json"
    unchanged = all(file.exists() and file.read_text() == text for file, text in wanted.items())
    if unchanged and processes.recorded(record) is not None:
        return
    processes.stop(record)
    for file, text in wanted.items():
        write_atomically(file, text)
    log = paths.proxy / "console.log"
    process = processes.start(["tinyproxy", "-d", "-c", paths.proxy / "tinyproxy.conf"], record, log)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and process.alive:
        try:
            socket.create_connection((network.machine, PROXY_PORT), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise fail("mandataire apt", "tinyproxy n'a pas démarré", f"lire {log}")


def down(paths: Paths) -> None:
    """Stop the proxy."""
    processes.stop(paths.proxy / "process.json")
