# SPDX-License-Identifier: GPL-3.0-or-later
"""``status``: every check of every commune, asked of the world now, in parallel, told in a stable order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packmairie.briques.catalogue import CATALOGUE
from packmairie.inventory.loader import load_pack
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Pack
from packmairie.model.preuve import Preuve
from packmairie.model.probe import Answer, Check, MailRoundTrip, Probe
from packmairie.operations.asking import ask_all, ready_helpers
from packmairie.operations.desired import select


@dataclass(frozen=True)
class StatusResult:
    """The pack that was asked about, the communes chosen, and their preuves in order."""

    pack: Pack
    communes: tuple[str, ...]
    preuves: tuple[Preuve, ...]
    titles: dict[str, str]
    """The words that name each check to a mayor."""


def checks_of(pack: Pack, communes: Iterable[str], briques: Iterable[str] = ()) -> list[tuple[str, Check]]:
    """Return (commune or ``plateforme``, check) in the order of the report: the platform first, then as in the pack.

    A brique that the commune has elsewhere is checked all the same: its own checks know what to leave out.
    """
    wanted, named = set(communes), set(briques)
    chosen = [brique for brique in CATALOGUE if not named or brique.name in named]
    found = [(PLATEFORME, check) for brique in chosen for check in brique.platform_checks(pack)]
    for commune in pack.communes:
        if commune.insee in wanted:
            found += [(commune.insee, check) for brique in chosen for check in brique.checks(commune, pack)]
    return found


def status_pack(
    folder: Path,
    wanted: Iterable[str] = (),
    *,
    briques: Iterable[str] = (),
    checks: Iterable[str] = (),
    mail: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> StatusResult:
    """Given a pack's folder and a selection of communes (none means all), ask every probe once and judge.

    ``briques`` keeps to the checks of these, ``checks`` to those of these names (``brique.name``) of communes; none
    means all. Without ``mail`` nothing is sent: the checks that need a mail round trip are left out.

    Probes that several checks share are asked once. Raise PackmairieError when the pack is invalid.
    """
    pack = load_pack(folder)
    communes = select(pack, wanted)
    names = set(checks)
    with ready_helpers(folder, 0 if names else len(communes)) as helpers:
        chosen = [
            (commune, check)
            for commune, check in checks_of(pack, communes, briques)
            if (not names or (commune != PLATEFORME and f"{check.brique}.{check.name}" in names))
            and (mail or not any(isinstance(probe, MailRoundTrip) for probe in check.probes))
        ]
        asked: dict[Probe, str] = {}
        for commune, check in chosen:
            for probe in check.probes:
                asked.setdefault(probe, commune)
        # Mail first: it is the longest, and the rest fits in its shadow.
        ordered = dict(sorted(asked.items(), key=lambda one: not isinstance(one[0], MailRoundTrip)))
        answers = ask_all(pack, folder, ordered, on_progress, helpers)
    now = datetime.now(UTC).replace(microsecond=0)
    preuves = tuple(preuve_of(commune, check, answers, now) for commune, check in chosen)
    titles = {check.name: check.title for _commune, check in chosen if check.title}
    return StatusResult(pack, communes, preuves, titles)


def preuve_of(commune: str, check: Check, answers: dict[Probe, Answer], at: datetime) -> Preuve:
    """Judge one check and return its preuve."""
    verdict = check.judge(tuple(answers[probe] for probe in check.probes))
    return Preuve(
        commune=commune,
        brique=check.brique,
        check=check.name,
        state=verdict.state,
        measured=verdict.measured,
        expected=check.expected,
        remedy=verdict.remedy,
        at=at,
        rpnt=check.rpnt,
    )
