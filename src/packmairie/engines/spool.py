# SPDX-License-Identifier: GPL-3.0-or-later
"""Where transfers wait and are remembered: a folder for each, and one journal that nothing rewrites.

Each line of the journal holds the digest of the one before: a line changed or removed in the middle shows. A line that
a power cut left unfinished is dropped, for what it told was not done yet. One process at a time holds a spool.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packmairie.model.problem import fail

JOURNAL = "journal.jsonl"
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_START = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One line of the journal: which transfer, which step, when (UTC), and what the step told."""

    number: int
    at: str
    transfer: str
    step: str
    data: dict[str, Any]
    digest: str


class Spool:
    """The transfers of one commune for one brique."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held = False

    @contextmanager
    def hold(self) -> Iterator[Spool]:
        """Hold the spool for this process. Raise PackmairieError when another one holds it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise fail(str(self.folder), "une autre commande y travaille", "attendre qu'elle finisse") from None
            self._held = True
            self._drop_unfinished()
            yield self
        finally:
            self._held = False
            os.close(descriptor)

    def place(self, transfer: str) -> Path:
        """Return the folder of a transfer. Raise ValueError for what cannot name one."""
        if not IDENTIFIER.fullmatch(transfer) or transfer == JOURNAL:
            raise ValueError(f"« {transfer} » ne peut pas nommer un envoi")
        return self.folder / transfer

    def entries(self, transfer: str | None = None) -> tuple[Entry, ...]:
        """Return the journal, of one transfer or of all. Raise PackmairieError when a line was changed."""
        found = tuple(self._read())
        return found if transfer is None else tuple(entry for entry in found if entry.transfer == transfer)

    def transfers(self) -> tuple[str, ...]:
        """Return the transfers known, in the order in which they began."""
        return tuple(dict.fromkeys(entry.transfer for entry in self.entries()))

    def step(self, transfer: str, name: str) -> Entry | None:
        """Return the last entry of a step of a transfer, None when it was not reached."""
        found = [entry for entry in self.entries(transfer) if entry.step == name]
        return found[-1] if found else None

    def record(self, transfer: str, step: str, **data: Any) -> Entry:
        """Add a line; it is on the disk when this returns. The spool must be held."""
        if not self._held:
            raise RuntimeError("a journal is written by who holds the spool")
        self.place(transfer)
        last = self.entries()[-1:]
        previous = last[0].digest if last else _START
        number = last[0].number + 1 if last else 1
        line: dict[str, Any] = {
            "n": number,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "transfer": transfer,
            "step": step,
            "data": data,
            "previous": previous,
        }
        line["digest"] = _digest(line)
        descriptor = os.open(self.folder / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self.folder)
        return Entry(number, line["at"], transfer, step, data, line["digest"])

    def _drop_unfinished(self) -> None:
        path = self.folder / JOURNAL
        if not path.exists():
            return
        content = path.read_bytes()
        kept = content[: content.rfind(b"\n") + 1]
        if kept != content:
            os.truncate(path, len(kept))

    def _read(self) -> Iterator[Entry]:
        path = self.folder / JOURNAL
        if path.exists():
            yield from read_journal(path.read_bytes(), str(path))


def read_journal(content: bytes, place: str) -> Iterator[Entry]:
    """Yield the lines of a journal, the unfinished one left out. Raise PackmairieError when one was changed."""
    previous, number = _START, 0
    for position, raw in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            line = json.loads(raw)
            digest = line.pop("digest")
            good = line["previous"] == previous and line["n"] == number + 1 and digest == _digest(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            good = False
        if not good:
            raise fail(
                f"{place}:{position}", "le journal a été modifié", "le reprendre d'une sauvegarde, puis enquêter"
            )
        previous, number = digest, line["n"]
        yield Entry(number, line["at"], line["transfer"], line["step"], line["data"], digest)


def _digest(line: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(line, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def sync_folder(folder: Path) -> None:
    """Put on the disk what a folder lists."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
