# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-lived processes of the lab: started detached, recorded, ended by their own id only.

A recorded id is trusted only when the process that has it today started at the
recorded moment: after a crash the number may belong to somebody else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packmairie.lab.paths import read_json, write_json

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Recorded:
    """A process of ours: its id and its start, in clock ticks since the machine booted."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Say whether that very process still runs (a zombie does not count)."""
        fields = _stat(self.pid)
        return fields is not None and fields[0] != "Z" and int(fields[19]) == self.started

    @property
    def since(self) -> datetime:
        """Return when it started, in UTC."""
        boot = next(
            int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime ")
        )
        return datetime.fromtimestamp(boot + self.started / _TICKS, UTC)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still the process that was recorded."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, seconds: float) -> bool:
        """Wait for its end, no longer than `seconds`; return whether it has ended."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            _reap(self.pid)
            time.sleep(0.05)
        _reap(self.pid)
        return True


def _stat(pid: int) -> list[str] | None:
    try:
        text = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may itself hold spaces and parentheses.
    return text[text.rindex(")") + 2 :].split()


def _reap(pid: int) -> None:
    """Collect our own child so that it does not linger as a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def start(
    argv: Sequence[str | Path],
    record: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Recorded:
    """Start a program in a session of its own, write its record, return it.

    Standard output and error go to `log`; the program survives this process.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env={**os.environ, **(environment or {})},
        )
    fields = _stat(child.pid)
    process = Recorded(child.pid, int(fields[19]) if fields else 0)
    write_json(record, {"pid": process.pid, "started": process.started})
    # Python would warn that a child still runs; it is meant to.
    child.returncode = 0
    return process


def recorded(record: Path) -> Recorded | None:
    """Return the process that a record file names, if it still runs."""
    value = read_json(record)
    try:
        process = Recorded(int(value["pid"]), int(value["started"]))
    except (KeyError, TypeError, ValueError):
        return None
    return process if process.alive else None


def stop(record: Path, seconds: float = 5) -> None:
    """End the recorded process: politely, then not; remove the record."""
    process = recorded(record)
    if process is not None:
        process.signal(signal.SIGTERM)
        if not process.wait(seconds):
            process.signal(signal.SIGKILL)
            process.wait(5)
    record.unlink(missing_ok=True)
