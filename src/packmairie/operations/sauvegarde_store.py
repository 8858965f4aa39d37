# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a pack's store, with the maintenance key or with the key of one repository, and read what its buckets tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, closing, suppress
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.briques.sauvegarde_checks import moment_of
from packmairie.briques.sauvegarde_repositories import MAINTENANCE_KEY, endpoint, has_store
from packmairie.engines.connections import Connections
from packmairie.engines.names import Names
from packmairie.engines.s3 import ABSENT, Store, StoreAddress, code_of, explain
from packmairie.engines.s3_buckets import default_lock, try_abilities, try_lock
from packmairie.engines.s3_sending import sending
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Pack
from packmairie.model.probe import Absent, Answer, Found, Unanswered
from packmairie.model.probes_sauvegarde import BackupFacts, BackupReading, StoreTrial
from packmairie.model.problem import fail
from packmairie.model.sauvegarde import DRILL_PREFIX, UPKEEP_PREFIX, Claim


def store_address(pack: Pack) -> StoreAddress:
    """Return where a pack's store is. Raise PackmairieError when it has none."""
    if not has_store(pack):
        raise fail(
            "pack.yml", "le pack n'a pas de stockage", "déclarer un hôte du groupe stockage, ou sauvegarde.endpoint"
        )
    policy = pack.file.sauvegarde
    return StoreAddress(endpoint(pack), policy.region, policy.adressage == "chemin", pack.file.acme.racine)


def names_of(pack: Pack) -> Names | None:
    """Return how names are resolved where the pack says how; None leaves it to the machine."""
    resolvers = [str(address) for address in pack.file.resolveurs]
    return Names(resolvers) if resolvers else None


def open_store(pack: Pack, key: Mapping[str, str], *, attempts: int = 3) -> AbstractContextManager[Store]:
    """Give the store opened with a key."""
    return closing(Store(store_address(pack), key, names_of(pack), attempts=attempts))


def store_asked_by(
    connections: Connections, names: Names, pack: Pack, key: Mapping[str, str]
) -> AbstractContextManager[Store]:
    """Give the store opened with a key, for questions whose answers are small, by connections that serve others too."""
    told = names if pack.file.resolveurs else None
    return closing(Store(store_address(pack), key, sending=sending(connections, told)))


def secret_of(vault: Vault, name: str, secret: str) -> Any:
    """Return a secret of a commune or of the platform. Raise PackmairieError when the vault lacks it."""
    kept = vault.read(name).get(secret)
    if kept is None:
        raise fail(
            f"secrets/{name}.yml",
            f"« {secret} » manque",
            "le générer avec « packmairie inventory secrets », puis déployer",
        )
    return kept


def maintenance_key(vault: Vault) -> Mapping[str, str]:
    """Return the key that opens every bucket. Raise PackmairieError when the vault lacks it."""
    key: Mapping[str, str] = secret_of(vault, PLATEFORME, MAINTENANCE_KEY)
    return key


def read_backups(store: Store, vault: Vault, probe: BackupReading) -> Answer:
    """Given the store opened with the maintenance key, return what a commune's bucket tells, or why it could not."""
    try:
        proofs, now = store.listing(probe.bucket, "preuves/")
    except ClientError as error:
        if code_of(error) in ABSENT:
            return Absent(f"le seau {probe.bucket} n'existe pas")
        return Unanswered(explain(error))
    except BotoCoreError as error:
        return Unanswered(explain(error))
    claims, drills, upkeep, keys = [], {}, {}, {}
    for name, prefix, secret in probe.repositories:
        states, keys[name] = _states(store, vault.read(probe.commune).get(secret), probe.bucket, f"{prefix}/etat/")
        claims += [claim_of(name, *found) for key in states if (found := store.read_json(probe.bucket, key))]
    for key in proofs:
        found = store.read_json(probe.bucket, key) if key.endswith(".json") else None
        if found is None:
            continue
        record = {**found[0], "recu": found[1]}
        if key.startswith(f"{DRILL_PREFIX}/"):
            drills[str(record.get("depot")), str(record.get("source"))] = record
        elif key.startswith(f"{UPKEEP_PREFIX}/"):
            upkeep[str(record.get("depot"))] = record
    versioned = store.client.get_bucket_versioning(Bucket=probe.bucket).get("Status") == "Enabled"
    return Found(
        BackupFacts(
            now,
            tuple(claims),
            drills,
            upkeep,
            try_lock(store, probe.bucket),
            default_lock(store, probe.bucket),
            versioned,
            keys,
        )
    )


def _states(store: Store, key: Any, bucket: str, place: str) -> tuple[Iterable[str], str]:
    """Return the states that hosts left, found by the repository's own key, and what that key lacks to find them."""
    states, trouble = store.keys_by(key, bucket, place) if isinstance(key, dict) else ((), "absente du coffre")
    # What the hosts say is to be known all the same.
    return store.keys(bucket, place) if trouble else states, trouble


def claim_of(repository: str, data: Mapping[str, Any], received: datetime) -> Claim:
    """Given a state as a host wrote it, and when the store received it, return the claim; a host may write anything."""

    def number(name: str) -> int:
        with suppress(TypeError, ValueError):
            return max(0, int(data.get(name) or 0))
        return 0

    history = data.get("historique")
    return Claim(
        repository,
        str(data.get("source", "")),
        received,
        moment_of(data.get("fin")),
        str(data.get("etat", "")),
        str(data.get("cause", ""))[:300],
        moment_of(data.get("derniere_reussite")),
        str(data.get("instantane", "")),
        number("fichiers"),
        number("octets"),
        number("modifies"),
        number("instables"),
        tuple(line for line in history if isinstance(line, dict)) if isinstance(history, list) else (),
    )


def try_store(store: Store, probe: StoreTrial, moment: datetime) -> Answer:
    """Given the store opened with the maintenance key, try what it supports, or say why it could not be tried."""
    try:
        return Found(try_abilities(store, probe.bucket, moment))
    except (ClientError, BotoCoreError) as error:
        return Unanswered(explain(error))
