# SPDX-License-Identifier: GPL-3.0-or-later
"""Run restic on the technician's machine, on a repository shown by the bridge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from packmairie.engines.restic_bridge import Repository, bridge
from packmairie.model.problem import fail
from packmairie.sauvegarde_hote.codes import Outcome, outcome_of
from packmairie.sauvegarde_hote.restic import password_descriptor

TIMEOUT_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Done:
    """What restic did: its exit code, what it means, what it printed."""

    code: int
    outcome: Outcome
    out: bytes
    err: str


@dataclass(frozen=True)
class Snapshot:
    """One snapshot: its id, when its host says that it was taken, the host, the tags, the folders."""

    id: str
    time: datetime
    host: str
    tags: tuple[str, ...]
    paths: tuple[str, ...]

    def tag(self, name: str) -> str:
        """Return the value of a tag ``name:value``, empty when it has none."""
        return next((tag.partition(":")[2] for tag in self.tags if tag.startswith(f"{name}:")), "")


class Restic:
    """Opens one repository with its password; every command is a run of restic."""

    def __init__(self, repository: Repository, password: str) -> None:
        self.repository, self._password = repository, password

    def run(self, arguments: Sequence[str], *, folder: Path | None = None) -> Done:
        """Run restic; a repository that cannot be written to is read without a lock."""
        descriptor = password_descriptor(self._password)
        options = ["--no-cache", *([] if self.repository.writable else ["--no-lock"])]
        try:
            with bridge(self.repository) as url, tempfile.TemporaryDirectory(prefix="packmairie-restic-") as scratch:
                environment = {
                    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                    "HOME": scratch,
                    "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 — restic's own default
                    "LANG": "C.UTF-8",
                    "RESTIC_REPOSITORY": url,
                    "RESTIC_PASSWORD_FILE": f"/dev/fd/{descriptor}",
                    "RESTIC_PROGRESS_FPS": "0.016",
                    "NO_PROXY": "127.0.0.1",
                }
                process = subprocess.Popen(  # noqa: S603 — a list of arguments, no shell
                    ["restic", *options, *arguments],  # noqa: S607 — the machine's own restic
                    env=environment,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pass_fds=(descriptor,),
                )
                started = time.monotonic()
                out, err = self._follow(process)
                late = time.monotonic() - started > TIMEOUT_SECONDS
        except FileNotFoundError:
            raise fail("restic", "programme absent de cette machine", "apt-get install restic") from None
        finally:
            os.close(descriptor)
        said = err.decode("utf-8", "replace")
        lost = self.repository.missing[:]
        self.repository.missing.clear()
        if lost:
            outcome = Outcome("echec", f"données absentes du dépôt ({lost[0][:12]}…)")
        elif late:
            outcome = Outcome("echec", "restic n'a pas fini à temps")
        else:
            outcome = outcome_of(process.returncode, said)
        return Done(process.returncode, outcome, out, said)

    def _follow(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        """Wait for restic; end it when it asks for what is not there, which it would do for a quarter of an hour."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            while True:
                try:
                    return process.communicate(timeout=0.5)
                except subprocess.TimeoutExpired:
                    if self.repository.missing or time.monotonic() > deadline:
                        # As the Ctrl+C of a terminal: restic takes its lock away before it ends.
                        process.send_signal(signal.SIGINT)
                        return process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def must(self, arguments: Sequence[str]) -> bytes:
        """Run restic and return what it printed. Raise PackmairieError with the cause when it fails."""
        done = self.run(arguments)
        if done.outcome.state != "reussie":
            raise fail(
                f"dépôt {self.repository.bucket}/{self.repository.prefix}",
                f"{done.outcome.cause} (restic {arguments[0]})",
                "voir docs/briques/sauvegarde.md, « Quand un dépôt est abîmé »",
            )
        return done.out

    def snapshots(self) -> list[Snapshot]:
        """Return every snapshot, the oldest first."""
        found = json.loads(self.must(["snapshots", "--json"]) or b"[]") or []
        return sorted((snapshot_of(entry) for entry in found), key=lambda snapshot: snapshot.time)

    def listing(self, snapshot: str) -> dict[str, int]:
        """Return the regular files of a snapshot, with their size in bytes."""
        files = {}
        for line in self.must(["ls", "--json", snapshot]).splitlines():
            node = json.loads(line)
            if node.get("struct_type", node.get("message_type")) == "node" and node.get("type") == "file":
                files[str(node["path"])] = int(node.get("size", 0))
        return files


def snapshot_of(entry: dict[str, Any]) -> Snapshot:
    """Return a snapshot as ``restic snapshots --json`` tells it."""
    text = str(entry["time"])
    # Go writes nanoseconds, Python reads microseconds.
    head, dot, rest = text.partition(".")
    if dot:
        digits = "".join(character for character in rest[:9] if character.isdigit())
        zone = rest.lstrip("0123456789")
        text = f"{head}.{digits[:6]:0<6}{zone}"
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return Snapshot(
        str(entry["id"]),
        moment,
        str(entry.get("hostname", "")),
        tuple(entry.get("tags") or ()),
        tuple(entry.get("paths") or ()),
    )


def literal(path: str) -> str:
    """Return a path as a restic pattern that matches nothing else (Go's filepath.Match)."""
    return "".join(f"\\{character}" if character in "\\*?[" else character for character in path)
