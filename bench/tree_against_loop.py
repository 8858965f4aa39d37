# SPDX-License-Identifier: GPL-3.0-or-later
"""Time packmairie_tree against the ordinary loop of ``copy``, on one booted host, in one run.

    .venv/bin/python bench/tree_against_loop.py [--communes 50] [--runs 3] [--pyinfra PROGRAM]

Both lay the same files (the published mail policy of each commune) on the lab host ``stockage``, over
SSH with the same settings: a first time, then again with nothing to change. Prints seconds and ratios.
``--pyinfra`` is the program of pyinfra, installed apart: it lays the same files by its own ``files.put``, one
operation a file, and the state that each leaves is compared by hash.
Needs root. The lab host stays up: packmairie lab down stops it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packmairie.inventory.vault import ensure_vault_password
from packmairie.lab import Lab
from packmairie.model.problem import PackmairieError
from packmairie.operations.desired import host_tree

ROOT = Path(__file__).resolve().parents[1]
HOST = "stockage"
BINARIES = Path(sys.executable).parent
TREE_PLAYBOOK = """
- hosts: plateforme
  gather_facts: false
  tasks:
    - packmairie_tree:
        tree: frontal
        exclusive: [/srv/communes]
"""
LOOP_PLAYBOOK = """
- hosts: plateforme
  gather_facts: false
  vars:
    # Read by a lookup: what the files say is text, not templates.
    files: "{{ (lookup('ansible.builtin.file', files_path) | from_json).files }}"
  tasks:
    - ansible.builtin.file:
        path: "{{ item.path | dirname }}"
        state: directory
        mode: "0755"
      loop: "{{ files }}"
      loop_control: {label: "{{ item.path }}"}
    - ansible.builtin.copy:
        dest: "{{ item.path }}"
        content: "{{ item.content }}"
        mode: "0644"
      loop: "{{ files }}"
      loop_control: {label: "{{ item.path }}"}
"""

PYINFRA_DEPLOY = """
import json
from io import StringIO
from pathlib import Path
from pyinfra.operations import files

for file in json.loads((Path(__file__).parent / "files.json").read_text())["files"]:
    files.put(src=StringIO(file["content"]), dest=file["path"], mode="644", user="root", group="root")
"""
PYINFRA_INVENTORY = """
plateforme = [("{host}", {{
    "ssh_user": "root", "ssh_key": "{key}", "ssh_known_hosts_file": "{known}", "ssh_strict_host_key_checking": "yes",
}})]
"""
STATE = "cd /srv/communes && find . -type f -printf '%p %m %u %g\\n' -exec sha256sum {} + | sort | sha256sum"


def command(*arguments: str | Path) -> None:
    """Run a command of the project, quietly; its output is shown when it fails."""
    environment = os.environ | {"PATH": f"{BINARIES}:{os.environ['PATH']}"}
    result = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{arguments}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")


def make_pack(folder: Path, lab: Lab, communes: int) -> None:
    """Write a pack of that many real communes, whose platform is the lab host."""
    # What belongs to the demonstration's own communes would be refused with communes that it does not know.
    left = shutil.ignore_patterns("secrets", ".vault*", "contenu", "marches", "preuves", "envois", "communes")
    shutil.copytree(ROOT / "inventories" / "demo", folder, ignore=left)
    text = (folder / "pack.yml").read_text(encoding="utf-8")
    (folder / "pack.yml").write_text(text.replace("10.59.62.10", lab.connection_vars(HOST)["ansible_host"]), "utf-8")
    os.environ["PACKMAIRIE_PACK"] = str(folder)
    command(BINARIES / "packmairie", "inventory", "add", "--all-eligible")
    for extra in sorted((folder / "communes").glob("*.yml"))[communes:]:
        extra.unlink()
    ensure_vault_password(folder)
    command(BINARIES / "packmairie", "inventory", "secrets")


def timed(playbook: Path, pack: Path, *extra: str) -> float:
    """Run a playbook and return how long it took, seconds."""
    started = time.monotonic()
    command(BINARIES / "ansible-playbook", "-i", pack, playbook, *extra)
    return time.monotonic() - started


def by_pyinfra(program: Path, folder: Path) -> float:
    """Have pyinfra lay the files, and return how long it took, seconds."""
    started = time.monotonic()
    command(program, "--yes", folder / "inventory.py", folder / "deploy.py")
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--communes", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pyinfra", type=Path)
    options = parser.parse_args()
    lab = Lab.open()
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-") as scratch:
        folder = Path(scratch)
        lab.up([HOST])
        make_pack(folder / "pack", lab, options.communes)
        files = [{"path": file.path, "content": file.text()} for file in host_tree(folder / "pack", "frontal").files]
        (folder / "files.json").write_text(json.dumps({"files": files}), encoding="utf-8")
        playbooks = {"tree": TREE_PLAYBOOK, "loop": LOOP_PLAYBOOK}
        for name, text in playbooks.items():
            (folder / f"{name}.yml").write_text(text, encoding="utf-8")
        variables = lab.connection_vars(HOST)
        (folder / "deploy.py").write_text(PYINFRA_DEPLOY, encoding="utf-8")
        (folder / "inventory.py").write_text(
            PYINFRA_INVENTORY.format(
                host=variables["ansible_host"],
                key=variables["ansible_ssh_private_key_file"],
                known=lab.paths.state / "known_hosts",
            ),
            encoding="utf-8",
        )
        print(f"{len(files)} files", flush=True)
        tools = [*playbooks, *(["pyinfra"] if options.pyinfra else [])]
        states: dict[str, str] = {}
        for _run in range(options.runs):
            for name in tools:
                lab.reset(HOST)
                for step in ("first", "again"):
                    if name == "pyinfra":
                        seconds = by_pyinfra(options.pyinfra, folder)
                    else:
                        told = f"files_path={folder / 'files.json'}"
                        seconds = timed(folder / f"{name}.yml", folder / "pack", "-e", told)
                    print(f"  {name}, {step}: {seconds:.1f} s", flush=True)
                    figures.setdefault(f"{name} {step}", []).append(seconds)
                states[name] = lab.run(HOST, ["sh", "-c", STATE]).stdout.split()[0]
    print(f"{options.runs} runs, seconds: min – median – max")
    for name, values in figures.items():
        print(f"  {name:<12} {min(values):7.1f} – {statistics.median(values):7.1f} – {max(values):7.1f}")
    for other in tools[1:]:
        for step in ("first", "again"):
            ratio = statistics.median(figures[f"{other} {step}"]) / statistics.median(figures[f"tree {step}"])
            print(f"  {other} / tree, {step}: {ratio:.1f}")
    print(f"same state of the host: {len(set(states.values())) == 1}")


if __name__ == "__main__":
    try:
        main()
    except PackmairieError as error:
        sys.exit(str(error))
