# SPDX-License-Identifier: GPL-3.0-or-later
"""Every change of the secretary's folder kept for thirty days, so that the last one can be undone, and the one before.

``.versions/`` in the folder holds ``objets/<sha256>`` (contents), ``journal.json`` (changes: for each file
the content before and after) and ``etat.json`` (what the folder held when last looked at). The folder may be
written by others: paths and digests read back are checked, and no link is followed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .content import DOCUMENTS, HISTORY, HOURS, MAX_PDF, MAX_TEXT, NEWS, PAGES
from .files import RefusedError, check_file, names_in, opened_folder, read_bounded

KEPT = timedelta(days=30)
MAX_ENTRIES = 500
MAX_FILES = 2000
OUTSIDE = "dossier partagé"
"""Author of the changes that were made to the files themselves."""
_PATH = re.compile(
    rf"(?:{NEWS}|{PAGES})/[^/\x00.][^/\x00]*\.md|{DOCUMENTS}/[^/\x00.][^/\x00]*\.pdf|{re.escape(HOURS)}", re.I
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


class VersionsError(Exception):
    """Nothing was changed; the text says why, in French."""


@dataclass(frozen=True)
class Change:
    """One change of the folder: its number, moment (ISO 8601), author, label, and each file's content before and after.

    A content is named by its SHA-256; None is « no file ». ``undoes`` is the number of the change that it undoes.
    """

    number: int
    moment: str
    author: str
    label: str
    before: Mapping[str, str | None]
    after: Mapping[str, str | None]
    undoes: int | None = None


class Store:
    """The versions of one folder. Every method takes the lock, and leaves the folder and its journal in agreement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, now: datetime) -> int:
        """Note what was changed in the folder by other means, and return how many files that is.

        Raise OSError or VersionsError.
        """
        with self._opened() as box:
            return box.record(now)

    def change(self, files: Mapping[str, bytes | None], author: str, label: str, now: datetime) -> Change:
        """Write files (None removes one) as one change that can be undone, and return it (number 0: nothing changed).

        Raise OSError or VersionsError.
        """
        with self._opened() as box:
            box.record(now)
            return box.change(files, author, label, now)

    def undo(self, author: str, now: datetime) -> Change:
        """Undo the last change that is not undone yet, and return it. Raise VersionsError when there is none."""
        with self._opened() as box:
            box.record(now)
            return box.undo(author, now)

    def history(self) -> tuple[Change, ...]:
        """Return the changes kept, oldest first. Raise OSError or VersionsError."""
        with self._opened() as box:
            return tuple(box.journal)

    @contextmanager
    def _opened(self) -> Iterator[_Box]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with opened_folder(self.folder) as root:
            box = _folder_in(root, HISTORY)
            try:
                lock = os.open("verrou", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=box)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    objects = _folder_in(box, "objets")
                    try:
                        yield _Box(root, box, objects)
                    finally:
                        os.close(objects)
                finally:
                    os.close(lock)
            finally:
                os.close(box)


