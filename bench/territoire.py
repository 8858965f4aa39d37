# SPDX-License-Identifier: GPL-3.0-or-later
"""Time what a territory costs: first deployment, nothing to change, one commune more, status; by number of communes.

    .venv/bin/python bench/territoire.py --pack FOLDER [--sizes 1 100 902] [--runs 3] [--reference 5 10]

FOLDER holds the pack of at least the largest size plus ``--runs`` communes, with its secrets (they take minutes to
make), at the addresses of the lab: a copy of inventories/demo without contenu/, marches/, publications/ and without
``deploiement:`` (its waves are the usual ones), then ``packmairie inventory add --all-eligible`` and ``packmairie
inventory secrets``. It is not changed: each size works on a copy that holds the first communes, on a
platform with a fresh disk; then the next communes are added one by one, by ``plan``, ``deploy`` and its proofs, while
ports 25 and 587 are opened without a pause. Then the certificates are laid that would take days to order (see
``certificates.py``), and everything is asked. With ``--reference N …`` an ordinary playbook then lays the files of N of
the same communes on the same host, looping over them with ``file`` and ``copy``, a first time and again: its files are
rendered beforehand, no service is followed and no zone published, so that it does less than what it is compared with.

Needs root. The lab stays up: packmairie lab down stops it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from certificates import lay_certificates

from packmairie.inventory.loader import load_pack
from packmairie.lab import Delegation, Lab
from packmairie.model.pack import Pack
from packmairie.operations.desired import offline_secrets, trees
from packmairie.operations.status import checks_of, status_pack

ROOT = Path(__file__).resolve().parents[1]
BINARIES = Path(sys.executable).parent
HOSTS = ("plateforme", "stockage")
GREETINGS = {25: b"220", 587: b"220"}
LOOP = """
- hosts: plateforme
  gather_facts: false
  tasks:
    - ansible.builtin.file: {path: "{{ item.path | dirname }}", state: directory, mode: "0755"}
      loop: "{{ files }}"
      loop_control: {label: "{{ item.path }}"}
    - ansible.builtin.copy: {dest: "{{ item.path }}", content: "{{ item.content }}", mode: "0644"}
      loop: "{{ files }}"
      loop_control: {label: "{{ item.path }}"}
