# SPDX-License-Identifier: GPL-3.0-or-later
"""What proves the portal: what its host says of the reporting channel, in counts and never in content."""

from __future__ import annotations

from dataclasses import dataclass

from packmairie.model.probe import Probe


@dataclass(frozen=True)
class PortalReading(Probe):
    """Ask the host of the portal for the state of its cells and of each commune's channel."""

    host: str


@dataclass(frozen=True)
class CellFacts:
    """A cell in figures; ages are whole days.

    ``members`` are those to whom a report is sealed: active, and confirmed. ``unacknowledged`` reports have no
    receipt, ``unread`` ones wait to be examined; ``late_legal`` and ``late`` are clocks that have run over, the former
    among the latter. ``notices`` wait to be sent. ``sound`` says that the chain of the log holds.
    """

    name: str
    members: int
    custodians: int
    opened: int
    unacknowledged: int
    unacknowledged_days: int
    unread: int
    unread_days: int
    late_legal: int
    late: int
    notices: int
    sound: bool


@dataclass(frozen=True)
class PortalFacts:
    """What the portal says of itself (value of :class:`PortalReading`).

    ``communes`` maps an INSEE code to the verdict of its channel (``ordinaire`` when it takes reports today) and the
    name of its cell, empty without any.
    """

    cells: tuple[CellFacts, ...]
    communes: dict[str, tuple[str, str]]

    def cell_of(self, insee: str) -> CellFacts | None:
        """Return the cell that a commune has entrusted its channel to, None without any."""
        name = self.communes.get(insee, ("", ""))[1]
        return next((cell for cell in self.cells if cell.name == name), None)
