# SPDX-License-Identifier: GPL-3.0-or-later
"""What is backed up, and where it goes: sources, and the restic repositories that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

PLATFORM_REPOSITORY = "plateforme"
DRILL_PREFIX, UPKEEP_PREFIX = "preuves/restauration", "preuves/entretien"
"""Where a bucket keeps what drills and maintenance proved."""


class Keeping(Protocol):
    """How many backups of each source are kept: one a day for so many days, then one a week, then one a month."""

    @property
    def jours(self) -> int:
        """Days."""

    @property
    def semaines(self) -> int:
        """Weeks."""

    @property
    def mois(self) -> int:
        """Months."""


class Policy(Protocol):
    """What the maintenance of a repository needs to know of the pack's policy."""

    @property
    def verrou(self) -> bool:
        """Whether objects are locked."""

    @property
    def retention_jours(self) -> int:
        """For how many days."""

    @property
    def garder(self) -> Keeping:
        """Which backups stay."""


@dataclass(frozen=True)
class Extract:
    """The rows of an SQLite file that belong to one commune.

    ``tables`` maps each table that is taken to the SQL condition of its rows, where ``:valeur`` is ``value`` and the
    file's own tables are called ``origine.<table>``. Tables that are not named are left out.
    """

    database: str
    value: str
    tables: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Source:
    """Folders of one kind that are backed up together, on the hosts of one group.

    ``paths`` are absolute; one that does not exist yet is left out, and told. ``excludes`` are restic patterns.
    ``databases`` are SQLite files, copied by SQLite itself before the folders are read; of those that communes share,
    ``extracts`` are the rows of this one.
    """

    name: str
    title: str
    group: str
    paths: tuple[str, ...]
    excludes: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    extracts: tuple[Extract, ...] = ()


@dataclass(frozen=True)
class Repository:
    """One restic repository: a prefix of the commune's bucket, with a key and a password of its own.

    ``key`` and ``password`` are names in the commune's vault. ``max_age_hours`` is how old its last backup may be.
    ``sources`` maps the name of each source to its title.
    """

    commune: str
    name: str
    bucket: str
    key: str
    password: str
    max_age_hours: int
    sources: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def prefix(self) -> str:
        """Where it stands in the bucket, without a slash at the end."""
        return self.name if self.name == PLATFORM_REPOSITORY else f"postes/{self.name}"


@dataclass(frozen=True)
class Claim:
    """What a host says of one backup (``<prefix>/etat/<source>.json``), and when the store received it.

    ``received`` is the store's clock, ``said`` the host's.
    """

    repository: str
    source: str
    received: datetime
    said: datetime | None
    state: str
    cause: str
    last_success: datetime | None
    snapshot: str
    files: int
    octets: int
    changed: int
    unstable: int
    history: tuple[dict[str, Any], ...] = ()
