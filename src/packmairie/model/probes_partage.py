# SPDX-License-Identifier: GPL-3.0-or-later
"""What proves the file spaces: a file's round trip by WebDAV, links that open or refuse, figures of their host."""

from __future__ import annotations

from dataclasses import dataclass

from packmairie.model.probe import Probe


@dataclass(frozen=True)
class FileRoundTrip(Probe):
    """Log in by WebDAV as the technical account of a commune; put a file, read it back, delete it.

    ``url`` is the account's own folder. ``login`` is the account; ``secret`` names its password in the vault.
    """

    url: str
    commune: str
    login: str
    secret: str


@dataclass(frozen=True)
class FileTrip:
    """What a round trip tells (value of :class:`FileRoundTrip`): seconds by step, the step that failed and why."""

    steps: dict[str, float]
    failed: str = ""
    reason: str = ""


@dataclass(frozen=True)
class FilesHostReading(Probe):
    """Read, on the host of the file spaces, the place that each commune takes and the state of the antivirus."""

    host: str


@dataclass(frozen=True)
class Space:
    """The place that a commune takes, in bytes: its files, its bins, and what it may take."""

    used: int
    bin: int
    quota: int


@dataclass(frozen=True)
class FilesHostFacts:
    """What the host of the file spaces says (value of :class:`FilesHostReading`).

    ``spaces`` is by INSEE code. ``free`` and ``total`` are bytes of the volume that holds them. ``held`` counts the
    deposits that wait for the antivirus, the oldest since ``held_seconds``. ``quarantined`` counts those refused.
    ``signature_days`` is the age of the newest signatures, None without any; ``stand_in`` says that they are the
    laboratory's, which know nothing but the test file.
    """

    spaces: dict[str, Space]
    free: int
    total: int
    held: int
    held_seconds: float
    quarantined: int
    signature_days: float | None
    stand_in: bool
