# SPDX-License-Identifier: GPL-3.0-or-later
"""``sauvegarde drill``: the drill of a pack's repositories now, and the evidence that a commune can hand on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from packmairie.briques.sauvegarde_repositories import repositories, with_sources
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.pack import Pack
from packmairie.model.sauvegarde import Repository as Wished
from packmairie.operations.desired import select
from packmairie.operations.sauvegarde_proof import PARALLEL, Evidence, drill_repository
from packmairie.operations.sauvegarde_store import maintenance_key, open_store, secret_of


def drill_pack(
    folder: Path,
    wanted: Iterable[str] = (),
    *,
    everything: bool = False,
    scratch: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Pack, tuple[Evidence, ...]]:
    """Given a pack's folder and a selection of communes (none means all), restore and compare each of their sources.

    A rotating sample, or ``everything``. Restored files go to a scratch folder, removed at once. Each evidence is put
    in the commune's bucket. Raise PackmairieError when the pack is invalid or the store cannot be opened at all.
    """
    pack = load_pack(folder)
    vault = Vault(folder)
    chosen = set(select(pack, wanted))
    work = [
        (commune, with_sources(commune, pack, repository))
        for commune in pack.communes
        if commune.insee in chosen and commune.deploys("sauvegarde")
        for repository in repositories(commune, pack)
    ]
    with open_store(pack, maintenance_key(vault)) as store, ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = [
            pool.submit(
                drill_repository,
                store,
                commune.nom,
                wished,
                _password(vault, wished),
                everything=everything,
                scratch=scratch,
            )
            for commune, wished in work
        ]
        found: list[Evidence] = []
        for done, future in enumerate(futures, start=1):
            found += future.result()
            if on_progress:
                on_progress(done, len(futures))
    return pack, tuple(found)


def _password(vault: Vault, wished: Wished) -> str:
    return str(secret_of(vault, wished.commune, wished.password))


def record(evidences: Iterable[Evidence], folder: Path) -> list[Path]:
    """Write evidences as JSON under a folder, one file a commune and day; return the files."""
    by_commune: dict[str, list[Evidence]] = {}
    for evidence in evidences:
        by_commune.setdefault(evidence.commune, []).append(evidence)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for insee, found in sorted(by_commune.items()):
        path = folder / f"{found[0].at:%Y-%m-%d}-{insee}-restauration.json"
        data: Mapping[str, Any] = {"commune": insee, "essais": [evidence.as_dict() for evidence in found]}
        path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        paths.append(path)
    return paths
