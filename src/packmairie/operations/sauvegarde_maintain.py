# SPDX-License-Identifier: GPL-3.0-or-later
"""``sauvegarde maintain``: the maintenance of a pack's repositories now, with the key that no mairie holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from packmairie.briques.sauvegarde_repositories import repositories
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.operations.desired import select
from packmairie.operations.sauvegarde_store import maintenance_key, open_store, secret_of
from packmairie.operations.sauvegarde_upkeep import Upkeep, maintain_repository


def maintain_pack(
    folder: Path, wanted: Iterable[str] = (), *, on_progress: Callable[[int, int], None] | None = None
) -> tuple[Upkeep, ...]:
    """Given a pack's folder and a selection of communes (none means all), maintain each of their repositories.

    Raise PackmairieError when the pack is invalid or the vault lacks a key.
    """
    pack = load_pack(folder)
    vault = Vault(folder)
    chosen = set(select(pack, wanted))
    work = [
        (commune, wished)
        for commune in pack.communes
        if commune.insee in chosen and commune.deploys("sauvegarde")
        for wished in repositories(commune, pack)
    ]
    found = []
    with open_store(pack, maintenance_key(vault)) as store:
        for done, (commune, wished) in enumerate(work, start=1):
            password = str(secret_of(vault, commune.insee, wished.password))
            found.append(maintain_repository(store, pack.file.sauvegarde, commune.nom, wished, password))
            if on_progress:
                on_progress(done, len(work))
    return tuple(found)
