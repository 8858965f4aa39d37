# SPDX-License-Identifier: GPL-3.0-or-later
"""The maintenance of one repository: check, forget, prune, and keep the locks of what still serves.

Nothing here needs a locked version to go: pruning hides objects, and what is hidden goes away once its lock has ended.
The opposite matters more: the lock of an object that backups still need ends too, thirty-five days after it came; it
is made longer here, so that what serves is always held. Runs where packmairie does, and on the platform by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.engines.restic import Restic, Snapshot
from packmairie.engines.restic_bridge import Repository
from packmairie.engines.s3 import ABSENT, DENIED, PROOF_KEY, Store, code_of, explain
from packmairie.model.problem import PackmairieError
from packmairie.model.sauvegarde import UPKEEP_PREFIX, Keeping, Policy
from packmairie.model.sauvegarde import Repository as Wished
from packmairie.sauvegarde_hote.codes import IN_USE

FUTURE = timedelta(hours=1)
PARTS = 8
"""The packs are read again a part a week: all of them in this many weeks."""


@dataclass(frozen=True)
class Upkeep:
    """What the maintenance of one repository did, and what was wrong."""

    commune: str
    nom: str
    depot: str
    at: datetime
    reussi: bool
    cause: str = ""
    instantanes: int = 0
    oublies: int = 0
    remis: bool = False
    """A backup that was under way, or had died less than half an hour before, holds the repository: next time."""
    partie: str = ""
    prolonges: int = 0
    retires: int = 0
    secondes: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data: what the bucket keeps and ``--json`` prints."""
        return {**self.__dict__, "at": self.at.isoformat(timespec="seconds")}


def maintain_repository(store: Store, policy: Policy, nom: str, wished: Wished, password: str) -> Upkeep:
    """Maintain one repository of the commune called ``nom``, and leave the account of it in its bucket."""
    started, now = time.monotonic(), datetime.now(UTC)
    restic = Restic(Repository(store, wished.bucket, wished.prefix, writable=True), password)
    facts: dict[str, Any] = {"reussi": False}
    try:
        facts |= upkeep_of(restic, policy, now)
        if policy.verrou:
            facts["prolonges"] = extend_locks(store, wished.bucket, wished.prefix, policy.retention_jours, now)
            renew_proof(store, wished.bucket, now)
        facts["retires"] = remove_expired(store, wished.bucket, wished.prefix, policy.retention_jours, now)
    except PackmairieError as error:
        facts |= {"reussi": False, "cause": error.problems[0].reason}
    except (ClientError, BotoCoreError) as error:
        facts |= {"reussi": False, "cause": explain(error)}
    done = Upkeep(
        commune=wished.commune,
        nom=nom,
        depot=wished.name,
        at=datetime.now(UTC),
        secondes=round(time.monotonic() - started, 1),
        **facts,
    )
    try:
        store.write_json(wished.bucket, f"{UPKEEP_PREFIX}/{wished.name}.json", done.as_dict())
    except (ClientError, BotoCoreError) as error:
        done = Upkeep(**{**done.__dict__, "reussi": False, "cause": f"compte rendu non déposé : {explain(error)}"})
    return done


def upkeep_of(restic: Restic, policy: Policy, now: datetime) -> dict[str, Any]:
    """Check a repository, then forget and prune; return the fields of the account.

    The check comes first: a damaged repository is left as it is, for the restore that it may still need.
    """
    restic.run(["unlock"])
    snapshots = restic.snapshots()
    facts: dict[str, Any] = {"reussi": False, "instantanes": len(snapshots)}
    late = [snapshot for snapshot in snapshots if snapshot.time > now + FUTURE]
    if late:
        return facts | {
            "cause": f"un instantané est daté du {late[-1].time:%d/%m/%Y} : horloge décalée, rien n'est oublié"
        }
    part = f"{now.isocalendar().week % PARTS + 1}/{PARTS}"
    facts["partie"] = part
    # The whole first, without reading its data: what is missing shows at once.
    # Without a lock: nobody else prunes, and a check that dies must not keep the hosts from backing up.
    checked = restic.run(["check", "--no-lock"])
    if checked.outcome.state == "reussie":
        checked = restic.run(["check", "--no-lock", f"--read-data-subset={part}"])
    if checked.outcome.state != "reussie":
        return facts | {"cause": f"contrôle : {checked.outcome.cause}"}
    facts["oublies"] = 0
    forgotten = to_forget(snapshots, policy.garder)
    if forgotten:
        for arguments in (["forget", *forgotten], ["prune", "--max-unused", "10%"]):
            done = restic.run(arguments)
            if done.outcome.cause == IN_USE:
                return facts | {"reussi": True, "remis": True}
            if done.outcome.state != "reussie":
                return facts | {"cause": f"{arguments[0]} : {done.outcome.cause}"}
            facts["oublies"] = len(forgotten)
    return facts | {"reussi": True}


