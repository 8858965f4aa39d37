# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a commune takes: its files against its quota, its files and bins together against twice that.

A deletion frees place at once, and what is kept cannot fill the disk without end. The count is of the files
themselves, renewed every minute, to which what has been accepted since is added.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from packmairie.partage_hote.places import BIN, DROP, LIMIT_FILE, Limits, Places

FRESH_SECONDS = 60.0
BIN_FACTOR = 2


class Refused(Exception):  # noqa: N818 — a decision, not a fault
    """Something that may not be done; the text is French, for who asked."""


def measure(places: Places, insee: str) -> tuple[int, int]:
    """Return the bytes of a commune's files, and of its bins."""
    used = kept = 0
    for folder in places.folders(insee):
        for path, size in sizes(folder):
            if f"/{BIN}/" in path[len(str(folder)) :]:
                kept += size
            else:
                used += size
    return used, kept


def sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield (path, bytes) of each regular file of a folder, without following any link."""
    waiting = [str(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue


class Ledger:
    """The counts of this process, by commune."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, int, int]] = {}

    def admit(self, limits: Limits, size: int) -> None:
        """Count an upload of ``size`` bytes (0 when nobody knows yet). Raise Refused when there is no room."""
        with self._lock:
            at, used, kept = self._known.get(limits.insee, (0.0, 0, 0))
            if time.monotonic() - at > FRESH_SECONDS or not at:
                used, kept = measure(self.places, limits.insee)
                at = time.monotonic()
            if used + size > limits.quota or used + kept + size > limits.quota * BIN_FACTOR:
                self._known.pop(limits.insee, None)
                what = "l'espace de la commune est plein" if used + size > limits.quota else "la corbeille est pleine"
                shown = f"{used / 1e6:.0f} Mo utilisés sur {limits.quota / 1e6:.0f}, {kept / 1e6:.0f} Mo en corbeille"
                raise Refused(f"{what} ({shown}) : rien n'a été enregistré")
            self._known[limits.insee] = (at, used + size, kept)

    def admit_deposit(self, limits: Limits, box: str, size: int) -> None:
        """Check that a drop box may receive ``size`` bytes more. Raise Refused."""
        base = self.places.root / limits.insee
        limit = limits.drop
        if box:
            try:
                limit = int((base / DROP / box / LIMIT_FILE).read_text())
            except (OSError, ValueError):
                limit = limits.drop
        received = sum(
            found
            for space in (DROP, "depot")
            for path, found in sizes(base / space / box if box else base / space)
            if f"/{BIN}/" not in path
        )
        if received + size > limit:
            raise Refused(f"cette boîte de dépôt reçoit {limit / 1e6:.0f} Mo au plus : rien n'a été enregistré")
