# SPDX-License-Identifier: GPL-3.0-or-later
"""A rendered site put in place: the visitor sees the old one or the new one, never a mixture.

Files that did not change are hard links to those of the old folder, so that a build writes only what differs.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .content import MAX_PDF
from .files import RefusedError, opened_folder
from .pages import Rendered

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Published:
    """What a build did: how many files are new or different, how many went away, what could not be published."""

    changed: int
    removed: int
    problems: tuple[str, ...]


def publish(rendered: Rendered, content: Path, out: Path) -> Published:
    """Given a rendered site, the secretary's folder and the site's folder, make the site's folder equal to it.

    Nothing is touched when nothing changed. Raise OSError; the site is then as it was.
    """
    problems = list(rendered.problems)
    fresh = out.with_name(f".{out.name}.nouveau")
    _remove(fresh)
    old = _present(out)
    documents = _documents(rendered, content, problems)
    wished = {*rendered.files, *documents}
    different = {path for path, data in rendered.files.items() if not _same(out / path, data)}
    different |= {path for path, state in documents.items() if not _same_state(out / path, state)}
    removed = old - wished
    if not different and not removed:
        return Published(0, 0, tuple(problems))
    try:
        _fill(fresh, rendered, documents, content, out, different)
        _swap(fresh, out)
    finally:
        _remove(fresh)
    return Published(len(different), len(removed), tuple(problems))


def _present(out: Path) -> set[str]:
    """Return the paths of the files in a site's folder."""
    found = set()
    for folder, _folders, names in os.walk(out):
        found |= {os.path.relpath(os.path.join(folder, name), out) for name in names}  # noqa: PTH118 - hot loop
    return found


def _documents(rendered: Rendered, content: Path, problems: list[str]) -> dict[str, os.stat_result]:
    """Return the state of each document that is still there."""
    states = {}
    for path, source in rendered.documents.items():
        try:
            state = (content / source).lstat()
        except OSError:
            state = None
        if state is None or not stat.S_ISREG(state.st_mode):
            problems.append(f"{source} : a disparu pendant la construction")
            continue
        states[path] = state
    return states


def _same(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _same_state(path: Path, state: os.stat_result) -> bool:
    try:
        mine = path.stat()
    except OSError:
        return False
    return mine.st_size == state.st_size and mine.st_mtime_ns == state.st_mtime_ns


def _fill(  # noqa: PLR0917 - both folders, and what goes from one to the other
    fresh: Path, rendered: Rendered, documents: dict[str, os.stat_result], content: Path, out: Path, different: set[str]
) -> None:
    fresh.mkdir(mode=0o755, parents=True)
    for path in sorted({*rendered.files, *documents}):
        target = fresh / path
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if path not in different:
            os.link(out / path, target)
        elif path in rendered.files:
            target.write_bytes(rendered.files[path])
        else:
            _copy(content, rendered.documents[path], target, documents[path])


def _copy(content: Path, source: str, target: Path, state: os.stat_result) -> None:
    """Copy a document, not following links: what the folder holds may have changed since it was read."""
    folder, name = source.split("/", 1)
    with opened_folder(content) as root, opened_folder(folder, root) as parent:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        with os.fdopen(descriptor, "rb") as stream, target.open("wb") as copy:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RefusedError("n'est plus un fichier ordinaire")
            left = MAX_PDF
            while left > 0 and (piece := stream.read(min(left, 1 << 20))):
                copy.write(piece)
                left -= len(piece)
    os.utime(target, ns=(state.st_mtime_ns, state.st_mtime_ns))


def _swap(fresh: Path, out: Path) -> None:
    """Put the new folder in the place of the old one, in one step where the system can."""
    if not out.exists():
        fresh.rename(out)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        done = libc.renameat2(_AT_FDCWD, os.fsencode(fresh), _AT_FDCWD, os.fsencode(out), _RENAME_EXCHANGE)
        if done == 0:
            return
    aside = out.with_name(f".{out.name}.ancien")
    _remove(aside)
    out.rename(aside)
    fresh.rename(out)
    _remove(aside)


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
