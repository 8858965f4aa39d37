# SPDX-License-Identifier: GPL-3.0-or-later
"""``deploy``: bring the hosts and zones to the state of the pack's files, and account for it by commune."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from packmairie.engines.ansible import Failure, RunResult, Step, run_playbook
from packmairie.inventory.loader import load_pack
from packmairie.model.change import PLATEFORME, Change, restrict
from packmairie.operations.desired import select
from packmairie.operations.plan import SITE, secret_change, selection_variables
from packmairie.operations.secrets import generate_secrets

RUNS_FOLDER = "runs"
SUMMARY = "summary.json"


class Outcome(StrEnum):
    """What became of one commune in a run."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"

    @property
    def label(self) -> str:
        """The words shown to a reader."""
        return {"changed": "modifiée", "unchanged": "inchangée", "failed": "en échec"}[self.value]


@dataclass(frozen=True)
class DeployResult:
    """What a deployment did."""

    folder: Path
    changes: tuple[Change, ...]
    failures: tuple[Failure, ...]
    outcomes: dict[str, Outcome]
    seconds: float
    tasks: int = 0

    @property
    def succeeded(self) -> bool:
        """Tell whether nothing failed."""
        return not self.failures

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``deploy --json`` and the summary of the run."""
        return {
            "run": self.folder.name,
            "who": f"{getpass.getuser()}@{socket.gethostname()}",
            "seconds": round(self.seconds, 1),
            "tasks": self.tasks,
            "communes": {code: outcome.value for code, outcome in self.outcomes.items()},
            "changes": [asdict(change) for change in self.changes],
            "failures": [asdict(failure) for failure in self.failures],
        }


def deploy_pack(
    folder: Path,
    wanted: Iterable[str] = (),
    *,
    runs: Path | None = None,
    force_dns: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> DeployResult:
    """Given a pack's folder and a selection of communes (none means all), deploy them.

    Missing secrets are generated first, in the vault; existing ones never change. The run's folder
    (``runs/<date>``) keeps ansible-runner's artifacts and ``summary.json``, written also when the run fails.
    Raise PackmairieError when the pack or the selection is invalid; then nothing has been touched.
    """
    pack = load_pack(folder)
    communes = select(pack, wanted)
    started = datetime.now(UTC)
    run_folder = new_run_folder(runs or Path(RUNS_FOLDER), started)
    generated = [secret_change(missing) for missing in generate_secrets(pack, folder)]
    variables: dict[str, Any] = dict(selection_variables(communes, len(pack.communes)))
    if force_dns:
        variables["packmairie_force_dns"] = True
    result = run_playbook(SITE, folder, run_folder, variables=variables, on_step=on_step)
    changes = restrict([*generated, *result.changes], communes)
    account = DeployResult(
        run_folder,
        changes,
        tuple(failures_of(result)),
        outcomes(communes, changes, result),
        (datetime.now(UTC) - started).total_seconds(),
        result.tasks,
    )
    summary = run_folder / SUMMARY
    summary.write_text(json.dumps(account.as_dict(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return account


def tasks_of_last_run(runs: Path) -> int | None:
    """Return how many tasks the last run had, for a progress bar; None when nothing is known."""
    for summary in sorted(runs.glob(f"*/{SUMMARY}"), reverse=True):
        try:
            return int(json.loads(summary.read_text(encoding="utf-8"))["tasks"]) or None
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def new_run_folder(runs: Path, started: datetime) -> Path:
    """Create and return ``runs/<date>``, for the technician's eyes only; a second run of one second gets a suffix."""
    runs.mkdir(parents=True, exist_ok=True)
    base = started.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = runs / f"{base}{suffix}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return folder
    raise RuntimeError(f"no free run folder under {runs}")


def failures_of(result: RunResult) -> list[Failure]:
    """Return a run's failures; a run that touched no host at all has failed, whatever its exit status."""
    if result.failures or result.hosts:
        return list(result.failures)
    return [Failure("", "exécution", "aucun hôte n'a pris part au déploiement")]


def outcomes(communes: tuple[str, ...], changes: Iterable[Change], result: RunResult) -> dict[str, Outcome]:
    """Return what became of each commune.

    The shared hosts serve all: when one of them fails, no commune of the run may be called deployed.
    """
    if failures_of(result):
        return dict.fromkeys(communes, Outcome.FAILED)
    changed = {change.commune for change in changes if change.commune != PLATEFORME}
    return {code: Outcome.CHANGED if code in changed else Outcome.UNCHANGED for code in communes}
