# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill of one repository: restore for real, compare with what was there, and leave a dated evidence of it.

Runs where packmairie does, and on the platform by itself.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.engines.restic import Restic, Snapshot, literal
from packmairie.engines.restic_bridge import Repository
from packmairie.engines.s3 import Store, explain
from packmairie.model.problem import PackmairieError
from packmairie.model.sauvegarde import DRILL_PREFIX
from packmairie.model.sauvegarde import Repository as Wished
from packmairie.operations.sauvegarde_compare import compare_files, compare_listing, sample
from packmairie.sauvegarde_hote.backup import MANIFEST_NAME
from packmairie.sauvegarde_hote.manifest import Manifest, from_text

SAMPLE_FILES, SAMPLE_OCTETS = 200, 200_000_000
MOVING_SHARE = 0.25
"""More files than this moving while the backup was made, and what was compared says too little."""
PARALLEL = 2


@dataclass(frozen=True)
class Evidence:
    """What one restore proved: of which source, from which snapshot, what was compared and what was wrong."""

    commune: str
    nom: str
    depot: str
    source: str
    titre: str
    at: datetime
    prouve: bool
    cause: str = ""
    instantane: str = ""
    pris_le: str = ""
    machine: str = ""
    manifeste_sha256: str = ""
    fichiers: int = 0
    compares: int = 0
    octets: int = 0
    mouvants: int = 0
    complet: bool = False
    tour: int = 0
    secondes: float = 0.0
    fautes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data: what the bucket keeps and ``--json`` prints."""
        return {**self.__dict__, "at": self.at.isoformat(timespec="seconds"), "fautes": list(self.fautes)}


def drill_repository(
    store: Store, nom: str, wished: Wished, password: str, *, everything: bool = False, scratch: Path | None = None
) -> list[Evidence]:
    """Restore and compare each source of a repository of the commune called ``nom``; its bucket keeps the evidence."""
    restic = Restic(Repository(store, wished.bucket, wished.prefix), password)
    found = []
    try:
        snapshots = restic.snapshots()
    except (PackmairieError, ClientError, BotoCoreError) as error:
        cause = error.problems[0].reason if isinstance(error, PackmairieError) else explain(error)
        snapshots, trouble = [], cause
    else:
        trouble = ""
    for source, title in wished.sources.items():
        started = time.monotonic()
        key = f"{DRILL_PREFIX}/{wished.name}-{source}.json"
        try:
            turn = _next_turn(store, wished.bucket, key)
            facts = (
                {"cause": trouble, "prouve": False}
                if trouble
                else drill_source(restic, snapshots, source, turn, everything=everything, scratch=scratch)
            )
        except PackmairieError as error:
            facts, turn = {"cause": error.problems[0].reason, "prouve": False}, 0
        except (ClientError, BotoCoreError) as error:
            facts, turn = {"cause": explain(error), "prouve": False}, 0
        facts.setdefault("tour", turn)
        evidence = Evidence(
            commune=wished.commune,
            nom=nom,
            depot=wished.name,
            source=source,
            titre=title,
            at=datetime.now(UTC),
            secondes=round(time.monotonic() - started, 1),
            **facts,
        )
        try:
            store.write_json(wished.bucket, key, evidence.as_dict())
        except (ClientError, BotoCoreError) as error:
            # An evidence that the store did not take is not shown as a success by anyone.
            evidence = Evidence(
                **{**evidence.__dict__, "prouve": False, "cause": f"preuve non déposée : {explain(error)}"}
            )
        found.append(evidence)
    return found


def _next_turn(store: Store, bucket: str, key: str) -> int:
    before = store.read_json(bucket, key)
    try:
        return int(before[0].get("tour", -1)) + 1 if before else 0
    except (TypeError, ValueError):
        return 0


def latest(snapshots: Iterable[Snapshot], source: str, before: datetime | None = None) -> Snapshot | None:
    """Return the newest backup of a source, taken no later than a moment."""
    found = None
    for snapshot in snapshots:
        if (
            "donnees" in snapshot.tags
            and snapshot.tag("source") == source
            and (before is None or snapshot.time <= before)
        ):
            found = snapshot
    return found


def manifest_of(restic: Restic, snapshots: Iterable[Snapshot], snapshot: Snapshot) -> tuple[Manifest, str] | None:
    """Return the manifest of a backup with its SHA-256, None when it has none. Raise PackmairieError or ValueError."""
    for other in snapshots:
        if "manifeste" in other.tags and snapshot.id.startswith(other.tag("de") or "?"):
            raw = restic.must(["dump", other.id, MANIFEST_NAME])
            heading, manifest = from_text(raw.decode())
            if heading.get("instantane") == snapshot.id:
                return manifest, hashlib.sha256(raw).hexdigest()
    return None


def drill_source(
    restic: Restic,
    snapshots: list[Snapshot],
    source: str,
    turn: int,
    *,
    everything: bool,
    scratch: Path | None = None,
) -> dict[str, Any]:
    """Restore a source's newest backup (or a slice of it), compare, and return the fields of an evidence."""
    snapshot = latest(snapshots, source)
    if snapshot is None:
        return {"prouve": False, "cause": "aucune sauvegarde dans le dépôt"}
    facts: dict[str, Any] = {
        "prouve": False,
        "instantane": snapshot.id,
        "pris_le": snapshot.time.isoformat(timespec="seconds"),
        "machine": snapshot.host,
    }
    try:
        kept = manifest_of(restic, snapshots, snapshot)
    except (ValueError, KeyError, TypeError):
        return facts | {"cause": "manifeste illisible"}
    if kept is None:
        return facts | {"cause": "la dernière sauvegarde n'a pas de manifeste : elle ne s'est pas terminée"}
    manifest, sha256 = kept
    listing = compare_listing(manifest, restic.listing(snapshot.id))
    wanted = (
        [entry for entry in manifest.entries.values() if entry.stable]
        if everything
        else sample(manifest, turn, SAMPLE_FILES, SAMPLE_OCTETS)
    )
    facts |= {
        "manifeste_sha256": sha256,
        "fichiers": len(manifest.entries),
        "mouvants": len(listing.moving),
        "compares": len(wanted),
        "octets": sum(entry.size for entry in wanted),
        "complet": everything or len(wanted) == manifest.stable,
    }
    if listing.faults:
        faults = [*(f"{path} : absent" for path in listing.missing), *(f"{path} : taille" for path in listing.resized)]
        return facts | {"cause": f"{listing.faults} fichiers manquent ou diffèrent", "fautes": tuple(faults[:50])}
    if not wanted:
        return facts | {"cause": "aucun fichier qui puisse être comparé"}
    if len(listing.moving) > MOVING_SHARE * max(1, len(manifest.entries)):
        return facts | {"cause": f"{len(listing.moving)} fichiers changeaient pendant la sauvegarde"}
    faults, trouble = restore_and_compare(restic, snapshot, wanted, everything=everything, scratch=scratch)
    if trouble or faults:
        cause = trouble or f"{len(faults)} fichiers restaurés diffèrent de l'original"
        return facts | {"cause": cause, "fautes": tuple(faults[:50])}
    return facts | {"prouve": True}


def restore_and_compare(
    restic: Restic, snapshot: Snapshot, wanted: list[Any], *, everything: bool, scratch: Path | None
) -> tuple[list[str], str]:
    """Restore files to a scratch folder and compare them; return the faults, and why the restore itself failed."""
    with tempfile.TemporaryDirectory(prefix="packmairie-restauration-", dir=scratch) as place:
        arguments = ["restore", snapshot.id, "--target", place]
        if not everything:
            # Two slashes at most: an include matches also the end of longer paths.
            arguments += [word for entry in wanted for word in ("--include", literal(entry.path))]
        done = restic.run(arguments)
        faults = compare_files(wanted, Path(place))
    trouble = "" if done.outcome.state == "reussie" else done.outcome.cause
    return faults, trouble
