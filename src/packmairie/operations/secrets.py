# SPDX-License-Identifier: GPL-3.0-or-later
"""Create the secrets that a pack wishes and its vault lacks; what exists never changes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from packmairie.inventory.vault import Vault, ensure_vault_password
from packmairie.model.pack import Pack
from packmairie.operations.desired import Missing, missing_secrets, wished_secrets


def generate_secrets(
    pack: Pack,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    communes: Collection[str] = (),
) -> tuple[Missing, ...]:
    """Given a pack, its folder and a selection (empty: all), generate what is missing, in the vault; return what was.

    The vault's password is created too where none is configured and no vault exists yet.
    Raise PackmairieError when an existing vault cannot be opened.
    """
    ensure_vault_password(folder)
    vault = Vault(folder)
    wishes = dict(wished_secrets(pack, communes))
    vault.read_all(wishes)
    absent = missing_secrets(pack, vault, communes)
    if absent:
        finished: list[str] = []

        def done(name: str) -> None:
            finished.append(name)
            progress(len(finished), len(wishes))

        vault.generate(wishes, done)
    return absent
