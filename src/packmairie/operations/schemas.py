# SPDX-License-Identifier: GPL-3.0-or-later
"""The official schema that a verification applies, or how it says that it lacks one: it is then *non vérifié*.

The option of a command comes first, then ``schemas`` of pack.yml, then :mod:`packmairie.inventory.official`'s places.
"""

from __future__ import annotations

from pathlib import Path

from packmairie.inventory.official import first_schema, schema_folders
from packmairie.model.pack import Pack
from packmairie.model.problem import fail


def schema_file(pack: Pack | None, option: Path | None, *names: str) -> Path | None:
    """Given a pack, the folder of the option and the possible paths of a schema inside, return the first that exists.

    None when there is none. Raise PackmairieError when a folder named on purpose does not hold it.
    """
    named = pack.file.schemas if pack is not None else None
    folders = (option,) if option is not None else schema_folders(Path(pack.folder) if pack else None, named)
    found = first_schema(folders, names)
    if found is None and (option is not None or named):
        place = "--schemas" if option is not None else "pack.yml"
        raise fail(place, f"{folders[0]} ne contient pas {names[0]}", "indiquer le dossier des schémas officiels")
    return found


def missing(name: str) -> str:
    """Return how a verification says that it lacks a schema."""
    return f"schéma officiel absent ({name}) : donner son dossier par --schemas, ou schemas dans pack.yml"
