# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platform's own timer runs: the maintenance of every repository, then a drill of a sample of each source.

Neither the pack nor its vault are on the platform. It is told of each commune's repositories by a file, and holds a key
that adds and hides but destroys nothing; the evidence goes to each commune's bucket, where the checks read it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packmairie.engines.s3 import Store, StoreAddress
from packmairie.model.problem import PackmairieError
from packmairie.model.sauvegarde import Repository
from packmairie.operations.sauvegarde_proof import PARALLEL, drill_repository
from packmairie.operations.sauvegarde_upkeep import maintain_repository

SETTINGS = Path("/etc/packmairie/entretien")
SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Kept:
    """How many backups of each source are kept."""

    jours: int
    semaines: int
    mois: int


@dataclass(frozen=True)
class Rules:
    """What the maintenance is told of the pack's policy."""

    verrou: bool
    retention_jours: int
    garder: Kept


@dataclass(frozen=True)
class Task:
    """One repository to maintain and to drill: the commune's name, and its password."""

    nom: str
    repository: Repository
    password: str

    def __repr__(self) -> str:
        return f"Task({self.repository.commune}, {self.repository.name})"


def read_rules(data: dict[str, Any]) -> Rules:
    """Return the policy as the store's file tells it."""
    return Rules(bool(data["verrou"]), int(data["retention_jours"]), Kept(**data["garder"]))


def read_tasks(folder: Path) -> Iterator[Task]:
    """Yield every repository that a folder of files names. Raise OSError, ValueError or KeyError."""
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for depot in data["depots"]:
            repository = Repository(
                data["commune"], depot["nom"], data["seau"], "", "", max_age_hours=0, sources=depot["sources"]
            )
            yield Task(data["nom"], repository, depot["mot_de_passe"])


def main(settings: Path = SETTINGS, wanted: frozenset[str] = frozenset(), roots: str = SYSTEM_ROOTS) -> int:
    """Maintain and drill the repositories of these communes (none means all); 1 when one is not as it should be."""
    data = json.loads((settings / "stockage.json").read_text(encoding="utf-8"))
    rules = read_rules(data)
    tasks = [task for task in read_tasks(settings / "communes") if not wanted or task.repository.commune in wanted]
    store = Store(StoreAddress(data["endpoint"], data["region"], bool(data["chemin"]), roots), data["cle"])
    try:
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            told = list(pool.map(lambda task: work(store, rules, task), tasks))
    finally:
        store.close()
    for line in (line for lines in told for line in lines):
        sys.stderr.write(line + "\n")
    bad = sum(bool(lines) for lines in told)
    sys.stdout.write(f"{len(tasks) - bad} dépôts contrôlés et restaurés sur {len(tasks)}\n")
    return 1 if bad else 0


def work(store: Store, rules: Rules, task: Task) -> list[str]:
    """Maintain and drill one repository; return a line for each thing that is not as it should be."""
    place = f"{task.repository.commune} {task.repository.name}"
    try:
        done = maintain_repository(store, rules, task.nom, task.repository, task.password)
        proofs = drill_repository(store, task.nom, task.repository, task.password)
    except PackmairieError as error:
        return [f"{place} : {problem.reason}" for problem in error.problems]
    except Exception as error:  # noqa: BLE001 — one repository's trouble must not stop the next one's proof
        return [f"{place} : {error.__class__.__name__} : {error}"]
    lines = [] if done.reussi else [f"{place} : entretien : {done.cause}"]
    return lines + [f"{place} {proof.source} : restauration : {proof.cause}" for proof in proofs if not proof.prouve]


if __name__ == "__main__":
    sys.exit(main(wanted=frozenset(sys.argv[1:])))
