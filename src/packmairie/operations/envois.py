# SPDX-License-Identifier: GPL-3.0-or-later
"""What the transfers of every brique share: how their state is read, here or on the host that sends, and told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from packmairie.engines.deposit_http import certificate_end
from packmairie.engines.hosts import run_on_host
from packmairie.engines.spool import JOURNAL, Entry, Spool, read_journal
from packmairie.model.pack import Hote, Pack
from packmairie.model.probe import Absent, Answer, Found, SentItem, Unanswered
from packmairie.model.probes_envois import Rounds, RoundsReading, WatchReading
from packmairie.model.problem import PackmairieError, fail
from packmairie.operations.envois_places import spool_host, spool_of

HOST_SPOOLS = "/var/lib/packmairie/envois"
ROUNDS_FILE = "dernier.json"


@dataclass(frozen=True)
class State:
    """A transfer, the last step that it reached, when, and its journal."""

    transfer: str
    step: str
    at: str
    entries: tuple[Entry, ...]


def states(spool: Spool) -> tuple[State, ...]:
    """Return every transfer of a spool with its last step, oldest first."""
    found = []
    for transfer in spool.transfers():
        entries = spool.entries(transfer)
        found.append(State(transfer, entries[-1].step, entries[-1].at, entries))
    return tuple(found)


def known(spool: Spool, transfer: str) -> str:
    """Return a transfer's identifier; raise PackmairieError when the spool has no such transfer."""
    if transfer not in spool.transfers():
        shown = ", ".join(spool.transfers()[-5:]) or "aucun"
        raise fail(transfer, "aucun envoi de ce nom", f"choisir parmi : {shown}")
    return transfer


def read_spool(pack: Pack, brique: str, insee: str) -> Answer:
    """Return the items of a commune's spool; Absent when the journal was changed, Unanswered when it is not here."""
    try:
        host = spool_host(pack)
        if host is not None:
            return _read_on(host, brique, insee)
        path = spool_of(Path(pack.folder), brique, insee).folder / JOURNAL
        if not path.exists():
            return Unanswered(f"aucun envoi connu de cette machine ({path.parent})")
        return Found(_items(path.read_bytes(), str(path)))
    except PackmairieError as error:
        return Absent(error.problems[0].reason)
    except OSError as error:
        return Unanswered(f"envois de {insee} illisibles ({error.strerror})")


def _read_on(host: tuple[str, Hote], brique: str, insee: str) -> Answer:
    path = f"{HOST_SPOOLS}/{brique}/{insee}/{JOURNAL}"
    # What is not there yet is an empty journal; a folder that is not there is a host that does not send.
    absent = "{ echo aucun envoi connu de l\\'hôte >&2; exit 1; }"
    answer = run_on_host(*host, f"test -d {HOST_SPOOLS}/{brique}/{insee} || {absent}; test ! -e {path} || cat {path}")
    if not isinstance(answer, Found):
        return answer
    return Found(_items(answer.value.encode(), path))


def _items(content: bytes, place: str) -> tuple[SentItem, ...]:
    steps: dict[str, list[tuple[str, datetime, dict[str, Any]]]] = {}
    for entry in read_journal(content, place):
        steps.setdefault(entry.transfer, []).append((entry.step, datetime.fromisoformat(entry.at), entry.data))
    return tuple(SentItem(name, tuple(found)) for name, found in steps.items())


def read_rounds(pack: Pack, probe: RoundsReading) -> Answer:
    """Return what a brique's timer did last on its host, or why it could not be read."""
    host = pack.file.plateforme.hotes[probe.host]
    state = f"{HOST_SPOOLS}/{probe.brique}/{ROUNDS_FILE}"
    answer = run_on_host(
        probe.host, host, f"systemctl is-active packmairie-{probe.brique}.timer; test ! -e {state} || cat {state}"
    )
    if not isinstance(answer, Found):
        return answer
    timer, _newline, rest = answer.value.partition("\n")
    try:
        told = json.loads(rest) if rest.strip() else {"fin": None, "echecs": {}}
        ended = datetime.fromisoformat(told["fin"]) if told["fin"] else None
        return Found(Rounds(timer == "active", ended, {str(key): str(value) for key, value in told["echecs"].items()}))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Unanswered("compte rendu illisible sur l'hôte")


WATCH_STATES = "/var/lib/packmairie/marches"
STALE_HOURS = 24
"""An address that does not answer is told from the second night on: a platform may be down for one."""


def read_watch(pack: Pack, probe: WatchReading) -> Answer:
    """Return what the nightly watch of contracts found on its host, or why it could not be read."""
    host = pack.file.plateforme.hotes[probe.host]
    listing = f"for state in {WATCH_STATES}/*.json; do test ! -e $state || cat $state; done"
    answer = run_on_host(
        probe.host, host, f"systemctl is-active packmairie-marches.timer; cd {WATCH_STATES}; {listing}"
    )
    if not isinstance(answer, Found):
        return answer
    timer, _newline, rest = answer.value.partition("\n")
    ends: list[datetime] = []
    failures: dict[str, str] = {}
    doubts: dict[str, str] = {}
    try:
        for line in rest.splitlines():
            told = json.loads(line)
            end = datetime.fromisoformat(told["fin"])
            ends.append(end)
            for url, seen in told["adresses"].items():
                since = datetime.fromisoformat(seen["depuis"]) if seen["depuis"] else None
                if since is not None:
                    stale = end - since > timedelta(hours=STALE_HOURS)
                    (failures if stale else doubts)[url] = f"{seen['defaut']} depuis le {since:%d/%m/%Y}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return Unanswered("compte rendu de la veille illisible sur l'hôte")
    return Found(Rounds(timer == "active", min(ends, default=None), failures, doubts))


def read_certificate(path: Path) -> Answer:
    """Return the end of validity of a certificate file."""
    try:
        return Found(certificate_end(path))
    except FileNotFoundError:
        return Unanswered(f"{path} n'est pas sur cette machine")
    except (OSError, ValueError) as error:
        return Absent(f"{path} : certificat illisible ({error})")