"""


def timed(*arguments: str | Path, codes: Sequence[int] = (0,)) -> float:
    """Run a command of the project, quietly; return how long it took. Its output is shown when it fails."""
    environment = os.environ | {"PATH": f"{BINARIES}:{os.environ['PATH']}", "NO_COLOR": "1"}
    started = time.monotonic()
    ran = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode not in codes:
        sys.exit(f"{arguments}\n{ran.stdout[-1500:]}\n{ran.stderr[-1500:]}")
    return time.monotonic() - started


def packmairie(*arguments: str | Path, codes: Sequence[int] = (0,)) -> float:
    """Run the command line; return its seconds."""
    return timed(BINARIES / "packmairie", *arguments, codes=codes)


def spread(label: str, values: Sequence[float]) -> None:
    """Print minimum, median and maximum, and how busy the machine was."""
    shown = " – ".join(f"{value:.1f}" for value in (min(values), statistics.median(values), max(values)))
    print(f"  {label:<52} {shown} s   (load {os.getloadavg()[0]:.1f})", flush=True)


@contextmanager
def mail_watched(address: str) -> Iterator[list[bool]]:
    """Open the ports of mail again and again while the block works; the list tells which were served."""
    served: list[bool] = []
    stop = threading.Event()

    def watch() -> None:
        # A hundred times a minute: the server refuses a client that comes more often than 120 times.
        while not stop.wait(0.6):
            for port, greeting in GREETINGS.items():
                try:
                    with socket.create_connection((address, port), 5) as connection:
                        connection.settimeout(10)
                        served.append(connection.recv(100).startswith(greeting))
                except OSError:
                    served.append(False)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield served
    finally:
        stop.set()
        thread.join()


def copied(source: Path, folder: Path, size: int) -> list[Path]:
    """Copy a pack with its first communes only; return the files of those left out, in order."""
    shutil.copytree(source, folder, symlinks=True)
    files = sorted((source / "communes").glob("*.yml"))
    for path in files[size:]:
        (folder / "communes" / path.name).unlink()
    return files[size:]


def delegate(lab: Lab, pack: Pack) -> None:
    """Point the domains of a pack at its name servers, as registrars do."""
    platform = pack.file.plateforme
    servers = {
        platform.host_name(short): str(address)
        for short, addresses in platform.serveurs_dns.items()
        for address in addresses
    }
    names = [platform.domaine, *(commune.domaine.nom for commune in pack.communes)]
    lab.delegate({name: Delegation(servers, ()) for name in names})
    lab.flush_resolver()


def measure(lab: Lab, source: Path, size: int, runs: int, scratch: Path) -> None:
    """Measure one size on a fresh platform."""
    folder, traces = scratch / f"pack-{size}", scratch / f"runs-{size}"
    later = copied(source, folder, size)[:runs]
    os.environ["PACKMAIRIE_PACK"] = str(folder)
    whole = load_pack(source)
    delegate(lab, whole.model_copy(update={"communes": whole.communes[: size + runs]}))
    for host in HOSTS:
        lab.reset(host)
    print(f"{size} communes", flush=True)
    flags = ("--allow-many", "--allow-removal", "--runs", traces)
    spread("first deployment, proofs of every wave included", [packmairie("deploy", *flags)])
    spread("nothing to change", [packmairie("deploy", "--runs", traces) for _ in range(runs)])
    plans, deployments = [], []
    with mail_watched(str(lab.host(HOSTS[0]).address)) as served:
        for path in later:
            shutil.copy2(path, folder / "communes" / path.name)
            code = path.name[:5]
            plans.append(packmairie("plan", code, codes=(2,)))
            deployments.append(packmairie("deploy", code, "--runs", traces))
    spread("one commune more: plan", plans)
    spread("one commune more: deployment and its proofs", deployments)
    spread("one commune more: all", [a + b for a, b in zip(plans, deployments, strict=True)])
    print(f"  mail meanwhile: {len(served)} connections, {served.count(False)} not served", flush=True)
    # What packmairie and Caddy would take days to order, within the limits of authorities.
    print(f"  certificates laid for {lay_certificates(lab, HOSTS[0])} names", flush=True)
    spread("status, neither webmail nor mail round trip", [status_without_webmail(folder)])
    spread("status, all checks but the mail round trip", [packmairie("status", "--skip-mail", codes=(0, 4, 5))])
    spread("status, with it", [packmairie("status", codes=(0, 4, 5))])


def status_without_webmail(folder: Path) -> float:
    """Ask every check of the communes that neither sends a message nor logs in to the webmail; return the seconds."""
    pack = load_pack(folder)
    checks = checks_of(pack, [commune.insee for commune in pack.communes])
    names = {f"{check.brique}.{check.name}" for _commune, check in checks} - {"presence.webmail"}
    started = time.monotonic()
    status_pack(folder, checks=names, mail=False)
    return time.monotonic() - started


def reference(lab: Lab, source: Path, numbers: Sequence[int], scratch: Path) -> None:
    """Lay the files of some communes by a loop of ordinary modules; print what one commune costs it, laid or there."""
    pack = load_pack(source)
    playbook, variables = scratch / "reference.yml", scratch / "files.yml"
    playbook.write_text(LOOP, encoding="utf-8")
    for number in numbers:
        chosen = [commune.insee for commune in pack.communes[:number]]
        wished = trees(pack, offline_secrets(pack), chosen)
        files = [
            {"path": f"/srv/reference{file.path}", "content": "".join(part.content for part in file.parts)}
            for tree in wished.values()
            if tree.group != "stockage"
            for file in tree.files
            if any(part.commune in chosen for part in file.parts) and not any(part.source for part in file.parts)
        ]
        # Some hold braces that Ansible would take for its own.
        entries = [
            f"- {{path: {json.dumps(file['path'])}, content: !unsafe {json.dumps(file['content'])}}}" for file in files
        ]
        variables.write_text("\n".join(["files:", *entries]) + "\n", encoding="utf-8")
        lab.run(HOSTS[0], ["rm", "-rf", "/srv/reference"])
        for step in ("first time", "nothing to change"):
            seconds = timed(BINARIES / "ansible-playbook", "-i", source, playbook, "-e", f"@{variables}")
            each = seconds / number
            print(
                f"reference, {step}: {number} communes, {len(files)} files, {seconds:.0f} s: {each:.1f} s a commune;"
                f" by calculation {each * 906 / 60:.0f} min for 906   (load {os.getloadavg()[0]:.1f})",
                flush=True,
            )
    lab.run(HOSTS[0], ["rm", "-rf", "/srv/reference"])


def main() -> int:
    """Measure each size and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 902])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--reference", type=int, nargs="*", default=[])
    options = parser.parse_args()
    lab = Lab.open()
    lab.up([*HOSTS, "monde"])
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-") as scratch:
        for size in options.sizes:
            measure(lab, options.pack, size, options.runs, Path(scratch))
        if options.reference:
            reference(lab, options.pack, options.reference, Path(scratch))
    return 0


if __name__ == "__main__":
    sys.exit(main())
