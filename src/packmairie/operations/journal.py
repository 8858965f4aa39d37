# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run on the controller: one line a step, on the disk before the next step begins."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packmairie.engines.spool import sync_folder
from packmairie.model.deployment import Ending, Outcome, Request, RunRecord, read_run
from packmairie.model.problem import fail

JOURNAL = "journal.jsonl"


def who() -> str:
    """Return who runs this command, as history shows it."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


class Journal:
    """The journal of one run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL

    def start(self, request: Request) -> None:
        """Say what was asked, by whom, and which process does it."""
        self._add("start", who=who(), pid=os.getpid(), born=born(os.getpid()), request=asdict(request))
        sync_folder(self.path.parent)
        sync_folder(self.path.parent.parent)

    def wave(self, communes: tuple[str, ...]) -> None:
        """Say that a wave begins: from here to its outcome nobody knows what was done of its communes."""
        self._add("wave", communes=list(communes))

    def outcomes(self, outcomes: dict[str, Outcome]) -> None:
        """Say what became of communes: the word is given once it is proven."""
        self._add("outcomes", communes={code: outcome.value for code, outcome in outcomes.items()})

    def end(self, ending: Ending) -> None:
        """Say how the run ended."""
        self._add("end", result=ending.value)

    def _add(self, event: str, **data: Any) -> None:
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **data})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (line + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_journal(folder: Path) -> RunRecord | None:
    """Return what the journal of a run's folder tells, None without one; a half-written last line is left out."""
    try:
        lines = (folder / JOURNAL).read_bytes().split(b"\n")[:-1]
    except OSError:
        return None
    entries: list[dict[str, Any]] = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    try:
        start = entries[0] if entries else {}
        alive = bool(start.get("pid")) and born(int(start["pid"])) == start.get("born") is not None
        return read_run(folder.name, entries, alive=alive)
    except (KeyError, TypeError, ValueError):
        return None


def read_runs(runs: Path, pack: Path) -> tuple[RunRecord, ...]:
    """Return the runs of a pack, the newest first."""
    found = [
        read_journal(folder)
        for folder in sorted(runs.iterdir() if runs.is_dir() else (), reverse=True)
        if (folder / JOURNAL).is_file()
    ]
    return tuple(run for run in found if run is not None and run.request.pack == str(pack.resolve()))


@contextmanager
def one_at_a_time(runs: Path, pack: Path) -> Iterator[None]:
    """Hold the deployments of a pack for one process. Raise PackmairieError when another one is deploying it."""
    runs.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(pack.resolve()).encode()).hexdigest()[:16]
    descriptor = os.open(runs / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise fail(
                str(pack), "un déploiement de ce pack est en cours", "attendre sa fin (packmairie history)"
            ) from None
        yield
    finally:
        os.close(descriptor)


def born(pid: int) -> str | None:
    """Return when a process began, which names it with its number; None when there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # The command's name may hold spaces and brackets: fields are counted after it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return f"{boot}/{fields[19]}" if fields[0] != "Z" else None
