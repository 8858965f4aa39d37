# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup: what each file held when it was read, and whether that can be held against a restore.

Files are hashed before restic reads them and looked at again after. A file whose size, inode, mtime and ctime are the
same at both moments held the same bytes in between, hence what restic read: it is ``stable`` and must come back equal.
ctime cannot be set by a program, unlike mtime. A file that changed in between proves nothing either way: it is named as
such, never compared and never counted as proven. One whose ctime is younger than the clock's tick is doubtful too,
since two changes in one tick look alike; it is hashed later, when it is no longer young.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

FORMAT = 1
RACY_NS = 50_000_000
"""Ten times the coarsest clock tick of a Linux kernel (CONFIG_HZ=100: 10 ms), rounded up."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One regular file: absolute path, size in bytes, times in nanoseconds, SHA-256 in hexadecimal."""

    path: str
    size: int
    mtime: int
    ctime: int
    inode: int
    sha256: str
    stable: bool = True

    def same_state(self, status: os.stat_result) -> bool:
        """Tell whether a file is still as it was."""
        return (self.size, self.mtime, self.ctime, self.inode) == (
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
        )


@dataclass(frozen=True)
class Manifest:
    """Every regular file of a source; ``unreadable`` are those that could not be read, with why."""

    entries: Mapping[str, Entry]
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    unreadable: Mapping[str, str] | None = None

    @property
    def stable(self) -> int:
        """How many files can be held against a restore."""
        return sum(entry.stable for entry in self.entries.values())


def regular_files(roots: Iterable[str], excluded: Callable[[str], bool]) -> Iterator[str]:
    """Yield the regular files under folders, in order, never through a symbolic link nor to another file system."""
    for root in roots:
        try:
            top = os.lstat(root)
        except OSError:
            continue
        if stat.S_ISREG(top.st_mode):
            yield root
            continue
        pending = [root]
        while pending:
            folder = pending.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
            except OSError:
                continue
            for entry in entries:
                if excluded(entry.path):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    try:
                        if entry.stat(follow_symlinks=False).st_dev == top.st_dev:
                            pending.append(entry.path)
                    except OSError:
                        continue
                elif entry.is_file(follow_symlinks=False):
                    yield entry.path


def exclusion(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return whether restic leaves a path out: a pattern without a slash is a name, with one it is a whole path.

    Only these two forms are used, so that the manifest and restic see the same files.
    """
    names = [pattern for pattern in patterns if "/" not in pattern]
    paths = [pattern for pattern in patterns if "/" in pattern]

    def leaves_out(path: str) -> bool:
        pure = PurePosixPath(path)
        return any(PurePosixPath(pure.name).match(name) for name in names) or any(pure.match(p) for p in paths)

    return leaves_out


def digest(path: str) -> str:
    """Return the SHA-256 of a file, without changing its access time where the system allows it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        total = hashlib.sha256()
        while chunk := file.read(CHUNK):
            total.update(chunk)
    return total.hexdigest()


def take(roots: Iterable[str], excludes: Iterable[str], known: Mapping[str, Entry], started_ns: int) -> Manifest:
    """Hash every file; one that is as the last manifest (``known``) saw it is not read again.

    ``started_ns`` is the moment at which this pass began (nanoseconds since 1970).
    """
    entries: dict[str, Entry] = {}
    unreadable: dict[str, str] = {}
    for path in regular_files(roots, exclusion(excludes)):
        try:
            before = os.lstat(path)
            last = known.get(path)
            if last is not None and last.stable and last.same_state(before):
                entries[path] = last
                continue
            # Too young: a second change in the same tick would not show.
            wait = before.st_ctime_ns + RACY_NS - time.time_ns()
            if 0 < wait <= RACY_NS:
                time.sleep(wait / 1e9)
            value = digest(path)
            after = os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            unreadable[path] = error.strerror or error.__class__.__name__
            continue
        entry = Entry(path, before.st_size, before.st_mtime_ns, before.st_ctime_ns, before.st_ino, value)
        # A ctime ahead of the clock cannot be told from one still to come.
        future = before.st_ctime_ns > max(started_ns, time.time_ns()) + RACY_NS
        entries[path] = entry if entry.same_state(after) and not future else replace(entry, stable=False)
    return Manifest(entries, unreadable=unreadable)


def settle(manifest: Manifest, roots: Iterable[str], excludes: Iterable[str]) -> Manifest:
    """Look at every file again, after restic: what changed in between is no longer stable."""
    seen = set(regular_files(roots, exclusion(excludes)))
    entries: dict[str, Entry] = {}
    for path, entry in manifest.entries.items():
        try:
            same = entry.same_state(os.lstat(path))
        except OSError:
            same = False
        entries[path] = entry if same or not entry.stable else replace(entry, stable=False)
    unreadable = manifest.unreadable or {}
    return Manifest(
        entries,
        tuple(sorted(seen - set(entries) - set(unreadable))),
        tuple(sorted(set(entries) - seen)),
        unreadable,
    )


def to_text(manifest: Manifest, heading: Mapping[str, Any]) -> str:
    """Return a manifest as lines of JSON: a heading, then one line for each file, in order of path."""
    first = {
        "format": FORMAT,
        **heading,
        "fichiers": len(manifest.entries),
        "stables": manifest.stable,
        "apparus": list(manifest.appeared),
        "disparus": list(manifest.vanished),
        "illisibles": dict(manifest.unreadable or {}),
    }
    lines = [json.dumps(first, ensure_ascii=True, sort_keys=True)]
    for path in sorted(manifest.entries):
        entry = manifest.entries[path]
        lines.append(
            json.dumps(
                [entry.path, entry.size, entry.mtime, entry.ctime, entry.inode, entry.sha256, entry.stable],
                ensure_ascii=True,
            )
        )
    return "\n".join(lines) + "\n"


def from_text(text: str) -> tuple[dict[str, Any], Manifest]:
    """Read a manifest back with its heading. Raise ValueError when it is not whole."""
    lines = text.splitlines()
    if not lines:
        raise ValueError("empty manifest")
    heading = json.loads(lines[0])
    if not isinstance(heading, dict) or heading.get("format") != FORMAT:
        raise ValueError("unknown format of manifest")
    entries = {}
    for line in lines[1:]:
        path, size, mtime, ctime, inode, sha256, stable = json.loads(line)
        entries[path] = Entry(path, size, mtime, ctime, inode, sha256, bool(stable))
    if len(entries) != heading["fichiers"]:
        raise ValueError("truncated manifest")
    return heading, Manifest(
        entries, tuple(heading["apparus"]), tuple(heading["disparus"]), dict(heading["illisibles"])
    )
