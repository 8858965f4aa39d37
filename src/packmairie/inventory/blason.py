# SPDX-License-Identifier: GPL-3.0-or-later
"""Coats of arms: images in the folder ``blasons/`` of a pack, named by the communes' files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from packmairie.inventory.crosscheck import Entry
from packmairie.inventory.located import Located
from packmairie.model.commune import Commune
from packmairie.site_mairie.files import RefusedError, opened_folder, read_bounded
from packmairie.site_mairie.images import MAX_OCTETS, recognise

COATS_FOLDER = "blasons"


def read_coat(folder: Path, commune: Commune) -> bytes | None:
    """Given a pack's folder and a commune, return the content of its coat of arms, or None when it names none.

    Raise ValueError with a reason that follows the file's name.
    """
    name = commune.site.blason
    if name is None:
        return None
    try:
        with opened_folder(folder / COATS_FOLDER) as coats:
            content = read_bounded(coats, name, MAX_OCTETS)
    except RefusedError as error:
        raise ValueError(str(error)) from None
    except OSError:
        raise ValueError(f"n'est pas lisible : le dossier {COATS_FOLDER}/ manque dans le pack") from None
    recognise(content)
    return content


def read_coats(folder: Path, entries: Iterable[Entry]) -> tuple[dict[str, bytes], list[Located]]:
    """Given a pack's folder and its communes' files, return each image by INSEE code, and what is wrong with them."""
    coats: dict[str, bytes] = {}
    problems: list[Located] = []
    for entry in entries:
        if entry.commune is None:
            continue
        try:
            coat = read_coat(folder, entry.commune)
        except ValueError as error:
            reason = f"site.blason : {COATS_FOLDER}/{entry.commune.site.blason} {error}"
            problems.append(entry.problem(("site", "blason"), reason, "remplacer l'image, ou supprimer cette ligne"))
            continue
        if coat is not None:
            coats[entry.commune.insee] = coat
    return coats, problems
