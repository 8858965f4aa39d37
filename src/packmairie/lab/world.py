# SPDX-License-Identifier: GPL-3.0-or-later
"""`monde`, the outside world, configured by its Ansible role over SSH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from packmairie.lab import images, keys, wheelhouse
from packmairie.lab.hosts import Host
from packmairie.lab.images import Layer, Progress
from packmairie.lab.network import Network
from packmairie.lab.paths import Paths, write_atomically
from packmairie.model.problem import fail

CONVERGE_SECONDS = 900
LAYER_DAYS = 20
"""A layer older than this is made again: its certificates come close to their end."""


def project_root() -> Path:
    """Return the folder of the checkout, which has the roles and playbooks. Raise when there is none."""
    for folder in (Path(__file__).resolve().parents[3], Path.cwd(), *Path.cwd().parents):
        if (folder / "playbooks/lab_monde.yml").is_file():
            return folder
    raise fail(
        "playbooks/lab_monde.yml",
        "introuvable : le labo a besoin des rôles du projet",
        "lancer la commande depuis le dépôt packmairie",
    )


def digest(paths: Paths, network: Network, base_name: str) -> str:
    """Return what identifies a configured monde: its role, playbook, base, addresses and secrets."""
    root = project_root()
    certificate, _ = keys.authority(paths)
    _, password_hash = keys.witness_password(paths)
    return images.tree_digest(
        [root / "roles/monde", root / "playbooks/lab_monde.yml"],
        base_name,
        str(network.prefix),
        certificate.read_text(),
        password_hash,
    )


def fresh(layer: Layer) -> bool:
    """Say whether a layer is young enough to start from."""
    return time.time() - layer.made < LAYER_DAYS * 86400


def variables(paths: Paths, network: Network, caddy: Path) -> dict[str, object]:
    """Return the role's variables for this lab (see roles/monde/meta/argument_specs.yml)."""
    certificate, private_key = keys.authority(paths)
    _, password_hash = keys.witness_password(paths)
    return {
        "monde_prefix": str(network.prefix),
        "monde_resolver_address": network.resolver,
        "monde_registry_address": network.registry,
        "monde_authority_certificate": str(certificate),
        "monde_authority_key": str(private_key),
        "monde_caddy_binary": str(caddy),
        "monde_witness_password_hash": password_hash,
    }


def converge(paths: Paths, network: Network, host: Host, progress: Progress) -> None:
    """Configure monde with ansible-playbook. Raise with the failed task when it does not succeed."""
    root = project_root()
    progress("monde : préparation de l'autorité ACME (caddy)…")
    caddy = wheelhouse.binary(root / "roles/monde/files/wheelhouse.txt", "caddy", paths.wheelhouse)
    run_folder = paths.state / "ansible"
    inventory = {"all": {"hosts": {"monde": keys.connection_variables(paths, host.address)}}}
    write_atomically(run_folder / "inventory.json", json.dumps(inventory, indent=2), 0o600)
    write_atomically(run_folder / "variables.json", json.dumps(variables(paths, network, caddy)), 0o600)
    log = run_folder / "monde.log"
    progress("monde : configuration par Ansible (quelques minutes la première fois)…")
    started = time.monotonic()
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        str(run_folder / "inventory.json"),
        "-e",
        f"@{run_folder / 'variables.json'}",
        str(root / "playbooks/lab_monde.yml"),
    ]
    try:
        failed = _play(command, log, root, progress)
    finally:
        (run_folder / "variables.json").unlink()
    if failed:
        raise fail("monde", failed, f"lire {log}")
    progress(f"monde : configuré en {time.monotonic() - started:.0f} s")


def settings(root: Path) -> str:
    """Return the ansible.cfg of the lab's own runs: the pack's settings and inventory have no part in them."""
    return f"""\
[defaults]
roles_path = {root / "roles"}
inject_facts_as_vars = false
nocolor = true
retry_files_enabled = false
# While apt works in the host, Ansible need not ask a thousand times a second whether it is done.
internal_poll_interval = 0.02

[inventory]
enable_plugins = yaml

[connection]
pipelining = true
"""


def _play(command: list[str], log: Path, root: Path, progress: Progress) -> str:
    """Run a playbook, naming its tasks as they come; return why it failed, or an empty string."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(log.with_name("ansible.cfg")), "PYTHONUNBUFFERED": "1"}
    write_atomically(log.with_name("ansible.cfg"), settings(root))
    task, failure = "", ""
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=root,
        )
        # A playbook that hangs says nothing: only a clock ends it.
        limit = threading.Timer(CONVERGE_SECONDS, process.terminate)
        limit.start()
        try:
            for line in process.stdout or ():
                output.write(line)
                if line.startswith("TASK ["):
                    task = line[6:].split("]", 1)[0].removeprefix("monde : ")
                    progress(f"  {task}")
                elif line.startswith(("fatal:", "failed:", "[ERROR]", "ERROR!")) and not failure:
                    failure = f"la tâche « {task} » a échoué : {line.strip()[:300]}"
            code = process.wait(timeout=30)
        finally:
            limit.cancel()
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)
    if code == 0:
        return ""
    return failure or f"ansible-playbook a échoué ({code}), à la tâche « {task} »"
