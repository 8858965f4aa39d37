# SPDX-License-Identifier: GPL-3.0-or-later
"""Preuve: the dated result of one check, in one of three states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class State(StrEnum):
    """What a check may conclude. A probe that got no answer knows nothing: it is never a failure of the commune."""

    CONFORME = "conforme"
    NON_CONFORME = "non_conforme"
    NON_VERIFIE = "non_verifie"

    @property
    def label(self) -> str:
        """The words shown to a reader."""
        return {"conforme": "conforme", "non_conforme": "non conforme", "non_verifie": "non vérifié"}[self.value]


class Preuve(BaseModel):
    """One dated result: what was measured, what was expected, how to mend it.

    ``commune`` is an INSEE code, or ``plateforme`` for what concerns the shared hosts.
    ``rpnt`` is the criterion's code (``2.4``) where the check is one of the sixteen.
    A result that is not conforming always says how to mend it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commune: str
    brique: str
    check: str
    state: State
    measured: str
    expected: str
    remedy: str = ""
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    rpnt: str | None = None

    @model_validator(mode="after")
    def _remedy_when_not_conforming(self) -> Self:
        if self.state is not State.CONFORME and not self.remedy.strip():
            raise ValueError("une preuve qui n'est pas conforme dit quoi faire")
        return self

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the check from one run to the next."""
        return (self.commune, self.brique, self.check)

    def as_dict(self) -> dict[str, Any]:
        """Return the plain data published by ``status --json``."""
        return self.model_dump(mode="json")


def worst(states: Iterable[State]) -> State:
    """Given states, return the one to show for the whole; nothing at all is *non vérifié*, never fine."""
    counts = Counter(states)
    if counts[State.NON_CONFORME]:
        return State.NON_CONFORME
    if counts[State.NON_VERIFIE] or not counts[State.CONFORME]:
        return State.NON_VERIFIE
    return State.CONFORME


def changed_since(before: Iterable[Preuve], now: Iterable[Preuve]) -> list[tuple[Preuve | None, Preuve | None]]:
    """Given two runs, return the pairs (before, after) of checks that appeared, vanished or changed state.

    Measured values that move inside one state are noise, not news.
    """
    old = {preuve.key: preuve for preuve in before}
    new = {preuve.key: preuve for preuve in now}
    pairs: list[tuple[Preuve | None, Preuve | None]] = []
    for key in [*new, *(key for key in old if key not in new)]:
        was, is_now = old.get(key), new.get(key)
        if was is None or is_now is None or was.state is not is_now.state:
            pairs.append((was, is_now))
    return pairs
