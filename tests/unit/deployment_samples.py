# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack of 24 communes, the world that answers for its hosts and its checks, and deployments of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inventory_samples import make_pack

from packmairie.engines.ansible import Failure, RunResult
from packmairie.model.change import Action, Change
from packmairie.model.deployment import Outcome
from packmairie.model.preuve import Preuve, State
from packmairie.operations import deploy as deploying
from packmairie.operations import plan as planning
from packmairie.operations.deploy import DeployResult, Options, deploy_pack
from packmairie.operations.inventory import Wish, add
from packmairie.operations.journal import read_runs
from packmairie.operations.proofs import Proofs
from packmairie.registry.table import table

CODES = sorted(code for code, row in table().items() if row.departement == "62" and row.population < 1000)[:24]


def change(code: str, action: Action = Action.UPDATE, what: str = "/etc/x") -> Change:
    """Return a change that a commune waits for."""
    return Change(code, "messagerie", "plateforme", action, what, "+x")


def fault(code: str) -> Preuve:
    """Return the proof of a commune that does not conform."""
    return Preuve(
        commune=code,
        brique="messagerie",
        check="aller-retour",
        state=State.NON_CONFORME,
        measured="rien",
        expected="un message",
        remedy="regarder",
    )


class World:
    """What the hosts would answer: changes pending by commune, communes that fail, checks that fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pending: dict[str, list[Change]] = {}
        self.broken: set[str] = set()
        self.unproven: set[str] = set()
        self.host_down = False
        self.runs: list[tuple[str, ...] | None] = []
        self.proven: list[tuple[str, ...]] = []
        self.die_at = 0
        self.extra: list[Change] = []

    def run(self, playbook: str, pack: Path, artifacts: Path, **options: Any) -> RunResult:
        chosen = options.get("variables", {}).get("packmairie_communes")
        names = tuple(chosen.split(",")) if chosen else None
        found = [
            one
            for code, some in self.pending.items()
            for one in some
            if names is None or code in (*names, "plateforme")
        ]
        result = RunResult(hosts={"plateforme"}, tasks=3, status="successful")
        if options.get("check"):
            result.changes = found
            return result
        self.runs.append(names)
        if self.die_at == len(self.runs):
            os.kill(os.getpid(), 9)
        if self.host_down:
            return RunResult(failures=[Failure("plateforme", "tâche", "éteint")], hosts={"plateforme"}, status="failed")
        result.failures = [
            Failure("plateforme", "zones", "refusée", commune=one.commune)
            for one in found
            if one.commune in self.broken
        ]
        result.changes = [one for one in found if one.commune not in self.broken] + self.extra
        for one in result.changes:
            self.pending.pop(one.commune, None)
        return result

    def prove(self, folder: Path, pack: Any, communes: tuple[str, ...]) -> Proofs:
        self.proven.append(communes)
        return Proofs(tuple(fault(code) for code in communes if code in self.unproven))


def made_world(folder: Path, setattr_: Callable[..., None]) -> World:
    """Return a world where each commune of a new pack has a change to make, put in the place of the hosts."""
    pack = make_pack(folder / "pack")
    for sample in (pack / "communes").glob("*.yml"):
        sample.unlink()
    add(pack, Wish(codes=CODES))
    made = World(pack)
    made.pending = {code: [change(code)] for code in CODES}
    install(made, setattr_)
    return made


def install(made: World, setattr_: Callable[..., None]) -> None:
    """Answer from a world in the place of Ansible, of the checks and of the secrets."""
    setattr_(deploying, "run_playbook", made.run)
    setattr_(planning, "run_playbook", made.run)
    setattr_(deploying, "wave_proofs", made.prove)
    setattr_(deploying, "generate_secrets", lambda *a, **k: ())
    setattr_(planning, "missing_secrets", lambda *a, **k: ())


def deploy(world: World, *codes: str, **given: Any) -> DeployResult:
    """Deploy the world's pack; ``many`` and ``removal`` are the flags."""
    options = Options(allow_many=given.pop("many", False), allow_removal=given.pop("removal", False))
    return deploy_pack(world.folder, codes, runs=world.folder.parent / "runs", options=options, **given)


def history(world: World) -> list[Any]:
    """Return the runs of the world's pack, the last one first."""
    return list(read_runs(world.folder.parent / "runs", world.folder))


def with_outcome(result: DeployResult, outcome: Outcome) -> set[str]:
    """Return the communes that a deployment left so."""
    return {code for code, found in result.outcomes.items() if found is outcome}
