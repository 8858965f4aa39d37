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
CERTIFICATES_AT_ONCE = 50
"""Past so many communes, asking each site would order more certificates at once than an authority allows."""
ORDERING = ("presence", "partage")
DELEGATION = "dns.delegation"


@dataclass(frozen=True)
class Proofs:
    """What was asked of a wave: the faults found, and the communes of which nothing could be asked."""

    faults: tuple[Preuve, ...] = ()
    beyond: tuple[str, ...] = ()
    """Communes whose name does not lead here (not delegated yet, or published elsewhere)."""


def wave_proofs(folder: Path, pack: Pack, communes: tuple[str, ...]) -> Proofs:
    """Given a pack and the communes of a wave, return the preuves that are not conforming although they should be.

    Those of a commune whose name does not lead here yet are left out: nothing under its name can answer, and its zone
    had to be served before it could be delegated. What fails is asked again for a minute.
    """
    wanted = names_for(pack, len(communes))
    if not wanted or not communes:
        return Proofs()
    # First whose name leads here: for any other, every probe would be waited for in vain.
    beyond: set[str] = set()
    asked, deadline = communes, time.monotonic() + PATIENCE_SECONDS
    while True:
        led = status_pack(folder, asked, checks={DELEGATION})
        beyond |= elsewhere(led)
        faults = faults_of(led, {DELEGATION}, beyond)
        lost = {preuve.commune for preuve in faults}
        here = tuple(code for code in asked if code not in beyond and code not in lost)
        if here:
            faults += faults_of(status_pack(folder, here, checks=wanted), wanted, beyond)
        if not faults or time.monotonic() >= deadline:
            return Proofs(faults, tuple(sorted(beyond)))
        asked = tuple(dict.fromkeys(preuve.commune for preuve in faults))
        time.sleep(PAUSE_SECONDS)


def names_for(pack: Pack, communes: int) -> frozenset[str]:
    """Return which checks (``brique.name``) prove a wave of so many communes."""
    return frozenset(
        name
        for name in pack.file.deploiement.preuves
        if communes <= CERTIFICATES_AT_ONCE or name.partition(".")[0] not in ORDERING
    )


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
