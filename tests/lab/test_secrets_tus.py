# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret is found in any plan, log, artifact, process list or report: the vault's own values are the canaries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stages import Rehearsal, Told

from packmairie.lab import Lab

pytestmark = pytest.mark.lab

Run = Callable[..., Told]
NAMES = ("plateforme", "59529", "62633", "62708")
SECRET_FILES = "/etc/dovecot/communes/*.passwd /var/lib/rspamd/dkim/*.key /etc/knot/communes/cle.conf"
PUBLIC = {"publique", "cree_le"}


@pytest.fixture(scope="module")
def canaries(secrets: Callable[[str], Mapping[str, Any]]) -> set[bytes]:
    """Every secret of the pack; of a private key, each line of it."""
    found: set[bytes] = set()
    for name in NAMES:
        for value in secrets(name).values():
            parts = value.items() if isinstance(value, dict) else [("", value)]
            for part, text in parts:
                if part not in PUBLIC:
                    found |= {line.encode() for line in str(text).splitlines() if len(line) >= 16}
    found = {canary for canary in found if not canary.startswith(b"-----")}
    assert len(found) > 100
    return found


def leaks(data: bytes, canaries: set[bytes]) -> int:
    """Return how many canaries are in some data (their number, never themselves: a failure must not leak them)."""
    return sum(canary in data for canary in canaries)


@contextmanager
def process_lists(seen: list[bytes]) -> Iterator[None]:
    """Record the arguments of every process of this machine, lab hosts included, while something runs."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(entry.read_bytes())
                except OSError:
                    continue
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_neither_commands_nor_their_traces_tell_a_secret(
    rehearsal: Rehearsal, packmairie: Run, canaries: set[bytes], runs_folder: Path, lab: Lab, tmp_path: Path
) -> None:
    # The secret files are made different, so that the next plan and deployment have them to write.
    blur = f"for file in {SECRET_FILES}; do echo '# x' >> $file; done"
    assert lab.run("plateforme", ["sh", "-c", blur]).returncode == 0
    page, kept, rendered = tmp_path / "etat.html", tmp_path / "etat.json", tmp_path / "rendu"
    seen: list[bytes] = []
    with process_lists(seen):
        told = [
            packmairie("plan", "--detail"),
            packmairie("plan", "--json"),
            packmairie("plan", "--markdown"),
            packmairie("plan", "--offline", "--write", str(rendered)),
            packmairie("deploy", "--json", "--runs", str(runs_folder)),
            packmairie("status", "--detail", "--html", str(page), "--save", str(kept)),
        ]
    assert [one.code for one in told] == [2, 2, 2, 0, 0, 0], [one.err for one in told]
    assert "contenu secret" in told[0].out
    for one in (rehearsal.fresh_plan, rehearsal.fresh_plan_json, rehearsal.first, rehearsal.second, *told):
        assert leaks((one.out + one.err).encode(), canaries) == 0
    files = [path for folder in (runs_folder, rendered) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert sum(leaks(path.read_bytes(), canaries) for path in [*files, page, kept]) == 0
    assert len(seen) > 100
    assert leaks(b"\n".join(set(seen)), canaries) == 0


def test_hosts_logs_tell_none(rehearsal: Rehearsal, canaries: set[bytes], lab: Lab) -> None:
    journal = lab.run(
        "plateforme", ["sh", "-c", "journalctl --no-pager -o cat; cat /var/log/*.log 2>/dev/null || true"]
    )
    assert len(journal.stdout) > 1000
    assert leaks(journal.stdout.encode(), canaries) == 0


def test_secret_files_are_closed(rehearsal: Rehearsal, lab: Lab) -> None:
    listing = lab.run(
        "plateforme",
        [
            "sh",
            "-c",
            "stat -c %a /etc/dovecot/communes/*.passwd /var/lib/rspamd/dkim/*.key /etc/knot/communes/cle.conf",
        ],
    )
    modes = set(listing.stdout.split())
    assert modes
    assert all(mode.endswith("0") for mode in modes)


def test_inventory_of_ansible_holds_none(rehearsal: Rehearsal, canaries: set[bytes], pack_folder: Path) -> None:
    import subprocess
    import sys

    from stages import ROOT

    command = [Path(sys.executable).parent / "ansible-inventory", "-i", pack_folder, "--list"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=True).stdout
    assert b"packmairie_pack" in shown
    assert leaks(shown, canaries) == 0
