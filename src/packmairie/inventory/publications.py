# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commune publishes beside its site, kept in the pack: ``publications/<INSEE>/<part>/<file>``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from packmairie.inventory.atomic import write_file
from packmairie.inventory.located import Located

PUBLICATIONS_FOLDER = "publications"
MAX_BYTES = 5 * 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.(json|jsonld|csv)")
_PART = re.compile(r"[a-z]{1,30}")


def publications_folder(pack: Path, insee: str, part: str) -> Path:
    """Return the folder of a part (``marches``) of what a commune publishes."""
    if not _PART.fullmatch(part):
        raise ValueError(f"no part is named {part!r}")
    return pack / PUBLICATIONS_FOLDER / insee / part


def read_publications(pack: Path, insee: str, part: str) -> dict[str, str]:
    """Given a pack's folder, a commune and a part, return the files to publish by name, in order.

    Raise ValueError for what must not be put on a web server: a link, another kind of file, one too big or not UTF-8.
    """
    folder = publications_folder(pack, insee, part)
    if not folder.is_dir():
        return {}
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink() or not path.is_file() or not _NAME.fullmatch(path.name):
            raise ValueError(f"{path} : n'est pas un fichier de publication (.json, .jsonld, .csv)")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} : plus de {MAX_BYTES // 1024 // 1024} Mio")
        try:
            # Line ends are kept as they are: a CSV has its own.
            found[path.name] = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{path} : n'est pas en UTF-8") from None
    return found


def list_publications(
    pack: Path, communes: Collection[str]
) -> tuple[dict[str, Mapping[str, Mapping[str, str]]], list[Located]]:
    """Given a pack's folder and its INSEE codes, return what each publishes, by part and name, and what is wrong."""
    root = pack / PUBLICATIONS_FOLDER
    found: dict[str, Mapping[str, Mapping[str, str]]] = {}
    problems: list[Located] = []
    for place in sorted(root.iterdir()) if root.is_dir() else ():
        if place.name.startswith(".") or place.name not in communes:
            continue
        try:
            parts = sorted(part.name for part in place.iterdir() if _PART.fullmatch(part.name))
            found[place.name] = {part: read_publications(pack, place.name, part) for part in parts}
        except (OSError, ValueError) as error:
            problems.append(Located(str(place), 0, str(error), "le retirer de publications/"))
    return found, problems


def write_publications(pack: Path, insee: str, part: str, files: dict[str, str]) -> tuple[str, ...]:
    """Make a part equal to the files given, and return the names that changed. Raise OSError."""
    folder = publications_folder(pack, insee, part)
    folder.mkdir(parents=True, exist_ok=True)
    known = {path.name: path for path in folder.iterdir() if not path.name.startswith(".")}
    changed = []
    for name, text in files.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"no publication is named {name!r}")
        if name not in known or known[name].read_bytes() != text.encode():
            write_file(folder / name, text)
            changed.append(name)
    for name in known.keys() - files.keys():
        known[name].unlink()
        changed.append(name)
    return tuple(sorted(changed))
