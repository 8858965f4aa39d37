# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests by which a saved plan knows whether the desired state, or the world, has moved since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from packmairie.engines.ansible import project_folder
from packmairie.inventory.vault import SECRETS_FOLDER
from packmairie.model.change import Change
from packmairie.model.pack import Pack

CODE_FOLDERS = ("roles", "playbooks", "plugins", "src/packmairie")
"""What turns a pack into files: another version of it is another desired state."""


def desired_digests(pack: Pack) -> dict[str, str]:
    """Return a digest for each part of the desired state: ``pack``, ``code``, and one for each commune.

    Comments and the order of keys do not count; secrets do, by their encrypted files, which are not opened.
    """
    folder = Path(pack.folder)
    found = {
        "pack": _of(
            [
                pack.file.model_dump_json(),
                _file(folder / SECRETS_FOLDER / "plateforme.yml"),
                *(f"{name} {_file(Path(path))}" for name, path in sorted(pack.attachments.items())),
            ]
        ),
        "code": code_digest(),
    }
    for commune in pack.communes:
        code = commune.insee
        contents = sorted(pack.contents.get(code, {}).items())
        found[code] = _of(
            [
                commune.model_dump_json(),
                hashlib.sha256(pack.coats.get(code, b"")).hexdigest(),
                *(f"{name} {_file(Path(source))}" for name, source in contents),
                json.dumps({part: dict(texts) for part, texts in pack.publications.get(code, {}).items()}),
                _file(folder / SECRETS_FOLDER / f"{code}.yml"),
            ]
        )
    return found


def moved(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts of the desired state that are not what they were, in order."""
    return tuple(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))


def changes_digest(changes: Iterable[Change]) -> str:
    """Return what identifies what was observed: the set of differences from the wish, whatever their order."""
    return _of(sorted(json.dumps(asdict(change), sort_keys=True) for change in changes))


def code_digest() -> str:
    """Return what identifies the roles, plugins and briques in use."""
    root = project_folder()
    files = sorted(
        path
        for name in CODE_FOLDERS
        for path in (root / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return _of(f"{path.relative_to(root)} {_file(path)}" for path in files)


def _file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "-"


def _of(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
