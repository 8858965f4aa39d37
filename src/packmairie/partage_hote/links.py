# SPDX-License-Identifier: GPL-3.0-or-later
"""The links that agents and the technician give to outsiders: listed, made, revoked, ended in time.

copyparty keeps them in a base of its own, one for each process, and reads it at each reload.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from packmairie.partage_hote.places import DROP, LIMIT_FILE, Limits, Places

ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
KEY_LENGTH = 20
VALID, ENDED = "sonde-valable", "sonde-perime"
"""Keys of the two links by which the checks know that one that has ended refuses."""


@dataclass(frozen=True)
class Link:
    """One link: its key, the path it opens, its rights (``r`` read, ``w`` deposit), its owner, its end (0: none)."""

    key: str
    path: str
    rights: str
    owner: str
    made: int
    end: int
    has_password: bool


def base_of(places: Places, lot: int) -> Path:
    """Return the base of links of a process."""
    return places.state / f"lot-{lot}" / "liens.db"


def links_of(places: Places, limits: Limits) -> list[Link]:
    """Return the links of a commune, those of the checks left out, the newest first."""
    base = base_of(places, limits.lot)
    if not base.exists():
        return []
    with closing(sqlite3.connect(base, timeout=20)) as database:
        rows = database.execute("select k, vp, pr, un, t0, t1, pw from sh order by t0 desc").fetchall()
    return [
        Link(key, f"/{path}", rights, owner, int(made), int(end), bool(password))
        for key, path, rights, owner, made, end, password in rows
        if path.split("/")[0] == limits.insee and not key.endswith((VALID, ENDED))
    ]


def add(places: Places, limits: Limits, *, key: str, path: str, rights: str, end: int) -> None:
    """Write a link of the technical account."""
    row = (key, "", path.strip("/"), rights, 0, limits.probe, int(time.time()), end)
    with closing(sqlite3.connect(base_of(places, limits.lot), timeout=20)) as database, database:
        database.execute("delete from sh where k = ?", (key,))
        database.execute("insert into sh values (?,?,?,?,?,?,?,?)", row)


def revoke(places: Places, limits: Limits, key: str) -> bool:
    """Remove a link of a commune; return False when it has none of that key."""
    if key not in [link.key for link in links_of(places, limits)]:
        return False
    with closing(sqlite3.connect(base_of(places, limits.lot), timeout=20)) as database, database:
        database.execute("delete from sh where k = ?", (key,))
        database.execute("delete from sf where k = ?", (key,))
    return True


def shorten(places: Places, lot: int, days: int) -> int:
    """Give every link without an end, or with one too far, the last that the pack allows; return how many changed."""
    base = base_of(places, lot)
    if not base.exists():
        return 0
    last = days * 86400
    with closing(sqlite3.connect(base, timeout=20)) as database, database:
        return database.execute(
            "update sh set t1 = t0 + ? where (t1 = 0 or t1 > t0 + ?) and k not like ?", (last, last, f"%{VALID}")
        ).rowcount


def new_key(insee: str) -> str:
    """Return a key that nobody guesses (116 bits) and that the commune's name alone serves: it begins by its code."""
    return f"{insee}-" + "".join(secrets.choice(ALPHABET) for _ in range(KEY_LENGTH))


def open_box(places: Places, limits: Limits, name: str, days: int, octets: int) -> str:
    """Make a drop box: its folder, its limit, a link that deposits there; return the key."""
    folder = places.root / limits.insee / DROP / name
    folder.mkdir(mode=0o750, exist_ok=True)
    (folder / LIMIT_FILE).write_text(f"{octets}\n")
    key = new_key(limits.insee)
    end = int(time.time()) + days * 86400
    add(places, limits, key=key, path=f"{limits.insee}/{DROP}/{name}", rights="w", end=end)
    return key


def witness(places: Places, limits: Limits) -> bool:
    """Have the two links of the checks; return whether one was missing."""
    base = base_of(places, limits.lot)
    with closing(sqlite3.connect(base, timeout=20)) as database:
        known = {row[0] for row in database.execute("select k from sh where k like ?", (f"{limits.insee}-sonde-%",))}
    # copyparty forgets a link some time after its end (shr-rt); the nightly work makes it anew.
    wished = {f"{limits.insee}-{VALID}": 0, f"{limits.insee}-{ENDED}": int(time.time()) - 60}
    missing = {key: end for key, end in wished.items() if key not in known}
    for key, end in missing.items():
        add(places, limits, key=key, path=f"{limits.insee}/sonde/temoin", rights="r", end=end)
    return bool(missing)
