# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of backups ask: what a commune's bucket holds and refuses, and what the store supports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from packmairie.model.probe import Probe
from packmairie.model.sauvegarde import Claim


@dataclass(frozen=True)
class BackupReading(Probe):
    """Read what a commune's bucket tells, and try to destroy its locked test object.

    ``repositories`` are (name, prefix, name of the key in the vault).
    """

    commune: str
    bucket: str
    repositories: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class StoreTrial(Probe):
    """Try on a scratch bucket what the store supports."""

    bucket: str


@dataclass(frozen=True)
class LockTrial:
    """What became of the attempt to destroy a locked version: ``refused``, ``destroyed`` or ``none`` to try on.

    ``until`` is when its lock ends.
    """

    outcome: str
    detail: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class BackupFacts:
    """What a commune's bucket tells (value of :class:`BackupReading`).

    ``now`` is the store's clock. ``claims`` are what the hosts say of their backups; ``drills`` the last restores by
    (repository, source); ``upkeep`` the last maintenance by repository. ``keys`` maps a repository to why its key does
    not work, empty when it does. ``default_lock`` is the bucket's default retention in days (0: none).
    """

    now: datetime
    claims: tuple[Claim, ...]
    drills: Mapping[tuple[str, str], Mapping[str, Any]]
    upkeep: Mapping[str, Mapping[str, Any]]
    lock: LockTrial
    default_lock: int
    versioned: bool
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Capabilities:
    """What a store was seen to do (value of :class:`StoreTrial`); ``details`` tell why it lacks an ability."""

    abilities: Mapping[str, bool] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
