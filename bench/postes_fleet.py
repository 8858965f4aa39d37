# SPDX-License-Identifier: GPL-3.0-or-later
"""Time a fleet of workstations that has nothing to change: packmairie's settings against Ansible's own, in one run.

    .venv/bin/python bench/postes_fleet.py [--hosts 50] [--least 5] [--keep]

Light overlays of one converged workstation are booted at once and brought to their state. Then the same playbook runs
on all of them, unchanged, as packmairie does it, and as plain ``ansible-playbook`` with default settings does it: no
ansible.cfg but the paths of roles and plugins, and every accelerator off. Both must change nothing on any host, and
leave on each the very same files, packages and units, which are compared. Prints seconds and the ratio; the exit status
is 1 below ``--least``. Needs root; some 100 MB of memory a host.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packmairie.cli.main import run
from packmairie.lab import Lab, desk
from packmairie.model.problem import PackmairieError

ROOT = Path(__file__).resolve().parents[1]
INSEE, FILE = "62708", "62708-riencourt-les-bapaume.yml"
PATHS = f"""\
[defaults]
roles_path = {ROOT}/roles
library = {ROOT}/plugins/modules
module_utils = {ROOT}/plugins/module_utils
action_plugins = {ROOT}/plugins/action
inventory_plugins = {ROOT}/plugins/inventory
inject_facts_as_vars = false
[inventory]
enable_plugins = packmairie
ignore_patterns = ^pack\\.yml$, ^communes$, ^secrets$, ^blasons$, ^contenu$, ^marches$, ^README\\.md$, ^\\.
"""
"""What makes the playbook run at all; whatever tells how fast is Ansible's own default."""
PLAY_SECONDS = 3600
STATE = (
    "find /etc /usr/local /home /root /var/lib/packmairie -xdev -type f ! -name constat.json"
    " -printf '%p %m %u %g %s %l\\n' -exec sha256sum {} + | sort | sha256sum; dpkg-query -W | sha256sum;"
    " systemctl list-units --plain --no-legend --state=active --type=service,timer,socket"
    " | awk '$1 ~ /^(packmairie|nftables|ssh|pcscd|unattended)/ {print $1, $4}' | grep -v 'ssh@' | sha256sum"
)


def play(pack: Path, label: str, configuration: Path | None, *options: str) -> float:
    """Run the workstations' part of the playbook; return its seconds. Stop when a host failed."""
    environment = os.environ | {"ANSIBLE_NOCOLOR": "1"}
    if configuration is not None:
        environment["ANSIBLE_CONFIG"] = str(configuration)
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", pack, "playbooks/site.yml", "--limit", "postes"]
    command += ["--tags", "postes,sauvegarde", "-v", *options]
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PLAY_SECONDS
    )
    seconds = time.monotonic() - started
    recap = re.findall(r"^(poste-\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", done.stdout, re.M)
    if done.returncode != 0 or not recap:
        sys.exit(done.stdout[-3000:] + done.stderr[-2000:])
    changed = sum(int(entry[2]) > 0 for entry in recap)
    tasks = sum(int(entry[1]) for entry in recap)
    for reason in sorted(set(re.findall(r"^    why: '?(\w.+?)'?$", done.stdout, re.M))):
        print(f"{'':34} gone through: {reason}")
    print(f"{label:34} {seconds:7.1f} s   {len(recap)} hosts, {tasks} tasks, {changed} hosts changed", flush=True)
    if label.startswith("unchanged") and changed:
        sys.exit("a host was changed by a run that had nothing to change")
    return seconds


def states(lab: Lab, names: list[str]) -> dict[str, str]:
    """Return a digest of each host's files, packages and units."""

    def one(name: str) -> str:
        return desk.run(lab.host(name), ["sh", "-c", STATE], timeout=300).stdout

    with ThreadPoolExecutor(max_workers=4) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def describe(lab: Lab, folder: Path, names: list[str]) -> None:
    """Write a pack of the demonstration whose first commune has these workstations."""
    ignored = shutil.ignore_patterns("secrets", ".vault-password")
    shutil.copytree(ROOT / "inventories/demo", folder, ignore=ignored, dirs_exist_ok=True)
    lines = ["", "postes:"]
    for name in names:
        reached = lab.connection_vars(name)
        lines += [f"  - nom: {name}", f"    adresse: {lab.host(name).address}", "    profil: leger", "    connexion:"]
        lines += [f"      {key}: {value!r}" for key, value in reached.items() if key != "ansible_host"]
    with (folder / "communes" / FILE).open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    if run(["inventory", "secrets", "--pack", str(folder)]) != 0:
        sys.exit("no secrets")


def main() -> int:
    """Boot, converge, time, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--least", type=float, default=5.0)
    parser.add_argument("--keep", action="store_true", help="leave the hosts on")
    chosen = parser.parse_args()
    lab = Lab.open()
    names = [f"poste-{INSEE}-{number}" for number in range(1, chosen.hosts + 1)]
    with tempfile.TemporaryDirectory() as place:
        folder, plain = Path(place) / "demo", Path(place) / "ansible.cfg"
        plain.write_text(PATHS, encoding="utf-8")
        try:
            for name in names:
                lab.host(name)
            describe(lab, folder, names)
            started = time.monotonic()
            lab.create(names[0])
            play(folder, "one workstation, from nothing", None, "--limit", names[0])
            layer = lab.snapshot(names[0], "poste", f"{int(time.time()):x}")
            lab.fleet(names, layer)
            print(f"{chosen.hosts} hosts booted, {time.monotonic() - started:.0f} s after the beginning", flush=True)
            play(folder, "all of them, first", None)
            before = states(lab, names)
            fast = play(folder, "unchanged, packmairie's settings", None)
            after_fast = states(lab, names)
            slow = play(folder, "unchanged, Ansible's defaults", plain, "-e", "packmairie_constat=false")
            same = before == after_fast == states(lab, names)
        finally:
            if not chosen.keep:
                lab.harvest()
                lab.down()
    print(f"ratio {slow / fast:.1f}, state {'identical' if same else 'DIFFERENT'} on {len(names)} hosts")
    return 0 if same and slow / fast >= chosen.least else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PackmairieError as error:
        sys.exit(str(error))