def _folder_in(parent: int, name: str) -> int:
    """Return the descriptor of a subfolder, made when absent. Raise VersionsError when it is something else."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        raise VersionsError(f"{name} n'est pas un dossier ordinaire") from None


class _Box:
    """The open folder, its journal and its contents, under the lock."""

    def __init__(self, root: int, box: int, objects: int) -> None:
        self.root = root
        self.box = box
        self.objects = objects
        self.first_time = not self._exists("etat.json")
        self.state: dict[str, list[Any]] = self._load_state()
        self.journal: list[Change] = self._load_journal()

    def record(self, now: datetime) -> int:
        present = self._scan()
        before: dict[str, str | None] = {}
        after: dict[str, str | None] = {}
        for path in sorted({*present, *self.state}):
            old = self.state.get(path, [None])[0]
            new = present.get(path, [None])[0]
            if old != new:
                before[path], after[path] = old, new
        self.state = present
        if before and not self.first_time:
            self._append(now, OUTSIDE, _label(before, after), before, after)
        self._save(now)
        return len(before)

    def change(self, files: Mapping[str, bytes | None], author: str, label: str, now: datetime) -> Change:
        for path in files:
            _refuse_path(path)
        before = {path: self.state.get(path, [None])[0] for path in files}
        after = {path: None if data is None else self._keep(data) for path, data in files.items()}
        if before == after:
            return Change(0, now.isoformat(timespec="seconds"), author, label, before, after)
        done = self._append(now, author, label, before, after)
        self._apply(after)
        self._save(now)
        return done

    def undo(self, author: str, now: datetime) -> Change:
        undone = {change.undoes for change in self.journal}
        for change in reversed(self.journal):
            if change.undoes is not None or change.number in undone:
                continue
            missing = [digest for digest in change.before.values() if digest and not self._has(digest)]
            if missing:
                raise VersionsError("l'ancien contenu n'est plus gardé")
            current = {path: self.state.get(path, [None])[0] for path in change.before}
            self._append(now, author, f"annulation : {change.label}", current, dict(change.before), change.number)
            self._apply(change.before)
            self._save(now)
            return change
        raise VersionsError("il n'y a rien à annuler dans les trente derniers jours")

    def _append(  # noqa: PLR0917 - the fields of a change
        self,
        now: datetime,
        author: str,
        label: str,
        before: Mapping[str, str | None],
        after: Mapping[str, str | None],
        undoes: int | None = None,
    ) -> Change:
        number = self.journal[-1].number + 1 if self.journal else 1
        change = Change(number, now.isoformat(timespec="seconds"), author, label[:200], before, after, undoes)
        self.journal.append(change)
        return change

    def _apply(self, wished: Mapping[str, str | None]) -> None:
        """Make files what they are wished to be, each written whole."""
        for path, digest in wished.items():
            folder, _, name = path.rpartition("/")
            parent = _folder_in(self.root, folder) if folder else os.dup(self.root)
            try:
                if digest is None:
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=parent)
                    self.state.pop(path, None)
                else:
                    _write(parent, name, read_bounded(self.objects, digest, MAX_PDF))
                    state = os.stat(name, dir_fd=parent, follow_symlinks=False)
                    self.state[path] = [digest, state.st_size, state.st_mtime_ns]
            finally:
                os.close(parent)

    def _scan(self) -> dict[str, list[Any]]:
        """Return the digest, size and time of each file that the site reads; new contents are kept."""
        found: dict[str, list[Any]] = {}
        for folder, limit in ((NEWS, MAX_TEXT), (PAGES, MAX_TEXT), (DOCUMENTS, MAX_PDF), ("", MAX_TEXT)):
            try:
                with opened_folder(folder or ".", self.root) as parent:
                    names = [HOURS] if not folder else names_in(parent, MAX_FILES)[0]
                    for name in names:
                        path = f"{folder}/{name}" if folder else name
                        if _PATH.fullmatch(path):
                            self._look(found, parent, name, path, limit)
            except OSError:
                continue
        return found

    def _look(self, found: dict[str, list[Any]], parent: int, name: str, path: str, limit: int) -> None:
        try:
            state = check_file(parent, name, limit)
            known = self.state.get(path)
            if known and known[1:] == [state.st_size, state.st_mtime_ns] and self._has(known[0]):
                found[path] = known
            else:
                found[path] = [self._keep(read_bounded(parent, name, limit)), state.st_size, state.st_mtime_ns]
        except RefusedError:
            return

    def _keep(self, data: bytes) -> str:
        """Keep a content and return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not self._has(digest):
            _write(self.objects, digest, data)
        return digest

    def _has(self, digest: str) -> bool:
        if not _DIGEST.fullmatch(digest):
            return False
        try:
            check_file(self.objects, digest, MAX_PDF)
        except RefusedError:
            return False
        return True

    def _exists(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self.box, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _load(self, name: str) -> Any:
        try:
            return json.loads(read_bounded(self.box, name, 20_000_000))
        except (RefusedError, ValueError, RecursionError):
            return None

    def _load_state(self) -> dict[str, list[Any]]:
        loaded = self._load("etat.json")
        if not isinstance(loaded, dict):
            return {}
        return {
            path: row
            for path, row in loaded.items()
            if _PATH.fullmatch(path) and isinstance(row, list) and len(row) == 3 and _is_digest(row[0])
        }

    def _load_journal(self) -> list[Change]:
        loaded = self._load("journal.json")
        changes = []
        for row in loaded if isinstance(loaded, list) else ():
            try:
                change = Change(**row)
                moment = datetime.fromisoformat(change.moment)
                contents = [*change.before.items(), *change.after.items()]
                sound = all(
                    _PATH.fullmatch(path) and (digest is None or _is_digest(digest)) for path, digest in contents
                )
            except (TypeError, ValueError, AttributeError):
                continue
            if sound and moment.tzinfo is not None and isinstance(change.number, int):
                changes.append(change)
        return changes

    def _save(self, now: datetime) -> None:
        """Forget what is older than it must be kept, then write the journal and the state."""
        oldest = now - KEPT
        self.journal = [c for c in self.journal if datetime.fromisoformat(c.moment) >= oldest][-MAX_ENTRIES:]
        used = {row[0] for row in self.state.values()}
        for change in self.journal:
            used |= {digest for digest in (*change.before.values(), *change.after.values()) if digest}
        for name in os.listdir(self.objects):  # noqa: PTH208 - a folder held open
            if name not in used:
                os.unlink(name, dir_fd=self.objects)
        rows = [change.__dict__ for change in self.journal]
        _write(self.box, "journal.json", json.dumps(rows, ensure_ascii=False, indent=1).encode())
        _write(self.box, "etat.json", json.dumps(self.state, ensure_ascii=False, sort_keys=True).encode())


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _refuse_path(path: str) -> None:
    if not _PATH.fullmatch(path):
        raise VersionsError(f"« {path[:80]} » n'est pas un fichier du site")


def _label(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> str:
    names = ", ".join(list(before)[:3]) + (" …" if len(before) > 3 else "")
    verb = "ajout de" if not any(before.values()) else "retrait de" if not any(after.values()) else "changement de"
    return f"{verb} {names}"


def _write(folder: int, name: str, data: bytes) -> None:
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
