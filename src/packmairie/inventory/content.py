# SPDX-License-Identifier: GPL-3.0-or-later
"""The first texts and documents of the communes' sites: the folder ``contenu/<INSEE>/`` of a pack.

They are listed and judged here; what they hold is read when it is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from packmairie.inventory.located import Located
from packmairie.site_mairie.content import read_content

CONTENT_FOLDER = "contenu"
MAX_OCTETS = 20_000_000
"""Of a commune's files together: they go to the host in one message; the secretary's own have no such limit."""
_HARMLESS = ("README.md", "LISEZMOI.md")


def list_contents(folder: Path, communes: Collection[str]) -> tuple[Mapping[str, Mapping[str, str]], list[Located]]:
    """Given a pack's folder and its INSEE codes, return each commune's files and what is wrong with them.

    A file is its path below the commune's folder, and its absolute path on this machine.
    """
    root = folder / CONTENT_FOLDER
    found: dict[str, Mapping[str, str]] = {}
    problems: list[Located] = []
    for place in sorted(root.iterdir()) if root.is_dir() else ():
        if place.name.startswith(".") or place.name in _HARMLESS:
            continue
        if place.name not in communes or not place.is_dir() or place.is_symlink():
            problems.append(Located(str(place), 0, "n'est pas le dossier d'une commune du pack", "le renommer, l'ôter"))
            continue
        found[place.name] = files = dict(_files(place))
        problems += _judge(place, files)
    return found, problems


def _files(place: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield str(path.relative_to(place)), str(path.absolute())


def _judge(place: Path, files: Mapping[str, str]) -> Iterator[Located]:
    """Yield what the generator would leave out, in its words: better told here than in the host's journal."""
    content = read_content(place)
    for problem in content.problems:
        name, _separator, reason = problem.partition(" : ")
        yield Located(str(place / name), 0, reason or problem, "corriger ce fichier, ou l'ôter")
    read = {text.file for text in (*content.news, *content.pages)} | {document.file for document in content.documents}
    for path in files:
        known = Path(path).name in read or path == "horaires.txt"
        told = any(problem.startswith(path) for problem in content.problems)
        if not known and not told:
            yield Located(
                str(place / path), 0, "n'est pas un fichier de site", "voir docs/briques/presence.md, ou l'ôter"
            )
    total = sum(Path(source).stat().st_size for source in files.values())
    if total > MAX_OCTETS:
        reason = f"{total} octets : {MAX_OCTETS} au plus pour une commune"
        yield Located(str(place), 0, reason, "déposer les plus gros documents dans le dossier de la commune")
