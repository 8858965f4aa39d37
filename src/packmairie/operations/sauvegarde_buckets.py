# SPDX-License-Identifier: GPL-3.0-or-later
"""The communes' buckets: made, versioned, locked; what exists is only brought closer to the wish, never removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.briques.sauvegarde import PLANNED_NAME, Sauvegarde
from packmairie.briques.sauvegarde_files import identity_name
from packmairie.briques.sauvegarde_repositories import has_store, repositories, store_hosts
from packmairie.engines.s3 import CONNECTIONS, Store, explain
from packmairie.engines.s3_buckets import BucketWish, bucket_gaps, close_gaps, make_bucket
from packmairie.inventory.vault import Vault
from packmairie.model.change import Action, Change
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.problem import PartialError, Problem, fail
from packmairie.operations.desired import remembered_pack
from packmairie.operations.sauvegarde_store import maintenance_key, open_store

READY_SECONDS = 90.0
"""The store's certificate is ordered at its first start."""
SILENCES = 3
"""After so many failures of the store itself, it is not asked for other buckets."""
SILENT_REMEDY = "sur l'hôte du stockage : systemctl restart packmairie-stockage, puis packmairie deploy --resume"
Gaps = list[str] | Problem
WORDS = {
    "seau": "seau",
    "versions": "versions gardées",
    "verrou": "verrou des nouveaux objets",
    "cycle": "retrait des versions périmées",
    "regle": "règles d'accès",
    "essai": "objet d'essai du verrou",
}


def wishes(pack: Pack, communes: frozenset[str]) -> list[tuple[Commune, BucketWish]]:
    """Return the bucket wished for each commune that is backed up (of these; none means all)."""
    policy, brique = pack.file.sauvegarde, Sauvegarde()
    # Policies name keys as SeaweedFS does; another store has its own accounts, which its owner limits there.
    ours = bool(store_hosts(pack))
    return [
        (
            commune,
            BucketWish(
                name,
                policy.verrou,
                policy.retention_jours,
                tuple(identity_name(repository) for repository in repositories(commune, pack)) if ours else (),
                (PLANNED_NAME,) if ours else (),
            ),
        )
        for commune in pack.communes
        if commune.deploys(brique.name) and (not communes or commune.insee in communes)
        for name in brique.buckets(commune, pack)
    ]


def ensure_buckets(
    folder: Path, *, communes: frozenset[str] = frozenset(), dry_run: bool = False
) -> tuple[Change, ...]:
    """Given a pack's folder, bring the buckets to the wish (or only say how); return the changes.

    Raise PackmairieError when the store does not answer, PartialError when it refuses some communes' buckets. A plan
    before the first deployment, when there is no store yet, foresees everything.
    """
    pack = remembered_pack(folder)
    if not has_store(pack):
        return ()
    wanted = wishes(pack, communes)
    vault = Vault(folder)
    if dry_run and "sauvegarde.cle_entretien" not in vault.read("plateforme"):
        return tuple(_change(commune, wish, ["seau"]) for commune, wish in wanted)
    with open_store(pack, maintenance_key(vault), attempts=2) as store:
        reason = wait_until_ready(store, 0 if dry_run else READY_SECONDS)
        if reason and dry_run:
            return tuple(_change(commune, wish, ["seau"]) for commune, wish in wanted)
        if reason:
            raise fail(
                store.address.endpoint,
                reason,
                "vérifier l'hôte du stockage : systemctl status packmairie-stockage caddy",
            )

        results = _each([(wish, []) for _commune, wish in wanted], lambda wish, _gaps: bucket_gaps(store, wish))
        if not dry_run:
            # All are made before any gets its first object: the store would stop for ever (see make_bucket).
            for action in (_make, close_gaps):
                todo = zip((wish for _commune, wish in wanted), results, strict=True)
                results = _each(list(todo), partial(_doing, store, action))
    found = list(zip(wanted, results, strict=True))
    changes = tuple(_change(*wanted, gaps) for wanted, gaps in found if gaps and not isinstance(gaps, Problem))
    problems = {commune.insee: [gaps] for (commune, _wish), gaps in found if isinstance(gaps, Problem)}
    if problems:
        raise PartialError(problems, changes)
    return changes


def _each(todo: Sequence[tuple[BucketWish, Gaps]], ask: Callable[[BucketWish, list[str]], list[str]]) -> list[Gaps]:
    """Ask something for each bucket that has no problem yet, many at once; return what each lacks, or its problem.

    One bucket that fails keeps no other waiting. A store that is silent for several is not asked for the rest.
    """
    silences: list[str] = []

    def one(bucket: tuple[BucketWish, Gaps]) -> Gaps:
        wish, gaps = bucket
        if isinstance(gaps, Problem):
            return gaps
        if len(silences) >= SILENCES:
            return Problem(f"seau {wish.name}", "pas essayé : le stockage ne répond plus", SILENT_REMEDY)
        try:
            return ask(wish, gaps)
        except (ClientError, BotoCoreError) as error:
            if silent(error):
                silences.append(wish.name)
                return Problem(f"seau {wish.name}", explain(error), SILENT_REMEDY)
            return Problem(f"seau {wish.name}", explain(error), "vérifier la clé d'entretien et le stockage")

    # Many at once: a store takes a fifth of a second for the first object of a bucket, whatever else it does.
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
        return list(pool.map(one, todo))


def _doing(
    store: Store, action: Callable[[Store, BucketWish, list[str]], None], wish: BucketWish, gaps: list[str]
) -> list[str]:
    if gaps:
        action(store, wish, gaps)
    return gaps


def _make(store: Store, wish: BucketWish, gaps: list[str]) -> None:
    if "seau" in gaps:
        make_bucket(store, wish)


def silent(error: ClientError | BotoCoreError) -> bool:
    """Tell whether a failure is the store's silence, or its own fault, rather than its answer about one bucket."""
    return not isinstance(error, ClientError) or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


def _change(commune: Commune, wish: BucketWish, gaps: list[str]) -> Change:
    action = Action.CREATE if "seau" in gaps else Action.UPDATE
    lock = f", verrou de {wish.days} jours" if wish.locked else ", sans verrou"
    detail = f"versions{lock}" if "seau" in gaps else ", ".join(WORDS[gap] for gap in gaps)
    return Change(commune.insee, "sauvegarde", "stockage", action, f"seau {wish.name}", detail)


def wait_until_ready(store: Store, seconds: float) -> str:
    """Return an empty text once the store answers, or why it does not after this time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            store.client.list_buckets()
        except ClientError as error:
            # It answers; whether it accepts this key is told by the work itself, unless it has not read it yet.
            if explain(error) not in {"clé inconnue du stockage"} and not silent(error):
                return ""
            reason = explain(error)
        except BotoCoreError as error:
            reason = explain(error)
        else:
            return ""
        if time.monotonic() >= deadline:
            return reason
        time.sleep(1)
