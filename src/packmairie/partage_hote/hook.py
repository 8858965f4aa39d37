# SPDX-License-Identifier: GPL-3.0-or-later
"""Called by copyparty, inside its process, before and after what changes files: quotas, the bin, deposits.

``main`` is given one event as copyparty describes it (``src``, ``ap``, ``sz``, ``perms``, ``ap_to`` …) and answers
``{"rc": 0}``, or ``rc`` 1 with ``rejectmsg``. Whatever cannot be decided is refused.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from packmairie.partage_hote.keeping import PARTIAL, keep
from packmairie.partage_hote.places import DROP, LIMIT_FILE, Place, Places
from packmairie.partage_hote.quota import Ledger, Refused

PLACES = Places()
LEDGER = Ledger(PLACES)
BIN_IS_SAFE = "la corbeille se vide d'elle-même : on peut en sortir un fichier, pas y écrire ni y supprimer"


def main(event: dict[str, Any]) -> dict[str, Any]:
    """Decide of one event."""
    try:
        decide(event, PLACES, LEDGER)
    except Refused as refusal:
        return {"rc": 1, "rejectmsg": str(refusal)}
    except (OSError, ValueError, KeyError) as error:
        return {"rc": 1, "rejectmsg": f"refusé : {error.__class__.__name__}"}
    return {"rc": 0}


def decide(event: dict[str, Any], places: Places, ledger: Ledger) -> None:
    """Raise Refused when the event must not happen; keep or hand over what it leaves."""
    kind = str(event["src"]).split(".")[0]
    path = str(event["ap"])
    place = places.locate(path)
    if place is None:
        raise Refused("ce dossier n'appartient à aucune commune")
    if kind == "xbu":
        _before_upload(event, places, ledger, place)
    elif kind == "xau":
        _after_upload(event, places, ledger, place)
    elif kind == "xbd" and place.in_bin:
        raise Refused(BIN_IS_SAFE)
    elif kind == "xbr":
        target = places.locate(str(event["ap_to"]))
        if target is None or target.in_bin:
            raise Refused(BIN_IS_SAFE)
    elif kind == "xbc":
        ledger.admit(places.limits(place.insee), int(event["sz"]))


def _before_upload(event: dict[str, Any], places: Places, ledger: Ledger, place: Place) -> None:
    if place.in_bin:
        raise Refused(BIN_IS_SAFE)
    if place.rest[-1:] == (LIMIT_FILE,):
        raise Refused("ce nom est réservé")
    path, size = str(event["ap"]), max(0, int(event["sz"]))
    limits = places.limits(place.insee)
    size = max(0, size - begun(path))
    if place.space == DROP:
        ledger.admit_deposit(limits, box_of(place), size)
    ledger.admit(limits, size)
    if event["src"] == "xbu.http.txt" and Path(path).exists():
        # The text editor writes into the file itself.
        keep(places, path, copy=True)


def begun(path: str) -> int:
    """Return the bytes of an upload of this name that was interrupted: they are counted among the files already."""
    whole = Path(path)
    try:
        return whole.with_name(f".{whole.name}{PARTIAL}").lstat().st_size
    except OSError:
        return 0


def _after_upload(event: dict[str, Any], places: Places, ledger: Ledger, place: Place) -> None:
    path, limits = str(event["ap"]), places.limits(place.insee)
    if event["src"] == "xau.http.dump":
        # The size of an upload by pieces is known only now: what it leaves must stand within the limits.
        ledger.admit(limits, 0)
        if place.space == DROP:
            ledger.admit_deposit(limits, box_of(place), 0)
    if place.space == DROP and not path.endswith(PARTIAL):
        hand_over(places, place, path)


def box_of(place: Place) -> str:
    """Return the name of the drop box that a path is in, empty for none in particular."""
    return place.rest[0] if len(place.rest) > 1 else ""


def hand_over(places: Places, place: Place, path: str) -> None:
    """Announce a whole deposit to the scanner: a second name for the file, and what it is, written last."""
    token = secrets.token_hex(12)
    os.link(path, places.waiting / f"{token}.fichier", follow_symlinks=False)
    said = {"insee": place.insee, "chemin": list(place.rest)}
    temporary = places.waiting / f"{token}.tmp"
    temporary.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    temporary.rename(places.waiting / f"{token}.json")
