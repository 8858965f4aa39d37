# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commune takes with it when it leaves: said by each brique, gathered in one archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Export:
    """One part of a commune's archive: ``name`` is its folder there.

    It stands on the host of ``group`` (absolute ``paths``, or the output of ``command``, kept under ``file``), or in
    the brique's spool on the controller (``spool``). ``excludes`` are patterns of tar. ``mailboxes`` are also given as
    mbox. Only what stands at ``paths`` can be put back, and is what deleting a commune's data deletes.
    """

    name: str
    title: str
    group: str = ""
    paths: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    mailboxes: bool = False
    spool: bool = False
    command: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class ExportedPart:
    """What an archive holds of one part; ``missing`` says why it is not whole, empty when it is."""

    name: str
    title: str
    files: int
    octets: int
    missing: str = ""


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself."""

    insee: str
    nom: str
    domaine: str
    pack: str
    made: str
    parts: tuple[ExportedPart, ...]
    places: dict[str, Any] = field(default_factory=dict)
    """Where each part that can be put back stood: name → group and paths."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Return what the archive lacks, each with its reason."""
        return tuple(f"{part.title} : {part.missing}" for part in self.parts if part.missing)
