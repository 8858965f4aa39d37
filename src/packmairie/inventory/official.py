# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the official schemas are: they are published by their authors, not carried by packmairie.

Looked for in this order: a folder named on purpose, ``schemas-officiels`` of the pack, ``shared/data`` beside the
project.
"""

from __future__ import annotations

from pathlib import Path

PACK_FOLDER = "schemas-officiels"
BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"
"""``../shared/data`` of a checkout of the project."""
ACTES_NAME = "actesv1_1.xsd"
ACTES_PATHS = (f"actes/{ACTES_NAME}", ACTES_NAME)


def seda_paths(version: str) -> tuple[str, ...]:
    """Return where the schema of a version of SEDA may be, under the folder of the official schemas."""
    name = f"seda-{version}-main.xsd"
    return (f"seda/official-2.0-2.2/{name}", f"seda/seda-{version}/{name}", f"seda/{name}", name)


def schema_folders(pack: Path | None, named: str | None) -> tuple[Path, ...]:
    """Given a pack's folder and the folder that its file names, return where schemas are looked for, in order."""
    if pack is not None and named:
        return (pack / named,)
    return (pack / PACK_FOLDER, BESIDE) if pack is not None else (BESIDE,)


def first_schema(folders: tuple[Path, ...], names: tuple[str, ...]) -> Path | None:
    """Return the first of some possible paths that exists in the first folder that has one, None without any."""
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None
