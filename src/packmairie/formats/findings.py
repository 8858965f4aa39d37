# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification of a document finds: each thing at its place, and whether it blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from packmairie.model.preuve import State

Path = tuple[str | int, ...]
"""Where something stands in a document: keys and indexes from its root."""


class Level(StrEnum):
    """How grave a finding is."""

    ERREUR = "erreur"
    """The document must not leave."""
    A_VERIFIER = "à vérifier"
    """Allowed, and usually a mistake: a person decides."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing found: the line of the source (0 when there is none), what is wrong, and what to do."""

    line: int
    place: str
    reason: str
    remedy: str
    level: Level = Level.ERREUR


@dataclass(frozen=True)
class Report:
    """What a verification concludes: its findings in order, and what could not be verified, with why."""

    findings: tuple[Finding, ...] = ()
    unverified: tuple[str, ...] = field(default=())

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that block."""
        return tuple(found for found in self.findings if found.level is Level.ERREUR)

    @property
    def state(self) -> State:
        """Three states: an error is *non conforme*; without one, anything unverified is *non vérifié*."""
        if self.errors:
            return State.NON_CONFORME
        return State.NON_VERIFIE if self.unverified else State.CONFORME

    def joined(self, other: Report) -> Report:
        """Return this report with another one's findings, each once."""
        return report([*self.findings, *other.findings], [*self.unverified, *other.unverified])


def report(findings: Iterable[Finding] = (), unverified: Iterable[str] = ()) -> Report:
    """Return a report with each finding and each gap once, in order of lines."""
    return Report(tuple(sorted(set(findings))), tuple(dict.fromkeys(unverified)))


def shown(path: Path) -> str:
    """Return a path as a reader sees it: ``titulaires[1].id``, indexes from 1."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text
