# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything stands on the host of the file spaces, and what a path there means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BIN = "Corbeille"
DROP = "boite"
"""The space in which outsiders deposit, and which nobody reads."""
DEPOSITED = "depot"
"""Where what was deposited comes once it has been scanned."""
SITE = "site"
COMMON = "commun"
PROBE = "sonde"
SPACES = (COMMON, "elus", "a-archiver", "a-transmettre", DEPOSITED, DROP, "personnel", PROBE)
KEPT_NOWHERE = (DROP, PROBE)
"""Spaces whose files go to no bin."""
INSEE = re.compile(r"^[0-9][0-9AB][0-9]{3}$")
LIMIT_FILE = ".limite"
"""In a named drop box: the bytes that it may receive in all, laid by root."""


@dataclass(frozen=True)
class Place:
    """A path inside a commune's space: its code, the space, and the rest."""

    insee: str
    space: str
    rest: tuple[str, ...]

    @property
    def in_bin(self) -> bool:
        """Tell whether the path is a bin, or in one."""
        return BIN in self.rest[:2] if self.space == "personnel" else self.rest[:1] == (BIN,)


@dataclass(frozen=True)
class Limits:
    """What a commune may take (bytes), who is told of refusals, its host name and its process."""

    insee: str
    quota: int
    drop: int
    contact: str
    host: str
    lot: int
    site: bool
    people: tuple[str, ...]
    probe: str


@dataclass(frozen=True)
class Places:
    """The folders of the host: the communes' files, their websites' content, what packmairie laid, what is kept."""

    root: Path = Path("/srv/partage")
    sites: Path = Path("/var/lib/packmairie/contenus")
    settings: Path = Path("/etc/packmairie/partage")
    state: Path = Path("/var/lib/packmairie/partage")

    @property
    def waiting(self) -> Path:
        """Deposits that are whole and not yet scanned; on the same volume as the files, so that a link suffices."""
        return self.root / ".attente"

    @property
    def quarantine(self) -> Path:
        """Deposits in which something was found."""
        return self.root / ".quarantaine"

    def locate(self, path: str) -> Place | None:
        """Given an absolute path, return the commune's place that it is in, None when it is in none."""
        for root, fixed in ((self.root, None), (self.sites, SITE)):
            try:
                parts = Path(path).relative_to(root).parts
            except ValueError:
                continue
            if not parts or not INSEE.match(parts[0]) or ".." in parts:
                return None
            if fixed:
                return Place(parts[0], fixed, parts[1:])
            return Place(parts[0], parts[1], parts[2:]) if len(parts) > 1 else None
        return None

    def bin_of(self, place: Place) -> Path:
        """Return the bin in which a file of this place is kept.

        The bin of the website's content is the common one: the site's own folder is published.
        """
        base = self.root / place.insee
        if place.space == SITE:
            return base / COMMON / BIN
        if place.space == "personnel" and place.rest:
            return base / "personnel" / place.rest[0] / BIN
        return base / place.space / BIN

    def folders(self, insee: str, *, with_site: bool = True) -> list[Path]:
        """Return the folders that hold a commune's files."""
        found = [self.root / insee]
        if with_site:
            found.append(self.sites / insee)
        return found

    def limits(self, insee: str) -> Limits:
        """Return the limits of a commune. Raise OSError or ValueError when they cannot be read."""
        data = json.loads((self.settings / "communes" / f"{insee}.json").read_text(encoding="utf-8"))
        return Limits(
            insee,
            int(data["quota_mo"]) * 1_000_000,
            int(data["depot_mo"]) * 1_000_000,
            str(data["contact"]),
            str(data["hote"]),
            int(data["lot"]),
            bool(data["site"]),
            tuple(str(name) for name in data["personnes"]),
            str(data["sonde"]),
        )

    def communes(self) -> Iterator[str]:
        """Yield the codes of the communes served here."""
        for path in sorted((self.settings / "communes").glob("*.json")):
            if INSEE.match(path.stem):
                yield path.stem
