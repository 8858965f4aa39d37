# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a file so that a reader, or a power cut, never meets half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_file(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Write a file whole, replacing what was there; it is on the disk when this returns. Raise OSError."""
    temporary = _temporary(path, content, mode)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_new_files(files: Mapping[Path, str], *, mode: int = 0o644) -> None:
    """Write files that must not exist yet, all of them or none.

    Raise FileExistsError when one exists, even if it appeared meanwhile, and OSError
    when the disk refuses; what had been written before is then removed.
    """
    written: list[Path] = []
    try:
        for path, content in files.items():
            temporary = _temporary(path, content, mode)
            try:
                # A hard link fails when the name exists, where a rename would overwrite.
                os.link(temporary, path)
                written.append(path)
            finally:
                temporary.unlink(missing_ok=True)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise
    for folder in {path.parent for path in files}:
        _sync_folder(folder)


def _temporary(path: Path, content: str | bytes, mode: int) -> Path:
    """Return a synced file with the content, beside the final one and private until it is complete."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode("utf-8") if isinstance(content, str) else content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
