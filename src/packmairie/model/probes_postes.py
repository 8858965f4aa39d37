# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a workstation ask, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from packmairie.model.probe import Probe


@dataclass(frozen=True)
class PosteReading(Probe):
    """Read a workstation over SSH, by its address or through its tunnel."""

    commune: str
    poste: str


@dataclass(frozen=True)
class PullReading(Probe):
    """Read on the platform what is published for a workstation that pulls, and what it last reported."""

    commune: str
    poste: str


@dataclass(frozen=True)
class PullFacts:
    """What is published, and what the workstation told of it (value of :class:`PullReading`).

    ``issue`` is the workstation's own word: ``applique``, ``attente`` (nothing new), ``echec``, ``refus``, ``silence``;
    ``reason`` says more in one line. ``received`` is when the platform took the report, None when it has none.
    """

    sequence: int | None
    issued: datetime | None
    expires: datetime | None
    received: datetime | None
    applied: int | None
    issue: str
    reason: str


@dataclass(frozen=True)
class Disk:
    """A disk of the machine. ``healthy`` is SMART's own verdict, None where the disk gives none.

    ``wear`` is the share of its life that an SSD has spent, in percent; ``hours`` is how long it has been powered.
    """

    name: str
    model: str
    octets: int
    healthy: bool | None
    wear: int | None = None
    hours: int | None = None


@dataclass(frozen=True)
class PosteFacts:
    """What a workstation tells of itself (value of :class:`PosteReading`).

    ``encrypted`` says whether everything below ``/`` goes through LUKS, None when it cannot be told. ``support`` is the
    last day of the security support of its Debian (LTS included) by the archive's own table, None when unknown.
    ``updated`` is when packages were last looked up; ``security`` counts the security updates that wait.
    ``protections`` maps *pare-feu*, *AppArmor* and *USBGuard* to whether each is at work.
    """

    maker: str
    model: str
    serial: str
    memory: int
    system: str
    support: date | None
    encrypted: bool | None
    disks: tuple[Disk, ...]
    updated: datetime | None
    security: int | None
    failed_units: tuple[str, ...]
    reboot_required: bool
    protections: dict[str, bool]
    container: bool = False
    read: datetime | None = None
    """When it was read, for one that reports by itself; None: just now."""
