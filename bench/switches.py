# SPDX-License-Identifier: GPL-3.0-or-later
"""Time each switch of Ansible alone on a deployed pack, and compare the state that it leaves with that of all off.

    .venv/bin/python bench/switches.py --pack FOLDER [--runs 3] [--mitogen FOLDER]

FOLDER is a pack that is deployed on the lab, with the aliases of two communes to change. Each switch is measured
alone against all off, by plain ``ansible-playbook``: nothing to change, then an alias of two communes that comes or
goes (both with all off); the hash of the platform is taken in either state and must be that of all off. ``--mitogen``
is where mitogen is installed (pip install --target FOLDER mitogen); it is an opt-in accelerator, which nothing here
needs. Needs root.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from packmairie.lab import Lab

ROOT = Path(__file__).resolve().parents[1]
BINARIES = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from stages import FINGERPRINT, LIVING  # noqa: E402 - the tests' own fingerprint of a host

PLAIN_SSH = "-o ControlMaster=no -o ControlPath=none -o PreferredAuthentications=publickey"
KEPT_SSH = "-o ControlMaster=auto -o ControlPersist=60s -o PreferredAuthentications=publickey"
OFF = {"ANSIBLE_PIPELINING": "0", "ANSIBLE_SSH_ARGS": PLAIN_SSH, "PACKMAIRIE_BENCH_FACTS": "1", "FIRST_LOOK": "false"}
SWITCHES: dict[str, Mapping[str, str]] = {
    "all off": {},
    "pipelining": {"ANSIBLE_PIPELINING": "1"},
    "persistent connections": {"ANSIBLE_SSH_ARGS": KEPT_SSH},
    "no facts": {"PACKMAIRIE_BENCH_FACTS": ""},
    "first look": {"FIRST_LOOK": "true"},
    "all on": {
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_SSH_ARGS": KEPT_SSH,
        "PACKMAIRIE_BENCH_FACTS": "",
        "FIRST_LOOK": "true",
    },
}
FACTS = """
- name: All facts, as Ansible gathers them by default
  hosts: plateforme_hotes
  gather_facts: true
- import_playbook: {site}
"""


def play(pack: Path, switches: Mapping[str, str], scratch: Path) -> float:
    """Run the whole playbook under these switches; return its seconds."""
    settings = OFF | switches
    site = ROOT / "playbooks" / "site.yml"
    if settings.pop("PACKMAIRIE_BENCH_FACTS"):
        wrapped = scratch / "avec-faits.yml"
        wrapped.write_text(FACTS.format(site=site), encoding="utf-8")
        site = wrapped
    look = settings.pop("FIRST_LOOK")
    environment = os.environ | settings | {"PATH": f"{BINARIES}:{os.environ['PATH']}"}
    environment["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    words = [BINARIES / "ansible-playbook", "-i", pack, site, "-e", f"packmairie_first_look={look}"]
    started = time.monotonic()
    ran = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"{dict(switches)}\n{ran.stdout[-2500:]}\n{ran.stderr[-1500:]}")
    return time.monotonic() - started


def state(lab: Lab) -> str:
    """Return the hash of what only a deployment changes."""
    script = FINGERPRINT.format(living=f"{LIVING} /var/lib/packmairie/services")
    return lab.run("plateforme", ["sh", "-c", script], timeout=300).stdout.split()[0]


def turn(files: Mapping[Path, str], on: bool) -> None:
    """Give the communes the alias ``urbanisme``, or take it away."""
    for path, text in files.items():
        changed = text.replace("    mairie: [contact]\n", "    mairie: [contact]\n    urbanisme: [contact]\n")
        path.write_text(changed if on else text, encoding="utf-8")


def main() -> int:
    """Measure each switch and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mitogen", type=Path)
    options = parser.parse_args()
    switches = dict(SWITCHES)
    if options.mitogen:
        (plugins,) = options.mitogen.glob("ansible_mitogen/plugins/strategy")
        switches["mitogen"] = {
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "ANSIBLE_STRATEGY_PLUGINS": str(plugins),
            "PYTHONPATH": str(options.mitogen),
        }
    lab = Lab.open()
    candidates = sorted((options.pack / "communes").glob("*.yml"))
    texts = {path: path.read_text(encoding="utf-8") for path in candidates}
    files = {path: text for path, text in texts.items() if "    mairie: [contact]\n" in text}
    wished: dict[bool, str] = {}
    same, on = True, False
    scratch = options.pack.parent
    try:
        for name, settings in switches.items():
            nothing = [play(options.pack, settings, scratch) for _ in range(options.runs)]
            changes = []
            # With all off the change comes and goes; each other switch then undoes what the one before it did.
            for _turn in range(1 if wished else 2):
                on = not on
                turn(files, on)
                changes.append(f"{play(options.pack, settings, scratch):.1f}")
                found = state(lab)
                same &= wished.setdefault(on, found) == found
            told = " – ".join(f"{one:.1f}" for one in (min(nothing), statistics.median(nothing), max(nothing)))
            print(
                f"{name:<24} nothing to change {told} s; {len(files)} communes changed {', '.join(changes)} s;"
                f" same state {same}   (load {os.getloadavg()[0]:.1f})",
                flush=True,
            )
    finally:
        turn(files, False)
    return 0 if same and wished[True] != wished[False] else 1


if __name__ == "__main__":
    sys.exit(main())
