# SPDX-License-Identifier: GPL-3.0-or-later
"""Every change of the secretary's folder kept for thirty days, so that the last one can be undone, and the one before.

``.versions/`` in the folder holds ``objets/<sha256>`` (contents), ``journal.json`` (changes: for each file
the content before and after), ``etat.json`` (what the folder held when last looked at) and ``deposes.json`` (the files
that the pack gave). The folder may be written by others: paths and digests read back are checked, and no link is
followed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .content import DOCUMENTS, HISTORY, HOURS, MAX_PDF, MAX_TEXT, NEWS, PAGES
from .files import RefusedError, check_file, is_text, names_in, opened_folder, read_bounded, write_in

KEPT = timedelta(days=30)
MAX_ENTRIES = 500
MAX_FILES = 2000
SETTLED = timedelta(seconds=2)
"""A file whose content changed more recently may be half written."""
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


@dataclass(frozen=True)
class Noted:
    """What a look at the folder found: how many files changed, and whether all of them had come to rest."""

    files: int
    settled: bool


class Store:
    """The versions of one folder. Every method takes the lock, and leaves the folder and its journal in agreement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, now: datetime, settled: timedelta = timedelta(0)) -> Noted:
        """Note what was changed in the folder by other means, each file as a change of its own (a new name is one).

        A file that was written less than ``settled`` ago is left for the next time. Raise OSError or VersionsError.
        """
        with self._opened() as box:
            return box.record(now, settled)

    def give(self, files: Mapping[str, Callable[[], bytes]], now: datetime) -> tuple[str, ...]:
        """Put files where nothing of that name ever was given nor stands, and return their paths.

        The folder starts from there: it is no change to undo. Raise OSError, VersionsError, or what reading raises.
        """
        with self._opened() as box:
            return box.give(files, now)

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

    def record(self, now: datetime, settled: timedelta = timedelta(0)) -> Noted:
        present, moving = self._scan(settled)
        before: dict[str, str | None] = {}
        after: dict[str, str | None] = {}
        for path in sorted({*present, *self.state}, key=lambda path: (present.get(path, [None, 0, 0])[2], path)):
            old = self.state.get(path, [None])[0]
            new = present.get(path, [None])[0]
            if old != new:
                before[path], after[path] = old, new
        old = any(datetime.fromisoformat(change.moment) < now - KEPT for change in self.journal[:1])
        if before or old or self.state != present or self.first_time:
            self.state = present
            for paths in () if self.first_time else _apart(before, after):
                old_contents, new_contents = ({path: side[path] for path in paths} for side in (before, after))
                self._append(now, OUTSIDE, _label(old_contents, new_contents), old_contents, new_contents)
            self._save(now)
            self.first_time = False
        return Noted(len(before), not moving)

    def give(self, files: Mapping[str, Callable[[], bytes]], now: datetime) -> tuple[str, ...]:
        loaded = self._load("deposes.json")
        given = {path for path in loaded if isinstance(path, str)} if isinstance(loaded, list) else set()
        fresh = sorted(set(files) - given)
        if not fresh:
            return ()
        for path in fresh:
            _refuse_path(path)
        self.record(now)
        put = {path: self._keep(files[path]()) for path in fresh if not self._stands(path)}
        self._apply(put)
        self._save(now)
        write_in(self.box, "deposes.json", json.dumps(sorted(given | set(fresh)), ensure_ascii=False).encode())
        return tuple(put)

    def _stands(self, path: str) -> bool:
        """Tell whether something has this name, whatever it is."""
        try:
            os.stat(path, dir_fd=self.root, follow_symlinks=False)
        except OSError:
            return False
        return True

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
                    write_in(parent, name, read_bounded(self.objects, digest, MAX_PDF))
                    state = os.stat(name, dir_fd=parent, follow_symlinks=False)
                    self.state[path] = [digest, state.st_size, state.st_mtime_ns]
            finally:
                os.close(parent)

    def _scan(self, settled: timedelta) -> tuple[dict[str, list[Any]], bool]:
        """Return the digest, size and time of each file that the site reads; new contents are kept.

        The second value tells whether one of them was written so lately that it is left as it was known.
        """
        found: dict[str, list[Any]] = {}
        moving = False
        for folder, limit in ((NEWS, MAX_TEXT), (PAGES, MAX_TEXT), (DOCUMENTS, MAX_PDF), ("", MAX_TEXT)):
            try:
                with opened_folder(folder or ".", self.root) as parent:
                    names = [HOURS] if not folder else names_in(parent, MAX_FILES)[0]
                    for name in names:
                        path = f"{folder}/{name}" if folder else name
                        if _PATH.fullmatch(path) and is_text(path):
                            moving |= self._look(found, parent, name, path, limit, settled)
            except OSError:
                continue
        return found, moving

    def _look(  # noqa: PLR0917 - where it is, what it is called, what is wished of it
        self, found: dict[str, list[Any]], parent: int, name: str, path: str, limit: int, settled: timedelta
    ) -> bool:
        """Look at one file; return True when it is left for the next time."""
        try:
            state = check_file(parent, name, limit)
            known = self.state.get(path)
            if known and known[1:] == [state.st_size, state.st_mtime_ns] and self._has(known[0]):
                found[path] = known
            # Not the time of modification, which whoever writes the file may set.
            elif time.time() - state.st_ctime < settled.total_seconds():
                if known:
                    found[path] = known
                return True
            else:
                found[path] = [self._keep(read_bounded(parent, name, limit)), state.st_size, state.st_mtime_ns]
        except RefusedError:
            pass
        return False

    def _keep(self, data: bytes) -> str:
        """Keep a content and return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not self._has(digest):
            write_in(self.objects, digest, data)
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
        write_in(self.box, "journal.json", json.dumps(rows, ensure_ascii=False, indent=1).encode())
        write_in(self.box, "etat.json", json.dumps(self.state, ensure_ascii=False, sort_keys=True).encode())


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _refuse_path(path: str) -> None:
    if not _PATH.fullmatch(path):
        raise VersionsError(f"« {path[:80]} » n'est pas un fichier du site")


def _apart(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of each change, in the order given; a file that took another name is one of two paths."""
    gone = {path: digest for path, digest in before.items() if after[path] is None}
    renamed: dict[str, str] = {}
    for path, digest in after.items():
        old = next((name for name, content in gone.items() if content == digest), None) if digest else None
        if old is not None and before[path] is None:
            renamed[path] = old
            del gone[old]
    for path in before:
        if path in renamed:
            yield renamed[path], path
        elif path not in renamed.values():
            yield (path,)


def _label(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> str:
    names = ", ".join(list(before)[:3]) + (" …" if len(before) > 3 else "")
    verb = "ajout de" if not any(before.values()) else "retrait de" if not any(after.values()) else "changement de"
    return f"{verb} {names}"
