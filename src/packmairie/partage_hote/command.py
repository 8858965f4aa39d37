# SPDX-License-Identifier: GPL-3.0-or-later
"""What the technician asks of this host, as ``packmairie partage`` sends it: JSON on standard input, JSON answered.

``{"action": "liens" | "revoquer" | "depot" | "corbeille" | "restaurer" | "transmettre", "insee": …, …}``
"""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from packmairie.partage_hote.links import links_of, open_box, revoke
from packmairie.partage_hote.places import BIN, Limits, Places
from packmairie.partage_hote.quota import sizes

MARK = re.compile(r" \(\d\dh\d\dm\d\d(?: \d+)?\)(?=(?:\.[^.]*)?$)")
"""What the bin adds to a name that it already had that day."""
BOX_NAME = re.compile(r"^[^\x00-\x1f/\\.][^\x00-\x1f/\\]{0,79}$")


class AskedWrong(Exception):  # noqa: N818
    """What was asked cannot be done; the text says why."""


def answer(asked: dict[str, Any], places: Places) -> dict[str, Any]:
    """Do what is asked and return what is to be told. Raise AskedWrong."""
    insee = str(asked["insee"])
    if insee not in set(places.communes()):
        raise AskedWrong(f"{insee} n'a pas d'espace de fichiers sur cet hôte")
    limits = places.limits(insee)
    match asked["action"]:
        case "liens":
            return {"liens": [vars(link) for link in links_of(places, limits)]}
        case "revoquer":
            if not revoke(places, limits, str(asked["cle"])):
                raise AskedWrong(f"aucun lien « {asked['cle']} »")
            _reload(limits)
            return {}
        case "depot":
            name = str(asked["nom"])
            if not BOX_NAME.match(name):
                raise AskedWrong("nom de boîte : 80 caractères au plus, sans « / » ni point au début")
            key = open_box(places, limits, name, int(asked["jours"]), int(asked["octets"]))
            _give(places.root / insee / "boite" / name)
            _reload(limits)
            return {"url": f"https://{limits.host}/p/{key}/"}
        case "corbeille":
            return {"fichiers": in_bins(places, insee)}
        case "restaurer":
            return {"vers": restore(places, insee, str(asked["chemin"]))}
        case "transmettre":
            return {"vers": hand_on(places, limits, str(asked["de"]), str(asked["a"]))}
    raise AskedWrong("action inconnue")


def bins(places: Places, insee: str) -> list[Path]:
    """Return the bins of a commune."""
    base = places.root / insee
    return [path for path in (*base.glob(f"*/{BIN}"), *base.glob(f"personnel/*/{BIN}")) if not path.is_symlink()]


def in_bins(places: Places, insee: str) -> list[dict[str, Any]]:
    """Return what the bins of a commune hold: path below the commune's folder, and bytes."""
    base = places.root / insee
    found = [
        {"chemin": os.path.relpath(path, base), "octets": size}
        for folder in bins(places, insee)
        for path, size in sizes(folder)
    ]
    return sorted(found, key=lambda entry: entry["chemin"])


def restore(places: Places, insee: str, path: str) -> str:
    """Give a file of a bin its place again, beside what may be there now; return where, below the commune's folder."""
    base = places.root / insee
    if path not in [entry["chemin"] for entry in in_bins(places, insee)]:
        raise AskedWrong(f"« {path} » n'est pas dans la corbeille")
    above, _bin, below = path.partition(f"/{BIN}/")
    _day, _slash, rest = MARK.sub("", below).partition("/")
    source = base / path
    is_site = above == "commun" and rest.startswith("site/")
    target = places.sites / insee / rest.removeprefix("site/") if is_site else base / above / rest
    _make_parents(target.parent)
    for number in range(1000):
        free = target if not number else target.with_name(f"{target.stem} (restauré {number}){target.suffix}")
        try:
            if source.stat().st_dev == target.parent.stat().st_dev:
                os.link(source, free, follow_symlinks=False)
            else:
                with free.open("xb") as writer:
                    writer.write(source.read_bytes())
                _give(free)
        except FileExistsError:
            continue
        source.unlink()
        return str(free.relative_to(places.sites / insee if is_site else base))
    raise AskedWrong("trop de fichiers de ce nom")


def hand_on(places: Places, limits: Limits, leaver: str, heir: str) -> str:
    """Move the private folder of someone who left into that of someone present; return where."""
    base = places.root / limits.insee / "personnel"
    if leaver in limits.people:
        raise AskedWrong(f"« {leaver} » est encore dans la commune : le retirer d'abord de ses agents, et déployer")
    if heir not in limits.people:
        raise AskedWrong(f"« {heir} » n'est pas une personne de la commune")
    source = base / leaver
    if "/" in leaver or leaver in (".", "..") or not source.is_dir() or source.is_symlink():
        raise AskedWrong(f"« {leaver} » n'a pas laissé de dossier")
    target = base / heir / f"Dossier de {leaver}"
    if target.exists():
        raise AskedWrong(f"« {target.name} » existe déjà")
    source.rename(target)
    return str(target.relative_to(places.root / limits.insee))


def _make_parents(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(mode=0o750)
        _give(path)


def _give(path: Path) -> None:
    owner = pwd.getpwnam("partage")
    os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def _reload(limits: Limits) -> None:
    subprocess.run(["systemctl", "reload", f"packmairie-partage@{limits.lot}.service"], check=True)


if __name__ == "__main__":
    try:
        json.dump(answer(json.load(sys.stdin), Places()), sys.stdout)
    except AskedWrong as error:
        json.dump({"erreur": str(error)}, sys.stdout)
