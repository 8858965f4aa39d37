# SPDX-License-Identifier: GPL-3.0-or-later
"""A SEDA package written from files: read twice, never whole in memory; what cannot be read is set aside and named.

The first reading takes each file's digest; the second copies it and compares. A file that changed between, or that the
disk refuses, is set aside and the package begun again without it: one bad file never blocks the others.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from packmairie.engines.pronom import Format
from packmairie.engines.spool import sync_folder
from packmairie.formats.seda.manifest import Header, Item, Unit, write_manifest
from packmairie.formats.xml import xml_text

CHUNK = 1024 * 1024
SYSTEM_FILES = re.compile(r"(?i)(\.ds_store|thumbs\.db|desktop\.ini|~\$.*|\..*|.*\.(part|partial|crdownload|tmp))")
"""What systems and programs leave in a folder, and that nobody archives; a name that begins with a dot is hidden."""
MAX_FILES = 20_000
MAX_DEPTH = 20


@dataclass(frozen=True)
class Aside:
    """A file left out of a transfer, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Original:
    """A file taken in a transfer: where it stays until the reply, its size, its SHA-512 and its day."""

    path: str
    relative: str
    size: int
    digest: str
    modified: float


class _ChangedError(Exception):
    """A file cannot be taken, or is not what it was at the first reading."""


def scan(folder: Path, skip: Collection[str] = ()) -> tuple[list[Original], list[Aside]]:
    """Given a folder, return its files in order of path, with their digests, and those set aside.

    Links are not followed: they could lead out of the folder. What ``skip`` names at the top is not looked at. Raise
    OSError when the folder itself cannot be read.
    """
    taken: list[Original] = []
    aside: list[Aside] = []
    for path, relative, reason in _walk(folder, skip):
        if reason:
            aside.append(Aside(relative, reason))
        elif len(taken) >= MAX_FILES:
            aside.append(Aside(relative, f"plus de {MAX_FILES} fichiers : faire plusieurs versements"))
        else:
            try:
                with opened(path) as (stream, facts):
                    digest, size = _digest(stream)
                if size != facts.st_size:
                    raise _ChangedError("a changé pendant la lecture")
                if not size:
                    # SEDA has no size zero: one empty file would have the whole transfer refused.
                    raise _ChangedError("fichier vide")
                taken.append(Original(str(path), relative, size, digest, facts.st_mtime))
            except _ChangedError as error:
                aside.append(Aside(relative, str(error)))
            except OSError as error:
                aside.append(Aside(relative, f"illisible ({error.strerror or error})"))
    return taken, aside


def _walk(folder: Path, skip: Collection[str]) -> Iterator[tuple[Path, str, str]]:
    """Yield (path, path from the folder, why it is set aside or nothing), in order, folders too deep included."""
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            names = sorted(os.listdir(place))  # noqa: PTH208 — names may not be valid UTF-8
        except OSError as error:
            if place == folder:
                raise
            yield place, _shown(place, folder), f"dossier illisible ({error.strerror})"
            continue
        below: list[tuple[Path, int]] = []
        for name in names:
            if place == folder and name in skip:
                continue
            path = place / name
            relative = _shown(path, folder)
            kind = path.lstat().st_mode
            if SYSTEM_FILES.fullmatch(name):
                yield path, relative, "fichier du système ou caché"
            elif not xml_text(name):
                yield path, relative, "nom que le XML ne peut pas porter (le renommer)"
            elif stat.S_ISDIR(kind):
                if depth >= MAX_DEPTH:
                    yield path, relative, f"plus de {MAX_DEPTH} dossiers imbriqués"
                else:
                    below.append((path, depth + 1))
            elif stat.S_ISLNK(kind):
                yield path, relative, "lien symbolique"
            elif not stat.S_ISREG(kind):
                yield path, relative, "n'est pas un fichier ordinaire"
            else:
                yield path, relative, ""
        waiting += reversed(below)


