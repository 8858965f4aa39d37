# SPDX-License-Identifier: GPL-3.0-or-later
"""Reach lab hosts over SSH, as a technician does, and wait until they are ready."""

from __future__ import annotations

import shlex
import socket
import subprocess
import time
from collections.abc import Sequence

from packmairie.lab import commands, keys
from packmairie.lab.hosts import Host
from packmairie.lab.paths import Paths
from packmairie.model.problem import PackmairieError, fail

BOOT_SECONDS = 90


def ssh_command(paths: Paths, host: Host, argv: Sequence[str] = (), *, terminal: bool = False) -> list[str]:
    """Return the ssh command line that runs `argv` on a host as root (a shell when empty)."""
    command = ["ssh", "-i", str(keys.technician_key(paths)), *keys.ssh_options(paths)]
    if terminal:
        command.append("-t")
    command.append(f"root@{host.address}")
    if argv:
        command += ["--", shlex.join(argv)]
    return command


def run(
    paths: Paths, host: Host, argv: Sequence[str], *, text_input: str | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command on a host as root and return what it said, whatever its exit status.

    Raise when the host does not run.
    """
    if host.process is None:
        raise fail(host.name, "cet hôte du labo n'est pas démarré", f"packmairie lab up {host.name}")
    return commands.run(ssh_command(paths, host, argv), text_input=text_input, timeout=timeout)


def must(paths: Paths, host: Host, argv: Sequence[str], *, text_input: str | None = None, timeout: float = 120) -> str:
    """Run a command on a host as root and return its output. Raise when it fails."""
    result = run(paths, host, argv, text_input=text_input, timeout=timeout)
    if result.returncode != 0:
        said = " | ".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-5:])
        raise fail(
            host.name,
            f"« {shlex.join(argv)[:200]} » a échoué ({result.returncode}) : {said}",
            f"packmairie lab ssh {host.name}, puis corriger la cause",
        )
    return result.stdout


def answers(host: Host, seconds: float = 0.5) -> bool:
    """Say whether the host's SSH server sends its banner."""
    try:
        with socket.create_connection((host.address, 22), timeout=seconds) as connection:
            connection.settimeout(seconds)
            return connection.recv(4).startswith(b"SSH")
    except OSError:
        return False


def wait(paths: Paths, host: Host, seconds: float = BOOT_SECONDS) -> str:
    """Wait until a host has booted and return systemd's verdict (``running`` or ``degraded``).

    Raise `PackmairieError` when it dies or does not finish booting in time.
    """
    deadline = time.monotonic() + seconds
    while not answers(host):
        if host.process is None:
            raise fail(host.name, "l'hôte s'est arrêté pendant son démarrage", f"lire {host.console}")
        if time.monotonic() > deadline:
            raise fail(host.name, f"pas de SSH après {seconds:.0f} s", f"lire {host.console}")
        time.sleep(0.1)
    try:
        result = run(
            paths,
            host,
            ["systemctl", "is-system-running", "--wait"],
            timeout=max(5.0, deadline - time.monotonic()),
        )
    except PackmairieError as error:
        raise fail(
            host.name, "le démarrage ne se termine pas", f"packmairie lab ssh {host.name} systemctl list-jobs"
        ) from error
    verdict = result.stdout.strip()
    if verdict not in {"running", "degraded"}:
        raise fail(
            host.name,
            f"état inattendu après le démarrage : {verdict or result.stderr.strip()}",
            f"lire {host.console}",
        )
    return verdict


def failed_units(paths: Paths, host: Host) -> list[str]:
    """Return the names of the host's failed systemd units."""
    output = must(paths, host, ["systemctl", "list-units", "--failed", "--plain", "--no-legend"])
    return [line.split()[0] for line in output.splitlines() if line.strip()]
