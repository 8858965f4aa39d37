# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan would change, or a deployment changed, attributed to a commune and a brique."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any

PLATEFORME = "plateforme"
"""Stands where a change or a preuve belongs to the shared hosts rather than to one commune."""


class Action(StrEnum):
    """What happens to the thing named."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"

    @property
    def sign(self) -> str:
        """The sign shown before a line, as every diff reader knows it."""
        return {"create": "+", "update": "~", "delete": "-"}[self.value]


@dataclass(frozen=True)
class Change:
    """One change: to whom it belongs, where it happens, what it is.

    ``commune`` is an INSEE code or ``plateforme``. ``place`` is the host or the zone.
    ``detail`` is a unified diff or a short text, already free of secrets.
    """

    commune: str
    brique: str
    place: str
    action: Action
    what: str
    detail: str = ""

    @property
    def sort_key(self) -> tuple[bool, str, str, str, str]:
        """The platform first, then communes by code, then briques."""
        return (self.commune != PLATEFORME, self.commune, self.brique, self.place, self.what)


@dataclass(frozen=True)
class Plan:
    """Every change found, and what could not be foreseen.

    A plan with ``unforeseen`` entries is not wrong: it says plainly what can only be
    known once an earlier step has been applied (a package that is not installed yet).
    """

    changes: tuple[Change, ...]
    unforeseen: tuple[str, ...] = ()
    communes: tuple[str, ...] = field(default=())
    """The communes that were asked about, changed or not."""

    def by_commune(self) -> Iterator[tuple[str, list[tuple[str, list[Change]]]]]:
        """Yield (commune, [(brique, changes)]) in stable order."""
        ordered = sorted(self.changes, key=lambda change: change.sort_key)
        for commune, of_commune in groupby(ordered, key=lambda change: change.commune):
            yield (
                commune,
                [
                    (brique, list(of_brique))
                    for brique, of_brique in groupby(of_commune, key=lambda change: change.brique)
                ],
            )

    def counts(self) -> dict[Action, int]:
        """Return how many changes of each action there are."""
        return {action: sum(change.action is action for change in self.changes) for action in Action}

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``plan --json``."""
        return {
            "communes": list(self.communes),
            "counts": {action.value: count for action, count in self.counts().items()},
            "changes": [asdict(change) for change in sorted(self.changes, key=lambda change: change.sort_key)],
            "unforeseen": list(self.unforeseen),
        }


def restrict(changes: Iterable[Change], communes: Iterable[str]) -> tuple[Change, ...]:
    """Given changes and a selection of communes, return those of the selection and of the platform."""
    wanted = {*communes, PLATEFORME}
    return tuple(change for change in changes if change.commune in wanted)
