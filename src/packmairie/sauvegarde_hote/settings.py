# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is told to back up: one file for each repository, and one for the host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class HostExtract:
    """The rows of a shared SQLite file that are copied (see ``packmairie.model.sauvegarde.Extract``)."""

    database: str
    value: str
    tables: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class HostSource:
    """Folders that are backed up together (see ``packmairie.model.sauvegarde.Source``)."""

    name: str
    paths: tuple[str, ...]
    excludes: tuple[str, ...]
    databases: tuple[str, ...]
    extracts: tuple[HostExtract, ...] = ()


@dataclass(frozen=True)
class Depot:
    """A repository and what opens it; ``prefix`` is its place in the bucket."""

    commune: str
    name: str
    endpoint: str
    region: str
    path_style: bool
    bucket: str
    prefix: str
    key_id: str
    key_secret: str
    password: str
    sources: tuple[HostSource, ...]

    def __repr__(self) -> str:
        return f"Depot({self.commune}, {self.name})"

    @property
    def url(self) -> str:
        """The repository as restic names it."""
        return f"s3:{self.endpoint}/{self.bucket}/{self.prefix}"


@dataclass(frozen=True)
class HostSettings:
    """The host's own part: its name, the groups that it plays, and how hard it may work."""

    machine: str
    groups: tuple[str, ...]
    upload_kib: int
    parallel: int
    state: Path
    cache: Path


def read_host_settings(path: Path, state: Path, cache: Path) -> HostSettings:
    """Read the host's settings. Raise OSError, ValueError or KeyError."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return HostSettings(
        data["machine"], tuple(data["groupes"]), int(data["debit_ko"]), max(1, int(data["simultane"])), state, cache
    )


def read_depots(folder: Path, groups: tuple[str, ...]) -> list[Depot]:
    """Read every repository of a folder, with the sources that live on this host. Raise OSError or ValueError."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".json"):
            depot = depot_of(json.loads(path.read_text(encoding="utf-8")), groups)
            if depot.sources:
                found.append(depot)
    return found


def depot_of(data: dict[str, Any], groups: tuple[str, ...]) -> Depot:
    """Return a repository from its file's content."""
    sources = tuple(
        HostSource(
            entry["nom"],
            tuple(entry["chemins"]),
            tuple(entry["exclus"]),
            tuple(entry["bases"]),
            tuple(
                HostExtract(extract["base"], extract["valeur"], tuple(sorted(extract["tables"].items())))
                for extract in entry.get("extraits", ())
            ),
        )
        for entry in data["sources"]
        if entry["groupe"] in groups
    )
    return Depot(
        data["commune"],
        data["depot"],
        data["endpoint"],
        data["region"],
        bool(data["chemin"]),
        data["seau"],
        data["prefixe"],
        data["cle"]["identifiant"],
        data["cle"]["secret"],
        data["mot_de_passe"],
        sources,
    )
