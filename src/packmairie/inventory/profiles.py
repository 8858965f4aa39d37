# SPDX-License-Identifier: GPL-3.0-or-later
"""The archival profiles of a pack: ``archivage/profils.yml``, rules of retention and access by kind of document."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from packmairie.inventory.located import error_from
from packmairie.inventory.source import read_source
from packmairie.inventory.wording import translate
from packmairie.model.envois import ProfilArchivage, ProfilsArchivage
from packmairie.model.problem import fail

PROFILES_FILE = Path("archivage") / "profils.yml"


def read_profiles(pack: Path) -> dict[str, ProfilArchivage]:
    """Given a pack's folder, return its profiles by kind. Raise PackmairieError, each problem at its line."""
    path = pack / PROFILES_FILE
    if not path.exists():
        raise fail(str(path), "les profils d'archivage manquent", "les écrire (modèle : docs/briques/archivage.md)")
    source = read_source(path, pack)
    if source.root is None or source.problems:
        raise error_from(source.problems)
    try:
        return dict(ProfilsArchivage.model_validate(source.root.value).profils)
    except ValidationError as error:
        raise error_from(translate(error, ProfilsArchivage, source.root, source.name)) from None
