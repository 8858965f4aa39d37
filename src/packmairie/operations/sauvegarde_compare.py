# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore is held against: pure comparison of a snapshot and of restored files with a manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packmairie.sauvegarde_hote.manifest import Entry, Manifest, digest

SHOWN = 5


@dataclass(frozen=True)
class Listing:
    """A snapshot's list of files against a manifest.

    ``missing`` and ``resized`` are stable files that the snapshot lacks or holds at another size: faults. ``moving``
    are files that appeared, changed or went while the backup was made: neither proof nor fault.
    """

    missing: tuple[str, ...]
    resized: tuple[str, ...]
    moving: tuple[str, ...]

    @property
    def faults(self) -> int:
        """How many files are not as they should be."""
        return len(self.missing) + len(self.resized)


def compare_listing(manifest: Manifest, listed: Mapping[str, int]) -> Listing:
    """Given a manifest and the files of a snapshot (size by path), return how they differ."""
    missing, resized, moving = [], [], []
    for path, entry in manifest.entries.items():
        if not entry.stable:
            moving.append(path)
        elif path not in listed:
            missing.append(path)
        elif listed[path] != entry.size:
            resized.append(path)
    moving += [path for path in listed if path not in manifest.entries]
    return Listing(tuple(sorted(missing)), tuple(sorted(resized)), tuple(sorted(moving)))


def sample(manifest: Manifest, turn: int, files: int, octets: int) -> list[Entry]:
    """Return the files to restore at this turn: at most ``files``, and ``octets`` bytes unless one file is larger.

    Stable files stand in an order that the names alone decide, cut in slices; each turn takes the next slice, so that
    as many turns as there are slices restore everything.
    """
    ordered = sorted(
        (entry for entry in manifest.entries.values() if entry.stable),
        key=lambda entry: hashlib.sha256(entry.path.encode("utf-8", "surrogateescape")).digest(),
    )
    slices: list[list[Entry]] = []
    weight = 0
    for entry in ordered:
        if not slices or len(slices[-1]) >= files or (slices[-1] and weight + entry.size > octets):
            slices.append([])
            weight = 0
        slices[-1].append(entry)
        weight += entry.size
    return slices[turn % len(slices)] if slices else []


def compare_files(wanted: list[Entry], folder: Path) -> list[str]:
    """Given files of a manifest and the folder under which they were restored, return what is wrong, a line a file."""
    faults = []
    for entry in wanted:
        path = folder / entry.path.lstrip("/")
        try:
            if path.is_symlink() or not path.is_file():
                faults.append(f"{entry.path} : absent")
            elif path.stat().st_size != entry.size:
                faults.append(f"{entry.path} : {path.stat().st_size} octets au lieu de {entry.size}")
            elif digest(str(path)) != entry.sha256:
                faults.append(f"{entry.path} : contenu différent")
        except OSError as error:
            faults.append(f"{entry.path} : illisible ({error.strerror})")
    return faults
