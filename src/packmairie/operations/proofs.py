# SPDX-License-Identifier: GPL-3.0-or-later
"""The proofs of a wave: a few checks of its communes, asked right after they were deployed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from packmairie.model.commune import DnsMode
from packmairie.model.pack import Pack
from packmairie.model.preuve import Preuve, State
from packmairie.operations.status import StatusResult, status_pack

PATIENCE_SECONDS = 60.0
"""A certificate is ordered, a page is built and a record is fetched again in this time, on a platform that works."""
PAUSE_SECONDS = 5.0
PROVEN_AT_ONCE = 20
"""Past so many communes, so many of them are asked what is counted by somebody else."""
VISITED_AT_ONCE = 5
"""Of these, so many are visited: two names each, and Caddy orders ten certificates in ten seconds."""
SENT = frozenset({"messagerie"})
"""Briques of which a check sends a message to an outside mailbox."""
VISITED = frozenset({"presence", "partage"})
"""Briques of which a check orders a certificate at its first visit."""
DELEGATION = "dns.delegation"


@dataclass(frozen=True)
class Proofs:
    """What was asked of a wave: the faults found, and the communes of which nothing could be asked."""

    faults: tuple[Preuve, ...] = ()
    beyond: tuple[str, ...] = ()
    """Communes whose name does not lead here (not delegated yet, or published elsewhere)."""
    sample: tuple[str, ...] = ()
    """The communes that were asked what is counted elsewhere, when they are not all."""


def wave_proofs(folder: Path, pack: Pack, communes: tuple[str, ...]) -> Proofs:
    """Given a pack and the communes of a wave, return the preuves that are not conforming although they should be.

    Those of a commune whose name does not lead here yet are left out: nothing under its name can answer, and its zone
    had to be served before it could be delegated. Of a large wave, some communes get a message and some of these a
    visit, the first and the last among them. What fails is asked again for a minute.
    """
    wanted = frozenset(pack.file.deploiement.preuves)
    if not wanted or not communes:
        return Proofs()
    sent = frozenset(name for name in wanted if name.partition(".")[0] in SENT)
    visited = frozenset(name for name in wanted if name.partition(".")[0] in VISITED)
    rest = wanted - sent - visited
    # First whose name leads here: for any other, every probe would be waited for in vain.
    beyond: set[str] = set()
    sample: Sample | None = None
    asked, deadline = communes, time.monotonic() + PATIENCE_SECONDS
    while True:
        led = status_pack(folder, asked, checks={DELEGATION})
        beyond |= elsewhere(led)
        faults = faults_of(led, {DELEGATION}, beyond)
        lost = {preuve.commune for preuve in faults}
        # Chosen once: a fault that is asked about again must not be lost to another choice.
        sample = sample or sample_of(tuple(code for code in communes if code not in beyond))
        here = tuple(code for code in asked if code not in beyond and code not in lost)
        questions: dict[tuple[str, ...], frozenset[str]] = {}
        for chosen, names in ((here, rest), (sample.messages, sent), (sample.visits, visited)):
            some = tuple(code for code in here if code in chosen)
            questions[some] = questions.get(some, frozenset()) | names
        for some, names in questions.items():
            if some and names:
                faults += faults_of(status_pack(folder, some, checks=names), names, beyond)
        if not faults or time.monotonic() >= deadline:
            return Proofs(faults, tuple(sorted(beyond)), () if sample.whole else sample.messages)
        asked = tuple(dict.fromkeys(preuve.commune for preuve in faults))
        time.sleep(PAUSE_SECONDS)


@dataclass(frozen=True)
class Sample:
    """Which communes of a wave get a message, and which a visit; ``whole`` when it is all of them."""

    messages: tuple[str, ...]
    visits: tuple[str, ...]
    whole: bool


def sample_of(communes: tuple[str, ...]) -> Sample:
    """Return what is asked of these communes: everything when they are few, else of some at even distances."""
    if len(communes) <= PROVEN_AT_ONCE:
        return Sample(communes, communes, whole=True)
    messages = spread(communes, PROVEN_AT_ONCE)
    return Sample(messages, spread(messages, VISITED_AT_ONCE), whole=False)


def spread(communes: tuple[str, ...], wanted: int) -> tuple[str, ...]:
    """Return so many of these communes, which are more, at even distances, the first and the last among them."""
    last = len(communes) - 1
    return tuple(communes[round(number * last / (wanted - 1))] for number in range(wanted))


def elsewhere(result: StatusResult) -> set[str]:
    """Return the communes whose name does not lead to this platform."""
    undelegated = {
        preuve.commune
        for preuve in result.preuves
        if f"{preuve.brique}.{preuve.check}" == DELEGATION and preuve.state is State.NON_CONFORME
    }
    return undelegated | {
        code for code in result.communes if result.pack.commune(code).domaine.dns is not DnsMode.GEREE
    }


def faults_of(result: StatusResult, wanted: Iterable[str], beyond: Collection[str] = ()) -> tuple[Preuve, ...]:
    """Return the preuves that stop a wave: not conforming, or unknown, but for communes whose name leads elsewhere."""
    names = set(wanted)
    return tuple(
        preuve
        for preuve in result.preuves
        if preuve.state is not State.CONFORME
        and preuve.commune not in beyond
        and f"{preuve.brique}.{preuve.check}" in names
    )
