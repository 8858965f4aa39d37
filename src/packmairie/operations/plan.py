# SPDX-License-Identifier: GPL-3.0-or-later
"""``plan``: what would change, by commune and brique, nothing being written anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from packmairie.briques.catalogue import CATALOGUE
from packmairie.engines.ansible import Failure, Step, run_playbook
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.change import Action, Change, Plan, restrict
from packmairie.model.problem import PackmairieError, Problem
from packmairie.operations.desired import Missing, missing_secrets, select
from packmairie.operations.variables import station_commune

SITE = "playbooks/site.yml"


def plan_pack(folder: Path, wanted: Iterable[str] = (), on_step: Callable[[Step], None] | None = None) -> Plan:
    """Given a pack's folder and a selection of communes (none means all), return everything that would change.

    Hosts are asked through Ansible's check mode, zones through octoDNS; the vault is read, never written.
    Raise PackmairieError when the pack is invalid, or when a host or a server cannot be asked.
    """
    pack = load_pack(folder)
    communes = select(pack, wanted)
    secrets = [secret_change(missing) for missing in missing_secrets(pack, Vault(folder), communes)]
    with tempfile.TemporaryDirectory(prefix="packmairie-plan-") as scratch:
        result = run_playbook(
            SITE,
            folder,
            Path(scratch),
            check=True,
            variables=selection_variables(communes, len(pack.communes)),
            on_step=on_step,
        )
    # A workstation that is off hides nothing of the others: what it would change is said to be unknown.
    off = [failure for failure in result.failures if failure.unreachable and station_commune(failure.host)]
    if len(off) < len(result.failures) or not (result.succeeded or off):
        raise PackmairieError(failure_problems(failure for failure in result.failures if failure not in off))
    found = [*secrets, *result.changes]
    return Plan(
        # Of a whole pack, what would happen to communes that left it is shown too.
        tuple(found) if len(communes) == len(pack.communes) else restrict(found, communes),
        tuple(f"{failure.host} : éteint ou injoignable" for failure in off),
        communes,
    )


def selection_variables(communes: tuple[str, ...], total: int) -> dict[str, str]:
    """Return the variables by which the plugins know the selection; a whole pack is no selection."""
    return {} if len(communes) == total else {"packmairie_communes": ",".join(communes)}


def secret_change(missing: Missing) -> Change:
    """Return the change that generating a secret is; its value is not known, and would not be shown."""
    brique = next((brique.name for brique in CATALOGUE if missing.wish.name.startswith(f"{brique.name}.")), "secrets")
    return Change(
        missing.commune, brique, f"secrets/{missing.commune}.yml", Action.CREATE, missing.wish.name, "(secret)"
    )


def failure_problems(failures: Iterable[Failure]) -> list[Problem]:
    """Return failures of a run as problems, each with where to look."""
    problems = []
    for failure in failures:
        if failure.commune:
            problems.append(Problem(f"commune {failure.commune}", failure.reason, "corriger, puis relancer"))
        elif failure.unreachable:
            problems.append(
                Problem(failure.host, f"injoignable : {failure.reason}", "vérifier l'hôte, la clé et le réseau")
            )
        else:
            problems.append(
                Problem(failure.host or "ansible", f"« {failure.task} » : {failure.reason}", "corriger, puis relancer")
            )
    return problems or [Problem("ansible", "rien n'a été exécuté", "vérifier plateforme.hotes dans pack.yml")]
