# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the sites whose data, content, generator or day changed, and take away those that nobody wants any more.

A site is skipped when its fingerprint is the one of its last build: a run over hundreds of communes costs a look at
their files, and a rendering for those that changed only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from packmairie.site_mairie.content import HISTORY, read_content
from packmairie.site_mairie.data import Commune, load_commune
from packmairie.site_mairie.files import write_whole
from packmairie.site_mairie.pages import render_site
from packmairie.site_mairie.publish import publish

from .places import Places

MAX_ENTRIES = 5000
"""Names looked at in a commune's folder; the generator reads fewer."""


@dataclass
class Report:
    """What a run did: INSEE codes built, unchanged and failed, host names taken away, and what was not published."""

    built: list[str] = field(default_factory=list)
    unchanged: int = 0
    failed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def build_changed(places: Places, today: date) -> Report:
    """Given the folders and the day, bring every site up to date.

    A site that cannot be built stays as it was and is told; the others are built all the same.
    """
    report = Report()
    known = _read_state(places)
    generator = _generator_digest(places.code)
    state: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for path in sorted(places.data.glob("*.json")):
        insee = path.stem
        try:
            mark = _fingerprint(path, places.contents / insee, f"{generator} {today.isoformat()}")
            commune = load_commune(path)
            if commune.insee != insee or wanted.setdefault(commune.hote, insee) != insee:
                raise ValueError(f"{commune.hote} n'est pas à {insee}")
            if known.get(insee) == mark and (places.sites / commune.hote).is_dir():
                report.unchanged += 1
            else:
                report.problems += _build(places, commune, today)
                report.built.append(insee)
            state[insee] = mark
        except (OSError, ValueError) as error:
            report.failed.append(insee)
            report.problems.append(f"{insee} {error} : site laissé comme il était")
    if not report.failed:
        # A commune whose data cannot be read has no known host name: nothing is taken away on a doubt.
        report.removed = list(_remove_unwanted(places.sites, set(wanted)))
    if state != known:
        write_whole(places.state / "construits.json", json.dumps(state, sort_keys=True).encode())
    return report


def _build(places: Places, commune: Commune, today: date) -> list[str]:
    content = places.contents / commune.insee
    content.mkdir(mode=0o755, exist_ok=True)
    rendered = render_site(commune, read_content(content), today)
    done = publish(rendered, content, places.sites / commune.hote)
    return [f"{commune.insee} {problem}" for problem in done.problems]


def _fingerprint(data: Path, content: Path, context: str) -> str:
    """Return what tells one state of a commune's data and files from another, without reading the documents."""
    digest = hashlib.sha256(context.encode())
    digest.update(data.read_bytes())
    for line in sorted(_entries(content)):
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _entries(folder: Path) -> Iterator[str]:
    """Yield one line for each file of a commune's folder, links not followed."""
    seen = 0
    for parent, folders, names in os.walk(folder):
        if HISTORY in folders:
            folders.remove(HISTORY)
        for name in names:
            seen += 1
            if seen > MAX_ENTRIES:
                return
            path = Path(parent, name)
            info = path.lstat()
            yield f"{path}\0{info.st_mode}\0{info.st_size}\0{info.st_mtime_ns}\0{info.st_ino}\n"


def _generator_digest(code: Path) -> str:
    """Return the digest of the generator and its templates: a new version builds every site again."""
    digest = hashlib.sha256()
    for package in ("site_mairie", "site_hote"):
        for path in sorted((code / package).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".j2"):
                digest.update(f"{path.relative_to(code)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _read_state(places: Places) -> dict[str, str]:
    try:
        read = json.loads((places.state / "construits.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}


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
