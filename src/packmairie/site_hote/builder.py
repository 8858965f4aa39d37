# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the sites whose data, content, generator or day changed, and take away those that nobody wants any more.

A site is skipped when its fingerprint is the one of its last build: a run over hundreds of communes costs a look at
the state of their files, and a rendering for those that changed only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from packmairie.site_mairie.content import HISTORY, read_content
from packmairie.site_mairie.data import Commune, load_commune
from packmairie.site_mairie.files import write_whole
from packmairie.site_mairie.pages import render_site
from packmairie.site_mairie.publish import publish
from packmairie.site_mairie.versions import SETTLED, Store, VersionsError

from .places import Places
from .seeds import seed

MAX_ENTRIES = 5000
"""Names looked at in a commune's folder; the generator reads fewer."""
PARTIAL = ".partial"
"""How the file space ends the name of a file that is still arriving."""
STATE = "construits.json"


@dataclass
class Report:
    """What a run did: INSEE codes built, unchanged, failed, given the pack's files, waiting for a file to be whole.

    ``removed`` are the host names taken away, ``problems`` what was not published.
    """

    built: list[str] = field(default_factory=list)
    unchanged: int = 0
    failed: list[str] = field(default_factory=list)
    seeded: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def then(self, later: Report) -> Report:
        """Return the account of this run and of the one that followed it."""
        return Report(
            [*self.built, *(insee for insee in later.built if insee not in self.built)],
            later.unchanged,
            later.failed,
            [*self.seeded, *later.seeded],
            later.waiting,
            [*self.removed, *later.removed],
            [*self.problems, *(problem for problem in later.problems if problem not in self.problems)],
        )


@dataclass(frozen=True)
class Built:
    """What is remembered of a site's last build: the fingerprint of what it was made from, and its host name."""

    mark: str
    host: str


def build_changed(places: Places, now: datetime) -> Report:
    """Given the folders and the moment in France, bring every site up to date.

    A site that cannot be built stays as it was and is told; the others are built all the same. So does one whose
    folder holds a file that is still being written, until it is whole.
    """
    report = Report()
    known = _read_state(places)
    context = f"{_generator_digest(places.code)} {now.date().isoformat()}"
    state: dict[str, Built] = {}
    wanted: dict[str, str] = {}
    for path in sorted(places.data.glob("*.json")):
        insee = path.stem
        try:
            if seed(places, insee, now):
                report.seeded.append(insee)
            last = known.get(insee)
            mark = _fingerprint(path, places.contents / insee, context)
            unchanged = last is not None and last.mark == mark and (places.sites / last.host).is_dir()
            commune = None if unchanged else load_commune(path)
            host = last.host if commune is None and last else commune.hote if commune else ""
            if (commune and commune.insee != insee) or wanted.setdefault(host, insee) != insee:
                raise ValueError(f"{host} n'est pas à {insee}")
            if commune is None:
                report.unchanged += 1
            elif _note_changes(places.contents / insee, now, report):
                _build(places, commune, now.date(), report)
            else:
                report.waiting.append(insee)
                mark = ""
            state[insee] = Built(mark, host)
        except (OSError, ValueError) as error:
            report.failed.append(insee)
            report.problems.append(f"{insee} {error} : site laissé comme il était")
    if not report.failed:
        # A commune whose data cannot be read has no known host name: nothing is taken away on a doubt.
        report.removed = list(_remove_unwanted(places.sites, set(wanted)))
    if state != known:
        rows = {insee: [built.mark, built.host] for insee, built in state.items()}
        write_whole(places.state / STATE, json.dumps(rows, sort_keys=True).encode())
    return report


def _note_changes(content: Path, now: datetime, report: Report) -> bool:
    """Note what was changed in a commune's folder, so that it can be undone; return False to look again later."""
    content.mkdir(mode=0o755, exist_ok=True)
    try:
        return Store(content).record(now, SETTLED).settled
    except (OSError, VersionsError) as error:
        # Without its record a change cannot be undone by mail; it is published all the same.
        report.problems.append(f"{content.name} les changements du dossier n'ont pas pu être notés : {error}")
        return True


def _build(places: Places, commune: Commune, today: date, report: Report) -> None:
    content = places.contents / commune.insee
    rendered = render_site(commune, read_content(content), today)
    done = publish(rendered, content, places.sites / commune.hote)
    report.problems += [f"{commune.insee} {problem}" for problem in done.problems]
    report.built.append(commune.insee)


def _fingerprint(data: Path, content: Path, context: str) -> str:
    """Return what tells one state of a commune's data and files from another, without reading them."""
    info = data.stat()
    digest = hashlib.sha256(f"{context} {info.st_size} {info.st_mtime_ns} {info.st_ino}".encode())
    for line in sorted(_entries(content)):
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _entries(folder: Path) -> Iterator[str]:
    """Yield one line for each file of a commune's folder, links not followed; what the generator never reads apart."""
    seen = 0
    for parent, folders, names in os.walk(folder):
        if HISTORY in folders:
            folders.remove(HISTORY)
        for name in names:
            seen += 1
            if seen > MAX_ENTRIES:
                return
            if name.startswith(".") or name.casefold().endswith(PARTIAL):
                continue
            path = Path(parent, name)
            info = path.lstat()
            # Not the rights: the file space gives its own to the folder of each commune.
            yield f"{path}\0{stat.S_IFMT(info.st_mode)}\0{info.st_size}\0{info.st_mtime_ns}\0{info.st_ino}\n"


def _generator_digest(code: Path) -> str:
    """Return the digest of the generator and its templates: a new version builds every site again."""
    digest = hashlib.sha256()
    for package in ("site_mairie", "site_hote"):
        for path in sorted((code / package).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".j2"):
                digest.update(f"{path.relative_to(code)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _read_state(places: Places) -> dict[str, Built]:
    """Return what is remembered of the last builds; nothing where it cannot be read, and all is built again."""
    try:
        read = json.loads((places.state / STATE).read_bytes())
        return {str(insee): Built(str(mark), str(host)) for insee, (mark, host) in read.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remove_unwanted(sites: Path, wanted: set[str]) -> Iterator[str]:
    """Take away the folders of host names that no commune has, also those that an interrupted build left."""
    for folder in sorted(sites.iterdir()):
        if folder.name in wanted:
            continue
        aside = folder.with_name(f".{folder.name.lstrip('.')}.retire")
        if folder != aside:
            # In one step for visitors: half a site is worse than none.
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
        shutil.rmtree(aside)
        if not folder.name.startswith("."):
            yield folder.name
