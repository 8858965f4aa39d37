# SPDX-License-Identifier: GPL-3.0-or-later
"""Official XML schemas loaded from a folder, without any network: what they include is looked for beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from packmairie.model.problem import fail


class _Beside(etree.Resolver):  # type: ignore[misc]
    """Finds by its name alone, in given folders, whatever a schema includes by an address."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:
        """Return the file of that name in the first folder that has it."""
        name = (system_url or "").rsplit("/", 1)[-1]
        for folder in self.folders:
            if name and (folder / name).is_file():
                return self.resolve_filename(str(folder / name), context)
        return self.resolve_empty(context)


def _parsed(path: Path, folders: Sequence[Path]) -> Any:
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_Beside([path.parent, *folders]))
    return etree.parse(str(path), parser)


def load_xsd(path: Path, folders: Sequence[Path] = ()) -> Any:
    """Given an XSD and the folders of what it includes, return it compiled. Raise PackmairieError."""
    try:
        return etree.XMLSchema(_parsed(path, folders))
    except (OSError, etree.LxmlError) as error:
        raise fail(str(path), f"schéma inutilisable ({error})", "remettre le fichier officiel") from None


def load_rng(path: Path) -> Any:
    """Given a RELAX NG profile (XML syntax), return it compiled. Raise PackmairieError."""
    try:
        return etree.RelaxNG(_parsed(path, ()))
    except (OSError, etree.LxmlError) as error:
        raise fail(str(path), f"profil RELAX NG inutilisable ({error})", "le redemander à l'archiviste") from None
