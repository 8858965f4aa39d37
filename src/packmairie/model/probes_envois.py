# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the hosts that send for communes, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from packmairie.model.probe import Probe


@dataclass(frozen=True)
class RoundsReading(Probe):
    """Read on a host what the timer of a brique did at its last round."""

    brique: str
    host: str


@dataclass(frozen=True)
class WatchReading(Probe):
    """Read on a web host what the nightly watch of published contracts found (value: :class:`Rounds`)."""

    host: str


@dataclass(frozen=True)
class Rounds:
    """The last round (value of :class:`RoundsReading`): when it ended, and by commune or address why it failed.

    ``doubts`` is what failed for so short a time that nothing is known yet.
    """

    timer: bool
    """Whether the timer waits for its next hour."""
    ended: datetime | None
    failures: Mapping[str, str]
    doubts: Mapping[str, str] = field(default_factory=dict)
