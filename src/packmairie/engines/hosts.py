# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a few figures on a shared host over SSH, in one connection, writing nothing there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import paramiko

from packmairie.model.pack import Hote
from packmairie.model.probe import Answer, Found, HostFacts, Unanswered

CONNECT_SECONDS = 8.0

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
        return _read(client, units)
    except (paramiko.SSHException, OSError) as error:
        return Unanswered(f"SSH vers {name} impossible : {error}")
    finally:
        client.close()


def _read(client: paramiko.SSHClient, units: Sequence[str]) -> Answer:
    command = "python3 - " + " ".join(shlex.quote(unit) for unit in units)
    stdin, stdout, stderr = client.exec_command(command, timeout=CONNECT_SECONDS * 2)
    stdin.write(READING)
    stdin.channel.shutdown_write()
    text = stdout.read().decode("utf-8", "replace")
    if stdout.channel.recv_exit_status() != 0:
        return Unanswered("lecture refusée : " + stderr.read().decode("utf-8", "replace").strip()[-200:])
    try:
        data = json.loads(text)
    except ValueError:
        return Unanswered("réponse illisible de l'hôte")
    disks = {mount: (int(free), int(total)) for mount, (free, total) in data["disks"].items()}
    return Found(HostFacts(disks, data["units"], tuple(data["failed"]), bool(data["reboot"])))


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