def to_forget(snapshots: Iterable[Snapshot], keep: Keeping) -> list[str]:
    """Return the snapshots that the policy no longer keeps: each with its manifest, and manifests left alone.

    Of each host and source: the newest of each of the last days that have one, then of the last weeks and months; the
    newest of all in any case.
    """
    every = list(snapshots)
    groups: dict[tuple[str, str], list[Snapshot]] = {}
    for snapshot in every:
        if "donnees" in snapshot.tags:
            groups.setdefault((snapshot.host, snapshot.tag("source")), []).append(snapshot)
    kept: set[str] = set()
    for group in groups.values():
        newest_first = sorted(group, key=lambda snapshot: snapshot.time, reverse=True)
        kept.add(newest_first[0].id)
        for number, period in (
            (keep.jours, "%Y-%m-%d"),
            (keep.semaines, "%G-%V"),
            (keep.mois, "%Y-%m"),
        ):
            seen: set[str] = set()
            for snapshot in newest_first:
                name = snapshot.time.strftime(period)
                if name not in seen and len(seen) < number:
                    seen.add(name)
                    kept.add(snapshot.id)
    data = [snapshot.id for group in groups.values() for snapshot in group]
    manifests = [s for s in every if "manifeste" in s.tags]
    orphans = [s.id for s in manifests if not any(i.startswith(s.tag("de") or "?") for i in kept)]
    return [identity for identity in data if identity not in kept] + orphans


def extend_locks(store: Store, bucket: str, prefix: str, days: int, now: datetime) -> int:
    """Lock for the whole retention again every object that still shows and whose lock has run half of its time.

    Return how many were. Raise ClientError where the store refuses.
    """
    extended = 0
    for entry in store.versions(bucket, f"{prefix}/"):
        if entry["Marker"] or not entry["IsLatest"] or now - entry["LastModified"] < timedelta(days=days) / 2:
            continue
        where = {"Bucket": bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
        if _locked_until(store, where) < now + timedelta(days=days) / 2:
            until = now + timedelta(days=days)
            store.client.put_object_retention(**where, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until})
            extended += 1
    return extended


def _locked_until(store: Store, where: dict[str, Any]) -> datetime:
    try:
        retention = store.client.get_object_retention(**where)["Retention"]
    except ClientError as error:
        if code_of(error).startswith("NoSuch") or code_of(error) in ABSENT:
            return datetime.fromtimestamp(0, UTC)
        raise
    until: datetime = retention.get("RetainUntilDate") or datetime.fromtimestamp(0, UTC)
    return until if retention.get("Mode") == "COMPLIANCE" else datetime.fromtimestamp(0, UTC)


def remove_expired(store: Store, bucket: str, prefix: str, days: int, now: datetime) -> int:
    """Remove versions and markers that nothing shows since longer than the retention; return how many.

    A version that is still locked is left: it goes another time.
    """
    by_key: dict[str, list[dict[str, Any]]] = {}
    for entry in store.versions(bucket, f"{prefix}/"):
        by_key.setdefault(entry["Key"], []).append(entry)
    removed = 0
    for key, entries in by_key.items():
        newest_first = sorted(entries, key=lambda entry: (entry["LastModified"], entry["IsLatest"]), reverse=True)
        for newer, entry in zip([None, *newest_first], newest_first, strict=False):
            hidden_since = newer["LastModified"] if newer else None
            # A marker that hides nothing any more goes too.
            if newer is None and entry["Marker"] and len(newest_first) == 1:
                hidden_since = entry["LastModified"]
            if hidden_since is None or now - hidden_since <= timedelta(days=days):
                continue
            try:
                store.client.delete_object(Bucket=bucket, Key=key, VersionId=entry["VersionId"])
            except ClientError as error:
                if code_of(error) not in DENIED:
                    raise
            else:
                removed += 1
    return removed


def renew_proof(store: Store, bucket: str, now: datetime) -> None:
    """Put a new object to try the lock on, once the last one's lock is about to end."""
    versions = [entry for entry in store.versions(bucket, PROOF_KEY) if not entry["Marker"]]
    newest = max(versions, key=lambda entry: entry["LastModified"], default=None)
    if newest is not None:
        where = {"Bucket": bucket, "Key": newest["Key"], "VersionId": newest["VersionId"]}
        if _locked_until(store, where) > now + timedelta(hours=36):
            return
    store.client.put_object(Bucket=bucket, Key=PROOF_KEY, Body=b"Objet d'essai du verrou.\n")
