# SPDX-License-Identifier: GPL-3.0-or-later
"""The bin: what is deleted or replaced is kept first, by its path and the day."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from packmairie.partage_hote.places import KEPT_NOWHERE, SITE, Place, Places

PARTIAL = ".PARTIAL"
NAME_OCTETS = 255
TRIES = 1000


def worth_keeping(place: Place | None, name: str, status: os.stat_result) -> bool:
    """Tell whether a file goes to the bin: a regular one, not empty, whole, and not in a bin already."""
    return (
        place is not None
        and place.space not in KEPT_NOWHERE
        and not place.in_bin
        and stat.S_ISREG(status.st_mode)
        and status.st_size > 0
        and not name.endswith(PARTIAL)
    )


def keep(places: Places, path: str, *, copy: bool = False, now: datetime | None = None) -> Path | None:
    """Given a file about to be unlinked (or, with ``copy``, to be rewritten in place), keep it in the bin.

    Return where it is kept, None when there is nothing to keep. Raise OSError when it cannot be kept: the file must
    then stay as it is.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    place = places.locate(path)
    name = Path(path).name
    if place is None or not worth_keeping(place, name, status):
        return None
    moment = now or datetime.now(UTC).astimezone()
    rest = place.rest[1:] if place.space == "personnel" else place.rest
    above = ("site", *rest[:-1]) if place.space == SITE else rest[:-1]
    folder = places.bin_of(place).joinpath(f"{moment:%Y-%m-%d}", *above)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(TRIES):
        target = folder / dated(name, moment, number)
        try:
            if copy:
                _copy(path, target)
            else:
                _link(path, target)
        except FileExistsError:
            continue
        return target
    raise OSError(f"la corbeille a déjà {TRIES} fois {name}")


def dated(name: str, moment: datetime, number: int) -> str:
    """Return the name under which a file is kept: its own the first time, then with the hour, then with a number."""
    if number == 0:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem:
        stem, dot, suffix = name, "", ""
    mark = f" ({moment:%Hh%Mm%S})" if number == 1 else f" ({moment:%Hh%Mm%S} {number})"
    room = NAME_OCTETS - len(f"{mark}{dot}{suffix}".encode())
    return f"{stem.encode()[:room].decode('utf-8', 'ignore')}{mark}{dot}{suffix}"


def _link(path: str, target: Path) -> None:
    """Give the file a second name; across volumes (the website's content), copy it."""
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # Another volume, or another owner's file (protected_hardlinks).
        _copy(path, target)


def _copy(path: str, target: Path) -> None:
    source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(source, "rb") as reader:
        try:
            with target.open("xb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
                writer.flush()
                os.fsync(writer.fileno())
        except FileExistsError:
            raise
        except OSError:
            target.unlink(missing_ok=True)
            raise
    status = Path(path).stat()
    os.utime(target, (status.st_atime, status.st_mtime))


def purge(places: Places, insee: str, days: int, today: date) -> int:
    """Remove from a commune's bins the days that are older than ``days``; return how many were removed."""
    removed = 0
    base = places.root / insee
    for folder in (*base.glob("*/Corbeille"), *base.glob("personnel/*/Corbeille")):
        if folder.is_symlink():
            continue
        for day in folder.iterdir():
            try:
                kept = date.fromisoformat(day.name)
            except ValueError:
                continue
            if kept < today - timedelta(days=days) and day.is_dir() and not day.is_symlink():
                shutil.rmtree(day)
                removed += 1
    return removed
