# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a few figures on a shared host over SSH, in one connection, writing nothing there."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import paramiko

from packmairie.model.pack import Hote
from packmairie.model.probe import Answer, Found, HostFacts, Unanswered

CONNECT_SECONDS = 8.0
CHUNK = 64 * 1024

READING = r"""
import json, os, subprocess, sys
units = sys.argv[1:]
disks, seen = {}, set()
for mount in ("/", "/var", "/var/vmail", "/srv"):
    try:
        device, figures = os.stat(mount).st_dev, os.statvfs(mount)
    except OSError:
        continue
    if device not in seen:
        seen.add(device)
        disks[mount] = (figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize)
states = {}
for unit in units:
    states[unit] = subprocess.run(["systemctl", "is-active", unit], capture_output=True, text=True).stdout.strip()
command = ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]
listing = subprocess.run(command, capture_output=True, text=True)
failed = [line.split()[0] for line in listing.stdout.splitlines() if line.strip()]
print(json.dumps({"disks": disks, "units": states, "failed": failed,
                  "reboot": os.path.exists("/run/reboot-required")}))
"""


def read_host(name: str, host: Hote, units: Sequence[str]) -> Answer:
    """Given a host of the pack and the units to ask about, return its facts, or why they could not be read."""
    command = "python3 - " + " ".join(shlex.quote(unit) for unit in units)
    answer = run_on_host(name, host, command, READING)
    if not isinstance(answer, Found):
        return answer
    try:
        data = json.loads(answer.value)
    except ValueError:
        return Unanswered("réponse illisible de l'hôte")
    disks = {mount: (int(free), int(total)) for mount, (free, total) in data["disks"].items()}
    return Found(HostFacts(disks, data["units"], tuple(data["failed"]), bool(data["reboot"])))


def run_on_host(name: str, host: Hote, command: str, text: str = "") -> Found | Unanswered:
    """Given a host, a command and what it reads, return what it writes, or why it could not be run."""
    try:
        with connection(host) as client:
            return _run(client, command, text)
    except (paramiko.SSHException, OSError) as error:
        return Unanswered(f"SSH vers {name} impossible : {error}")


@contextmanager
def connection(host: Hote) -> Iterator[paramiko.SSHClient]:
    """Give an SSH connection to a host, whose key must be known. Raise SSHException or OSError."""
    client = paramiko.SSHClient()
    known = option(host.connexion, "UserKnownHostsFile")
    try:
        if known:
            client.load_host_keys(known)
        else:
            client.load_system_host_keys()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            str(host.adresse),
            port=int(host.connexion.get("ansible_port", 22)),
            username=str(host.connexion.get("ansible_user", "root")),
            key_filename=_key_file(host.connexion),
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
        )
        yield client
    finally:
        client.close()


def command_on(host: Hote, command: str, seconds: float) -> tuple[int, str]:
    """Run a command on a host; return its exit status and what it said. Raise SSHException or OSError."""
    with connection(host) as client:
        _stdin, stdout, stderr = client.exec_command(command, timeout=seconds)
        said = stdout.read().decode("utf-8", "replace") + stderr.read().decode("utf-8", "replace")
        return stdout.channel.recv_exit_status(), said.strip()


def relay_on(host: Hote, command: str, given: bytes, sinks: tuple[BinaryIO, BinaryIO], seconds: float) -> int:
    """Run a command on a host, passing what it says to the output and error ``sinks`` as it comes; return its status.

    Raise SSHException or OSError, TimeoutError when it said nothing for ``seconds``.
    """
    with connection(host) as client:
        stdin, stdout, _stderr = client.exec_command(command)
        channel = stdout.channel
        stdin.write(given)
        channel.shutdown_write()
        said = time.monotonic()
        while not (channel.exit_status_ready() and not channel.recv_ready() and not channel.recv_stderr_ready()):
            moved = False
            for ready, receive, sink in (
                (channel.recv_ready, channel.recv, sinks[0]),
                (channel.recv_stderr_ready, channel.recv_stderr, sinks[1]),
            ):
                while ready() and (chunk := receive(CHUNK)):
                    sink.write(chunk)
                    sink.flush()
                    moved = True
            if moved:
                said = time.monotonic()
            elif time.monotonic() - said > seconds:
                raise TimeoutError(f"rien depuis {seconds:.0f} s")
            else:
                time.sleep(0.05)
        return channel.recv_exit_status()


def _run(client: paramiko.SSHClient, command: str, text: str) -> Found | Unanswered:
    stdin, stdout, stderr = client.exec_command(command, timeout=CONNECT_SECONDS * 2)
    stdin.write(text)
    stdin.channel.shutdown_write()
    said = stdout.read().decode("utf-8", "replace")
    if stdout.channel.recv_exit_status() != 0:
        return Unanswered("lecture refusée : " + stderr.read().decode("utf-8", "replace").strip()[-200:])
    return Found(said)


def option(connection: Mapping[str, object], name: str) -> str | None:
    """Return an ``-o NAME=value`` of ``ansible_ssh_common_args``, so that probes trust what Ansible trusts."""
    words = shlex.split(str(connection.get("ansible_ssh_common_args", "")))
    for word in words:
        key, _sign, value = word.removeprefix("-o").partition("=")
        if key == name and value:
            return str(Path(value).expanduser())
    return None


def _key_file(connection: Mapping[str, object]) -> str | None:
    path = connection.get("ansible_ssh_private_key_file")
    return str(Path(str(path)).expanduser()) if path else None
