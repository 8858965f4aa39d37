# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the messages that agents wrote to site@ their commune, one at a time, and answer each to its author's box.

A message is taken out of the queue before it is followed: interrupted, it is never followed twice, and its author is
told. The login that Postfix authenticated decides; nothing in the message does.
"""

from __future__ import annotations

import json
import smtplib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

from packmairie.site_mairie.data import Commune, load_commune
from packmairie.site_mairie.intake import SILENCE, Outcome, apply_message

from .places import Places

SITE_LOCAL_PART = "site"
MAX_MESSAGES = 200
"""Messages followed in one run; the unit starts again while some are left."""
INTERRUPTED = Outcome(
    "[site] Votre message n'a pas pu être suivi",
    "Votre message n'a pas pu être suivi jusqu'au bout, à cause d'une panne de la plateforme.\n\n"
    "Regardez le site de votre commune : si le changement n'y est pas, envoyez votre message de nouveau.\n",
)

Send = Callable[[EmailMessage, str], None]
"""Given a message and the address to give it to, send it; raise OSError."""


@dataclass(frozen=True)
class Letter:
    """A message as Postfix deposited it."""

    path: Path
    recipient: str
    login: str
    raw: bytes


def follow_mail(places: Places, now: datetime, send: Send) -> tuple[int, int]:
    """Follow the waiting messages, oldest first, and answer them.

    Return how many were followed, and how many answers could not be sent. Raise OSError when the queue itself
    cannot be read.
    """
    followed = unsent = 0
    for letter in _letters(places.following, MAX_MESSAGES):
        unsent += not _answer(letter, INTERRUPTED, send)
        letter.path.unlink()
    if not any(places.incoming.iterdir()):
        return followed, unsent
    communes = _communes_by_address(places.data)
    for waiting in _letters(places.incoming, MAX_MESSAGES):
        letter = _take(waiting, places)
        commune = communes.get(letter.recipient.casefold())
        outcome = _follow(letter, commune, places, now)
        unsent += not _answer(letter, outcome, send)
        letter.path.unlink()
        followed += 1
    return followed, unsent


def _follow(letter: Letter, commune: Commune | None, places: Places, now: datetime) -> Outcome:
    """Return what to answer; a full disk or a bug of ours is answered too, and told in the journal."""
    if commune is None:
        return SILENCE
    folder = places.contents / commune.insee
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        return apply_message(letter.raw, folder, commune, letter.login, now)
    except Exception as error:  # noqa: BLE001 — one message must not stop the queue, whatever it holds
        sys.stderr.write(f"{commune.insee} message de {letter.login} : {error.__class__.__name__} : {error}\n")
        return INTERRUPTED


def _communes_by_address(data: Path) -> Mapping[str, Commune]:
    """Return each commune by the address at which its site is edited."""
    found = {}
    for path in sorted(data.glob("*.json")):
        try:
            commune = load_commune(path)
        except (OSError, ValueError):
            continue
        found[f"{SITE_LOCAL_PART}@{commune.hote.removeprefix('www.')}"] = commune
    return found


def _letters(folder: Path, limit: int) -> Iterator[Letter]:
    """Yield the messages of a folder by their order of arrival; one that cannot be read is told and taken away."""
    for path in sorted(folder.iterdir())[:limit]:
        raw = path.read_bytes()
        head, _newline, message = raw.partition(b"\n")
        try:
            envelope = json.loads(head)
            letter = Letter(path, str(envelope["recipient"]), str(envelope["login"]), message)
        except (ValueError, KeyError, TypeError):
            sys.stderr.write(f"{path.name} : dépôt illisible, retiré\n")
            path.unlink()
            continue
        yield letter


def _take(letter: Letter, places: Places) -> Letter:
    taken = places.following / letter.path.name
    letter.path.rename(taken)
    return Letter(taken, letter.recipient, letter.login, letter.raw)


def _answer(letter: Letter, outcome: Outcome, send: Send) -> bool:
    """Send an answer to the box of who logged in; return False when it could not be sent."""
    if not outcome.reply_subject:
        return True
    try:
        send(reply(letter.recipient, letter.login, outcome), letter.login)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        sys.stderr.write(f"réponse à {letter.login} non envoyée : {error}\n")
        return False
    return True


def reply(address: str, login: str, outcome: Outcome) -> EmailMessage:
    """Return the answer: from site@, to the login, marked so that no machine answers it (RFC 3834)."""
    message = EmailMessage()
    message["From"] = address
    message["To"] = login
    message["Subject"] = outcome.reply_subject
    message["Date"] = format_datetime(datetime.now().astimezone())
    message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-replied"
    message.set_content(outcome.reply_text)
    return message


def send_locally(message: EmailMessage, to: str) -> None:
    """Give a message to the mail server of this host, with an empty envelope sender. Raise OSError."""
    with smtplib.SMTP("127.0.0.1", 25, timeout=30) as server:
        server.sendmail("", [to], message.as_bytes())
