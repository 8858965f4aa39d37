# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack's folder of YAML, read and checked as a whole: every problem of every file is told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from packmairie.inventory.attachments import list_attachments
from packmairie.inventory.blason import read_coats
from packmairie.inventory.content import list_contents
from packmairie.inventory.crosscheck import Entry, cross_check
from packmairie.inventory.located import Located, error_from
from packmairie.inventory.publications import list_publications
from packmairie.inventory.source import Node, Source, parse_source, read_source
from packmairie.inventory.wording import translate
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack, PackFile
from packmairie.model.problem import Problem, fail

PACK_FILE = "pack.yml"
COMMUNES_FOLDER = "communes"
_FREE_KEYS = ("connexion",)
"""Ansible's own connection variables: whatever Ansible accepts there is the operator's business."""
_HARMLESS = re.compile(r"README|\.git(keep|ignore)$|\..*\.yml\.[a-z0-9_]+\.tmp$")
"""What may lie beside the communes: explanations, and a file that another command is writing right now."""


_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Contents:
    """What a folder holds, each file judged by itself: the pack file, the communes, and the problems so far."""

    file: PackFile | None
    entries: tuple[Entry, ...]
    problems: tuple[Located, ...]


def load_pack(folder: Path) -> Pack:
    """Given a pack's folder, return the validated pack, communes in the order of their INSEE codes.

    The coats of arms come with it, and the list of the sites' first files. Reads nothing outside the folder (the
    register of communes is part of the package).
    Raise PackmairieError with every problem of every file, in the order of files and lines.
    """
    contents = read_contents(folder)
    coats, bad_coats = read_coats(folder, contents.entries)
    # Of a commune whose file is wrong, the code is known by the file's name.
    files, bad_files = list_contents(folder, {entry.path.name[:5] for entry in contents.entries})
    published, bad_publications = list_publications(folder, {entry.path.name[:5] for entry in contents.entries})
    problems = first_of_each_line(
        [
            *contents.problems,
            *cross_check(contents.file, contents.entries),
            *bad_coats,
            *bad_files,
            *bad_publications,
        ]
    )
    if problems or contents.file is None:
        raise error_from(problems)
    communes = [settled(entry.commune, contents.file) for entry in contents.entries if entry.commune is not None]
    ordered = tuple(sorted(communes, key=lambda commune: commune.insee))
    return Pack(
        folder=str(folder),
        file=contents.file,
        communes=ordered,
        coats=coats,
        contents=files,
        publications=published,
        attachments=list_attachments(folder, contents.file, ordered),
    )


def first_of_each_line(problems: Iterable[Located]) -> list[Located]:
    """Return the problems with one a line: what is wrong with a value in itself hides what else it contradicts."""
    kept: dict[tuple[str, int], list[Located]] = {}
    for problem in problems:
        same = kept.setdefault((problem.file, problem.line), [])
        if not same or not problem.line:
            same.append(problem)
    return [problem for same in kept.values() for problem in same]


def settled(commune: Commune, file: PackFile) -> Commune:
    """Return a commune whose workstations all say how they are reached: the pack says it for those that do not."""
    if all(poste.acces or poste.adresse for poste in commune.postes):
        return commune
    postes = [
        poste if poste.acces or poste.adresse else poste.model_copy(update={"acces": file.postes.acces})
        for poste in commune.postes
    ]
    return commune.model_copy(update={"postes": postes})


def read_contents(folder: Path) -> Contents:
    """Given a pack's folder, return each of its files read and judged by itself.

    Raise PackmairieError when the folder is not a pack at all.
    """
    _require_folder(folder)
    problems: list[Located] = []
    file, _ = _read(PackFile, folder / PACK_FILE, folder, problems)
    entries = []
    for path in _commune_files(folder, problems):
        commune, root = _read(Commune, path, folder, problems)
        entries.append(Entry(path, root, commune))
    return Contents(file, tuple(entries), tuple(problems))


def check_new(contents: Contents, texts: Mapping[Path, str]) -> list[Problem]:
    """Given a pack's contents and communes' files not written yet, return what would be wrong once they are."""
    problems = list(contents.problems)
    entries = list(contents.entries)
    for path, text in texts.items():
        commune, root = _judge(Commune, parse_source(str(path), text), problems)
        entries.append(Entry(path, root, commune))
    problems += cross_check(contents.file, entries)
    return [found.problem() for found in sorted(set(problems))]


def _require_folder(folder: Path) -> None:
    remedy = f"vérifier --pack ou PACKMAIRIE_PACK, ou créer un pack : packmairie inventory init {folder}"
    if not folder.is_dir():
        raise fail(str(folder), "ce dossier de pack n'existe pas", remedy)
    if not (folder / PACK_FILE).exists():
        raise fail(str(folder / PACK_FILE), "ce fichier manque : le dossier n'est pas un pack", remedy)


def _read(model: type[_Model], path: Path, folder: Path, problems: list[Located]) -> tuple[_Model | None, Node | None]:
    """Return a file's validated content and its nodes, each None when impossible; add what is wrong to problems."""
    return _judge(model, read_source(path, folder, free=_FREE_KEYS), problems)


def _judge(model: type[_Model], source: Source, problems: list[Located]) -> tuple[_Model | None, Node | None]:
    """Return the validated content of what was read, and its nodes; add what is wrong to problems."""
    problems.extend(source.problems)
    if source.root is None:
        return None, None
    try:
        return model.model_validate(source.root.value), source.root
    except ValidationError as error:
        told = {(problem.file, problem.line) for problem in source.problems}
        problems.extend(
            found for found in translate(error, model, source.root, source.name) if (found.file, found.line) not in told
        )
        return None, source.root


def _commune_files(folder: Path, problems: list[Located]) -> list[Path]:
    """Return the communes' files in order; anything else in their folder is told: no file is ignored in silence."""
    communes = folder / COMMUNES_FOLDER
    if not communes.is_dir():
        return []
    files = []
    for path in sorted(communes.iterdir()):
        if path.suffix == ".yml" and not path.name.startswith("."):
            files.append(path)
        elif not _HARMLESS.match(path.name):
            problems.append(Located(str(path), 0, "n'est pas un fichier de commune (.yml)", _remedy_for(path)))
    return files


def _remedy_for(path: Path) -> str:
    if path.suffix.lower() in (".yaml", ".yml") and not path.name.startswith("."):
        return f"le renommer {path.stem}.yml"
    return "le déplacer hors de ce dossier, ou le supprimer"
