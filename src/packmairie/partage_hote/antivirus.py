# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan what outsiders deposited: what is clean becomes visible, what is not goes to quarantine and is told.

A deposit is announced by a pair of files in the waiting folder (see ``hook``). While the antivirus does not answer,
everything stays there, out of sight.
"""

from __future__ import annotations

import array
import json
import os
import re
import smtplib
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

from packmairie.partage_hote.places import DEPOSITED, DROP, INSEE, LIMIT_FILE, Limits, Places

SOCKET = "/run/packmairie-antivirus/clamd.sock"
SCAN_SECONDS = 600.0
ABANDONED_SECONDS = 2 * 86400
"""An upload given up is removed from a drop box after that time; copyparty forgets it after one day."""
_FOUND = re.compile(r"^[^:]*: (.+) FOUND$")
_ODD = re.compile(r"[\x00-\x1f\x7f/]")

Scan = Callable[[Path], "str | None"]
Send = Callable[[EmailMessage, str], None]


class AntivirusSilent(Exception):  # noqa: N818
    """The antivirus gave no verdict; the text says why."""


@dataclass(frozen=True)
class Deposit:
    """One deposit that waits: its commune, its path inside the drop box, its two files in the waiting folder."""

    insee: str
    path: tuple[str, ...]
    announce: Path
    content: Path


@dataclass
class Outcome:
    """How many deposits were made visible, refused, and left to wait; ``reason`` says why they wait."""

    clean: int = 0
    refused: int = 0
    held: int = 0
    reason: str = ""


def scan_with_clamd(path: Path, address: str = SOCKET) -> str | None:
    """Given a file, return what the antivirus found in it, None when nothing; it is given the open file (FILDES).

    Raise AntivirusSilent without a verdict.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk, path.open("rb") as file:
            talk.settimeout(SCAN_SECONDS)
            talk.connect(address)
            talk.sendall(b"zFILDES\0")
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()]))]
            talk.sendmsg([b"\0"], rights)
            said = b""
            while not said.endswith(b"\0") and len(said) < 4096:
                chunk = talk.recv(4096)
                if not chunk:
                    break
                said += chunk
    except OSError as error:
        raise AntivirusSilent(f"{error.__class__.__name__} : {error}") from error
    return verdict(said.rstrip(b"\0").decode("utf-8", "replace").strip())


def verdict(said: str) -> str | None:
    """Read clamd's answer (clamd(8)): ``…: OK``, ``…: NAME FOUND``; anything else is no verdict."""
    if said.endswith(": OK"):
        return None
    found = _FOUND.match(said)
    if found:
        return found[1]
    raise AntivirusSilent(said[:200] or "réponse vide")


def scan_waiting(places: Places, scan: Scan, send: Send) -> Outcome:
    """Scan every deposit that waits, oldest first. A silence of the antivirus ends the run: all that is left waits."""
    outcome = Outcome()
    for deposit in waiting(places):
        if outcome.reason:
            outcome.held += 1
            continue
        try:
            found = scan(deposit.content)
        except AntivirusSilent as silence:
            outcome.held, outcome.reason = outcome.held + 1, str(silence)
            continue
        if found is None:
            show(places, deposit)
            outcome.clean += 1
        else:
            refuse(places, deposit, found, send)
            outcome.refused += 1
    return outcome


def waiting(places: Places) -> list[Deposit]:
    """Return the deposits announced, oldest first; an announce that cannot be read is told and left."""
    found = []
    for announce in sorted(places.waiting.glob("*.json"), key=lambda path: path.stat().st_mtime):
        try:
            data = json.loads(announce.read_text(encoding="utf-8"))
            insee, path = str(data["insee"]), tuple(str(part) for part in data["chemin"])
            if not INSEE.match(insee) or not path or any(part in ("", ".", "..") or "/" in part for part in path):
                raise ValueError("chemin")
        except (OSError, ValueError, KeyError, TypeError):
            sys.stderr.write(f"{announce.name} : annonce illisible\n")
            continue
        content = announce.with_suffix(".fichier")
        if content.is_file():
            found.append(Deposit(insee, path, announce, content))
        else:
            announce.unlink(missing_ok=True)
    return found


