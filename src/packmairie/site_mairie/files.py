# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a folder that somebody else writes: no link is followed, no special file opened, nothing read without end."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class RefusedError(Exception):
    """A file is not read; the text says why, in French, to follow its name."""


@contextmanager
def opened_folder(name: str | Path, parent: int | None = None) -> Iterator[int]:
    """Give the descriptor of a folder that is not a link. Raise OSError."""
    descriptor = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def names_in(folder: int, limit: int) -> tuple[list[str], bool]:
    """Return the names in a folder, sorted, at most ``limit`` of them, and whether there were more."""
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) > limit * 4:
                break
    names.sort()
    return names[:limit], len(names) > limit


def is_text(name: str) -> bool:
    """Tell whether a name is text: a file's may be any octets, which nothing that is published could say again."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_file(folder: int, name: str, limit: int) -> os.stat_result:
    """Return the state of a regular file of at most ``limit`` octets. Raise RefusedError."""
    try:
        state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise RefusedError(f"illisible ({error.strerror})") from None
    if stat.S_ISLNK(state.st_mode):
        raise RefusedError("est un lien, ignoré")
    if not stat.S_ISREG(state.st_mode):
        raise RefusedError("n'est pas un fichier ordinaire, ignoré")
    if state.st_size > limit:
        raise RefusedError(f"trop gros : {state.st_size} octets, {limit} au plus")
    return state


def read_bounded(folder: int, name: str, limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` octets. Raise RefusedError."""
    check_file(folder, name, limit)
    try:
        # Non-blocking: the name may have become a pipe since it was looked at.
        descriptor = os.open(name, _FLAGS | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise RefusedError(f"illisible ({error.strerror})") from None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedError("n'est pas un fichier ordinaire, ignoré")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise RefusedError(f"trop gros : plus de {limit} octets")
    return data


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader meets the old content or the new, never half of it. Raise OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_in(folder: int, name: str, data: bytes) -> None:
    """Write a file whole, in a folder held open. Raise OSError."""
    temporary = f".{name[:60]}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o644, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise
