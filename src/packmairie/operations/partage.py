# SPDX-License-Identifier: GPL-3.0-or-later
"""What a technician does with a commune's file space: its links, its drop boxes, its bins, the folders of leavers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packmairie.briques.partage_checks import sharing_host
from packmairie.engines.files import ask_files_host
from packmairie.inventory.loader import load_pack
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.problem import fail
from packmairie.operations.inventory import commune_of


@dataclass(frozen=True)
class Link:
    """A link given to an outsider: its key and what it opens, in words; ``end`` is None for one without an end."""

    key: str
    path: str
    deposits: bool
    owner: str
    made: datetime
    end: datetime | None
    has_password: bool


@dataclass(frozen=True)
class Kept:
    """A file in a bin: its path below the commune's folder, and its bytes."""

    path: str
    octets: int


def links(folder: Path, insee: str) -> list[Link]:
    """Given a pack's folder and a commune, return its links, the newest first. Raise PackmairieError."""
    told = _ask(folder, insee, "liens")
    return [
        Link(
            str(link["key"]),
            str(link["path"]),
            "w" in link["rights"],
            str(link["owner"]),
            datetime.fromtimestamp(link["made"], UTC),
            datetime.fromtimestamp(link["end"], UTC) if link["end"] else None,
            bool(link["has_password"]),
        )
        for link in told["liens"]
    ]


def revoke(folder: Path, insee: str, key: str) -> None:
    """End a link at once. Raise PackmairieError when the commune has none of that key."""
    _ask(folder, insee, "revoquer", cle=key)


def open_box(folder: Path, insee: str, name: str, days: int, size_mb: int | None) -> str:
    """Open a drop box: its name, its days, what it may receive in all (MB, by default the pack's); return its URL."""
    pack, commune = _commune(folder, insee)
    policy = pack.file.partage
    if not 1 <= days <= policy.lien_jours:
        raise fail("--days", f"{days} jours, de 1 à {policy.lien_jours} dans ce pack", "voir partage.lien_jours")
    octets = (size_mb or policy.depot_mo) * 1_000_000
    return str(_told(pack, commune, {"action": "depot", "nom": name, "jours": days, "octets": octets})["url"])


def bins(folder: Path, insee: str) -> list[Kept]:
    """Return what the bins of a commune hold."""
    return [Kept(str(file["chemin"]), int(file["octets"])) for file in _ask(folder, insee, "corbeille")["fichiers"]]


def restore(folder: Path, insee: str, path: str) -> str:
    """Give a file of a bin its place again; return where it is now."""
    return str(_ask(folder, insee, "restaurer", chemin=path)["vers"])


def hand_on(folder: Path, insee: str, leaver: str, heir: str) -> str:
    """Move the private folder of someone who left into that of someone present; return where it is now."""
    return str(_ask(folder, insee, "transmettre", de=leaver, a=heir)["vers"])


def _ask(folder: Path, insee: str, action: str, **said: str) -> dict[str, Any]:
    pack, commune = _commune(folder, insee)
    return _told(pack, commune, {"action": action, **said})


def _commune(folder: Path, insee: str) -> tuple[Pack, Commune]:
    pack = load_pack(folder)
    commune = commune_of(pack, insee)
    if not pack.shares_files():
        raise fail("pack.yml", "aucun hôte ne joue le groupe partage", "l'ajouter dans plateforme.hotes")
    if not commune.deploys("partage"):
        raise fail(f"commune {insee}", "a son partage de fichiers ailleurs (existant:)", "ne pas la nommer")
    return pack, commune


def _told(pack: Pack, commune: Commune, asked: dict[str, Any]) -> dict[str, Any]:
    name = sharing_host(pack)
    return ask_files_host(name, pack.file.plateforme.hotes[name], {**asked, "insee": commune.insee})