def show(places: Places, deposit: Deposit) -> None:
    """Make a clean deposit visible in the commune's ``depot``, under the name of its box, beside what is there."""
    folder = places.root.joinpath(deposit.insee, DEPOSITED, *deposit.path[:-1])
    folder.mkdir(parents=True, exist_ok=True)
    name = deposit.path[-1]
    for number in range(1000):
        stem, dot, suffix = name.rpartition(".")
        numbered = name if not number else f"{stem} ({number}){dot}{suffix}" if stem else f"{name} ({number})"
        try:
            os.link(deposit.content, folder / numbered)
        except FileExistsError:
            continue
        break
    else:
        raise OSError(f"trop de fichiers nommés {name}")
    _clear(places, deposit)


def refuse(places: Places, deposit: Deposit, found: str, send: Send) -> None:
    """Put a deposit in quarantine, then tell the commune; the file is out of sight even when the mail fails."""
    limits = places.limits(deposit.insee)
    places.quarantine.mkdir(mode=0o700, exist_ok=True)
    kept = places.quarantine / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{deposit.insee}-{deposit.content.stem}"
    os.link(deposit.content, kept)
    kept.with_suffix(".json").write_text(
        json.dumps({"insee": deposit.insee, "chemin": list(deposit.path), "trouve": found}, ensure_ascii=False),
        encoding="utf-8",
    )
    kept.chmod(0o400)
    _clear(places, deposit)
    try:
        send(warning(limits, deposit, found), limits.contact)
    except (OSError, smtplib.SMTPException) as error:
        sys.stderr.write(f"avis à {limits.contact} non envoyé : {error}\n")


def warning(limits: Limits, deposit: Deposit, found: str) -> EmailMessage:
    """Return the mail that tells a commune of a deposit put in quarantine (RFC 3834: not to be answered)."""
    name = _ODD.sub("_", deposit.path[-1])[:150]
    box = f" dans la boîte « {_ODD.sub('_', deposit.path[0])[:100]} »" if len(deposit.path) > 1 else ""
    message = EmailMessage()
    message["From"] = limits.contact
    message["To"] = limits.contact
    message["Subject"] = "Fichier déposé mis en quarantaine"
    message["Date"] = format_datetime(datetime.now().astimezone())
    message["Message-ID"] = make_msgid(domain=limits.contact.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"Bonjour,\n\nUn fichier déposé{box} sur https://{limits.host}/ a été refusé par l'antivirus :\n\n"
        f"  nom      : {name}\n  constat  : {found[:100]}\n\n"
        "Il est en quarantaine : personne ne peut l'ouvrir. Si ce dépôt était attendu, prévenir l'expéditeur par un\n"
        "autre moyen : son ordinateur est peut-être infecté. L'exploitant peut examiner le fichier à votre demande.\n"
    )
    return message


def send_locally(message: EmailMessage, to: str) -> None:
    """Give a message to the mail server of this host, with an empty envelope sender."""
    with smtplib.SMTP("127.0.0.1", 25, timeout=30) as server:
        server.sendmail("", [to], message.as_bytes())


def _clear(places: Places, deposit: Deposit) -> None:
    """Take a deposit out of its box and out of the waiting folder, its announce last."""
    box = places.root.joinpath(deposit.insee, DROP, *deposit.path)
    try:
        if box.samefile(deposit.content):
            box.unlink()
    except FileNotFoundError:
        pass
    deposit.content.unlink(missing_ok=True)
    deposit.announce.unlink(missing_ok=True)


def forget_abandoned(places: Places, now: float) -> int:
    """Remove from the drop boxes the uploads that nobody finished; return how many."""
    removed = 0
    for insee in places.communes():
        for folder, _folders, names in os.walk(places.root / insee / DROP):
            for name in names:
                path = Path(folder, name)
                status = path.lstat()
                if name != LIMIT_FILE and status.st_nlink == 1 and status.st_mtime < now - ABANDONED_SECONDS:
                    path.unlink()
                    removed += 1
    return removed


def main() -> int:
    """Scan what waits; say on standard error why some still does, and end with 1."""
    places = Places()
    outcome = scan_waiting(places, scan_with_clamd, send_locally)
    forget_abandoned(places, time.time())
    if outcome.clean or outcome.refused:
        sys.stdout.write(f"{outcome.clean} dépôts rendus visibles, {outcome.refused} en quarantaine\n")
    if outcome.held:
        sys.stderr.write(f"{outcome.held} dépôts attendent l'antivirus : {outcome.reason}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
