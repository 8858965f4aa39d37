# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment is: its policy, what became of each commune, and how a run's journal is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from packmairie.model.fields import Strict

CheckName = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z0-9-]+$")]
DEFAULT_PROOFS = ("messagerie.aller-retour", "presence.accueil", "partage.fichiers-aller-retour")


class PolitiqueDeploiement(Strict):
    """How a deployment goes over the communes, and what stops it."""

    vagues: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        default_factory=lambda: [1, 10],
        max_length=20,
        description="Communes des premières vagues ; les autres suivent. [] : toutes ensemble",
    )
    preuves: list[CheckName] = Field(
        default_factory=lambda: list(DEFAULT_PROOFS),
        description="Vérifications (brique.nom) qui doivent être conformes avant la vague suivante. [] : aucune",
    )
    changement_max_pourcent: int = Field(
        default=30,
        ge=0,
        le=100,
        description="Au-delà, changer tant de communes demande --allow-many (packs de plus de dix communes)",
    )


class Outcome(StrEnum):
    """What became of one commune in a run."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    UNPROVEN = "unproven"
    """Its files are in place, and a check that should now be conforming is not."""
    INTERRUPTED = "interrupted"
    """The run ended in the middle of its wave: what was done of it is not known."""
    REMOVED = "removed"
    """It was taken off the platform and out of the pack, once archived."""
    WAITING = "waiting"
    """Its wave never began: nothing was done."""

    @property
    def label(self) -> str:
        """The words shown to a reader."""
        return {
            "changed": "modifiée",
            "unchanged": "inchangée",
            "failed": "en échec",
            "unproven": "non prouvée",
            "interrupted": "interrompue",
            "removed": "retirée",
            "waiting": "en attente",
        }[self.value]

    @property
    def done(self) -> bool:
        """Tell whether a resumption may leave this commune alone."""
        return self in (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.REMOVED)


class Ending(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"

    @property
    def label(self) -> str:
        """The words shown to a reader."""
        return {"succeeded": "réussi", "failed": "en échec", "interrupted": "interrompu", "running": "en cours"}[
            self.value
        ]


@dataclass(frozen=True)
class Request:
    """What a run was asked to do, as its journal keeps it."""

    pack: str
    communes: tuple[str, ...]
    whole: bool
    desired: Mapping[str, str] = field(default_factory=dict)
    """Digests of the desired state by part (see :mod:`packmairie.operations.digests`)."""
    plan: str = ""
    """Digest of the saved plan that was applied; empty without one."""
    resumes: str = ""
    """The run that this one finishes; empty for a first one."""
    force_dns: bool = False
    allow_many: bool = False
    allow_removal: bool = False


@dataclass(frozen=True)
class RunRecord:
    """One run, read from its journal: true also when it was killed."""

    name: str
    who: str
    started: str
    ended: str
    ending: Ending
    request: Request
    outcomes: Mapping[str, Outcome]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``history --json``."""
        return {
            "run": self.name,
            "who": self.who,
            "started": self.started,
            "ended": self.ended or None,
            "result": self.ending.value,
            "plan": self.request.plan or None,
            "resumes": self.request.resumes or None,
            "communes": {code: outcome.value for code, outcome in self.outcomes.items()},
        }


def waves_of(communes: Sequence[str], sizes: Iterable[int]) -> tuple[tuple[str, ...], ...]:
    """Cut communes, in order, in waves of these sizes, then one of all that are left."""
    waves, begin = [], 0
    for size in sizes:
        if begin < len(communes):
            waves.append(tuple(communes[begin : begin + size]))
            begin += size
    if begin < len(communes):
        waves.append(tuple(communes[begin:]))
    return tuple(waves)


def read_run(name: str, entries: Sequence[Mapping[str, Any]], *, alive: bool) -> RunRecord | None:
    """Given the entries of a run's journal and whether its process still lives, return what it tells.

    None when the journal does not even say what was asked. A commune is in a wave that began and did not end:
    interrupted; in none: waiting; these two never claim more than is known.
    """
    start = next((entry for entry in entries if entry.get("event") == "start"), None)
    if start is None:
        return None
    request = Request(**{**start["request"], "communes": tuple(start["request"]["communes"])})
    outcomes = dict.fromkeys(request.communes, Outcome.WAITING)
    ended, ending = "", Ending.RUNNING if alive else Ending.INTERRUPTED
    for entry in entries:
        match entry.get("event"):
            case "wave":
                outcomes |= dict.fromkeys(entry["communes"], Outcome.INTERRUPTED)
            case "outcomes":
                outcomes |= {code: Outcome(value) for code, value in entry["communes"].items()}
            case "end":
                ended, ending = entry["at"], Ending(entry["result"])
    return RunRecord(name, start["who"], start["at"], ended, ending, request, outcomes)