def _shown(path: Path, folder: Path) -> str:
    """Return a path as it may be shown and kept: bytes that are no text are replaced."""
    return os.fsencode(path.relative_to(folder)).decode("utf-8", "replace")


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """Open a regular file without following a link put in its place. Raise OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(0, "n'est plus un fichier ordinaire")
        yield stream, facts


def _digest(stream: BinaryIO) -> tuple[str, int]:
    computed, size = hashlib.sha512(), 0
    while chunk := stream.read(CHUNK):
        computed.update(chunk)
        size += len(chunk)
    return computed.hexdigest(), size


def digest_of(path: Path) -> str:
    """Return the SHA-512 of a regular file, in hexadecimal. Raise OSError."""
    with opened(path) as (stream, _facts):
        return _digest(stream)[0]


def item_of(number: int, original: Original, format_: Format, title: str = "") -> Item:
    """Return how the manifest tells a file; its place in the package is made of a number, never of its name."""
    name = original.relative.rsplit("/", 1)[-1]
    found = re.search(r"\.([A-Za-z0-9]{1,8})$", name)
    suffix = f".{found.group(1).lower()}" if found else ""
    return Item(
        f"content/BDO{number:05d}{suffix}",
        unicodedata.normalize("NFC", name),
        original.size,
        original.digest,
        datetime.fromtimestamp(int(original.modified), UTC),
        format_.puid,
        format_.mime,
        format_.name,
        title,
    )


Plan = Callable[[list[Original]], tuple[Header, list[Unit], dict[str, Original]]]
"""Given the files kept, return the header, the units, and the originals by their place in the package."""


def write_package(target: Path, originals: Iterable[Original], plan: Plan) -> tuple[list[Original], list[Aside], str]:
    """Write a package, and return the files that it holds, those that had to be left out, and its SHA-512.

    The target appears whole or not at all. Raise OSError when the disk refuses it, ValueError when no file is left.
    """
    kept, aside = list(originals), list[Aside]()
    temporary = target.with_name(f".{target.name}.part")
    while True:
        if not kept:
            raise ValueError("aucun fichier à verser")
        header, units, places = plan(kept)
        try:
            _write(temporary, header, units, places)
            break
        except _ChangedError as error:
            path, reason = error.args
            aside.append(Aside(next(item.relative for item in kept if item.path == path), reason))
            kept = [item for item in kept if item.path != path]
    digest = digest_of(temporary)
    temporary.replace(target)
    sync_folder(target.parent)
    return kept, aside, digest


def _write(target: Path, header: Header, units: list[Unit], places: Mapping[str, Original]) -> None:
    moment = header.date.astimezone(UTC).timetuple()[:6]
    with target.open("wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        # Stored, not deflated: most archives are compressed already, and a SAE reads them all.
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as package:
            with package.open(zipfile.ZipInfo("manifest.xml", moment), "w") as entry:
                write_manifest(entry, header, units)  # type: ignore[arg-type]
            for uri, original in places.items():
                _copy(package, uri, original, moment)
        stream.flush()
        os.fsync(stream.fileno())


def _copy(package: zipfile.ZipFile, uri: str, original: Original, moment: tuple[int, ...]) -> None:
    info = zipfile.ZipInfo(uri, moment)  # type: ignore[arg-type]
    info.file_size = original.size
    computed, size = hashlib.sha512(), 0
    try:
        with opened(Path(original.path)) as (stream, _facts), package.open(info, "w") as entry:
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if size > original.size:
                    raise _ChangedError(original.path, "a changé pendant la préparation")
                computed.update(chunk)
                entry.write(chunk)
    except OSError as error:
        raise _ChangedError(original.path, f"illisible ({error.strerror or error})") from None
    if computed.hexdigest() != original.digest:
        raise _ChangedError(original.path, "a changé pendant la préparation")


def day_of(original: Original) -> date:
    """Return the day of a file: the one that its name begins with (``2026-10-15 …``), else its last change."""
    name = original.relative.rsplit("/", 1)[-1]
    found = re.match(r"([0-9]{4})[-_]([0-9]{2})[-_]([0-9]{2})(?![0-9])", name)
    if found:
        try:
            return date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            pass
    return datetime.fromtimestamp(original.modified, UTC).date()
