# SPDX-License-Identifier: GPL-3.0-or-later
"""The site changed by mail: the subject says what to do, the body or the attachment is what to publish.

Contract with the transport, which is somebody else's work:

- it authenticates the sender itself (SMTP AUTH, or its own reading of the platform's Received chain) and gives
  the login, or nothing; headers such as ``From`` are never believed here;
- it gives the raw message, and the ``Commune`` that the receiving address belongs to;
- it sends the reply to the mailbox of the login and to nobody else, with an empty envelope sender and
  ``Auto-Submitted: auto-replied`` (RFC 3834); when ``reply_subject`` is empty, it sends nothing;
- when ``changed`` is true, it has the site built again;
- it limits how many messages a login may send, and runs one message of a commune at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

from .content import DOCUMENTS, HOURS, MAX_PDF, MAX_TEXT, NEWS, Content, is_pdf, read_content
from .data import Commune
from .mail_text import TooManyPartsError, attachments_of, written_text
from .opening_hours import parse_text
from .versions import Store, VersionsError
from .wording import clean, clean_line, long_date, of_name, slug, typography

MAX_MESSAGE = 26_000_000
"""Octets of a message: what the platform's mail accepts, and a little more."""
MAX_ATTACHMENTS = 10
_PREFIX = re.compile(r"^(?:\s*(?:re|ré|rép|tr|fw|fwd)\s*:\s*)+", re.IGNORECASE)
_ORDER = re.compile(r"\s*([a-zà-ÿ]+)\s*(?:[:：-]\s*(.*)|[.!]*)\s*", re.IGNORECASE | re.DOTALL)

HELP = """\
Pour changer le site de votre commune, envoyez un message dont l'objet est :

  Actualité : le titre
      Le texte du message est publié. Une ligne vide sépare les paragraphes.
  Horaires
      Le texte donne les horaires, une ligne par jour :
          Lundi et jeudi : 9h-12h, 14h-17h30
          Mardi : fermé
          Fermeture : du 24/12/2026 au 02/01/2027 (congés)
      « habituels » remet les horaires de la fiche de la commune.
  Document : le titre
      Le PDF joint est publié.
  Supprimer : le titre
      Retire une actualité ou un document.
  Annuler
      Défait le dernier changement (dans les trente jours).
  Aide
      Ce message.
"""


@dataclass(frozen=True)
class Outcome:
    """What to answer (nothing when the subject is empty), and whether the site must be built again."""

    reply_subject: str
    reply_text: str
    changed: bool = False


SILENCE = Outcome("", "")


class _RefusedError(Exception):
    """The order cannot be followed; the text says why, in French."""


@dataclass(frozen=True)
class _Order:
    """One order being followed."""

    commune: Commune
    store: Store
    content: Content
    login: str
    argument: str
    message: Message
    now: datetime


def apply_message(
    raw: bytes, content_dir: Path, commune: Commune, authenticated_login: str | None, now: datetime
) -> Outcome:
    """Given a message and who sent it, change the commune's content as it asks, and return what to answer.

    ``now`` is aware of its time zone, the commune's. Never raises for what the message holds; raise OSError
    when the folder cannot be written.
    """
    login = (authenticated_login or "").casefold()
    if not login:
        # Answering somebody unknown would tell strangers that the address exists, and send mail to forged ones.
        return SILENCE
    if login not in commune.editeurs:
        return _answer("Refusé", f"L'adresse {login} ne peut pas changer le site de la mairie {of_name(commune.nom)}.")
    if len(raw) > MAX_MESSAGE:
        return _answer("Message trop gros", f"Votre message dépasse {MAX_MESSAGE // 1_000_000} Mo : rien n'a changé.")
    try:
        message = message_from_bytes(raw, policy=policy.default)
        if _automatic(message):
            return SILENCE
        subject = _subject(message)
        return _follow(subject, message, content_dir, commune, login, now)
    except _RefusedError as error:
        return _answer("Rien n'a changé", f"{error}\n\nLe site est resté comme il était.\n\n{HELP}")
    except VersionsError as error:
        return _answer("Rien n'a changé", f"{str(error)[:1].upper()}{str(error)[1:]}.")
    except (TooManyPartsError, RecursionError, ValueError, LookupError, TypeError, AttributeError):
        # What the standard library raises on malformed messages; the cause does not help a secretary.
        return _answer("Message illisible", f"Votre message n'a pas pu être lu : rien n'a changé.\n\n{HELP}")


def _follow(  # noqa: PLR0917 - what an order is made of
    subject: str, message: Message, content_dir: Path, commune: Commune, login: str, now: datetime
) -> Outcome:
    found = _ORDER.fullmatch(subject)
    word = _bare(found.group(1)) if found else ""
    argument = clean_line((found.group(2) or "") if found else "", 150)
    action = _ACTIONS.get(word)
    if action is None:
        return _answer("Aide", f"Bonjour,\n\n{HELP}")
    store = Store(content_dir)
    order = _Order(commune, store, read_content(content_dir), login, argument, message, now)
    return action(order)


def _news(order: _Order) -> Outcome:
    title = _title(order)
    body = written_text(order.message)
    if not body:
        raise _RefusedError("Le message n'a pas de texte : rien à publier.")
    text = f"# {title}\n\n{body}\n".encode()
    if len(text) > MAX_TEXT:
        raise _RefusedError(
            f"Le texte est trop long ({len(text)} caractères environ, {MAX_TEXT} au plus) : le publier en PDF."
        )
    address = f"{order.now.date().isoformat()}-{slug(title)}"
    path = f"{NEWS}/{address}.md"
    again = any(item.slug == address for item in order.content.news)
    order.store.change({path: text}, order.login, f"actualité « {title} »", order.now)
    extra = ""
    if attachments_of(order.message):
        extra = "\nLes pièces jointes n'ont pas été publiées : pour un PDF, l'objet est « Document : titre ».\n"
    verb = "remplacée" if again else "publiée"
    return _done(
        order,
        f"Actualité {verb} : {title}",
        f"L'actualité « {title} » est {verb}, à la date du {long_date(order.now.date())} :\n"
        f"{order.commune.origin}/actualites/{address}/\n{extra}",
    )


def _hours(order: _Order) -> Outcome:
    body = written_text(order.message) or order.argument
    if _bare(body) in ("habituel", "habituels", "normal", "normaux"):
        order.store.change({HOURS: None}, order.login, "horaires habituels", order.now)
        return _done(order, "Horaires habituels", "Le site montre de nouveau les horaires de la fiche de la commune.\n")
    try:
        parse_text(body)
    except ValueError as error:
        raise _RefusedError(f"Les horaires n'ont pas été compris : {error}.") from None
    order.store.change({HOURS: f"{body}\n".encode()[:MAX_TEXT]}, order.login, "horaires", order.now)
    return _done(order, "Horaires changés", f"Le site montre maintenant :\n\n{body}\n")


def _document(order: _Order) -> Outcome:
    title = _title(order)
    files = attachments_of(order.message)
    if not files:
        raise _RefusedError("Aucun PDF n'est joint au message.")
    if len(files) > MAX_ATTACHMENTS:
        raise _RefusedError(f"Plus de {MAX_ATTACHMENTS} pièces jointes : envoyer plusieurs messages.")
    kept: list[bytes] = []
    left: list[str] = []
    for name, data in files:
        if is_pdf(data[:16]) and len(data) <= MAX_PDF:
            kept.append(data)
        else:
            left.append(clean_line(name, 80) or "sans nom")
    if not kept:
        raise _RefusedError(
            f"Aucune pièce jointe n'est un PDF de {MAX_PDF // 1_000_000} Mo au plus : {', '.join(left)}."
        )
    words = re.sub(r"[/\\\x00.]+", " ", title).strip()
    changes: dict[str, bytes | None] = {}
    for number, data in enumerate(kept, 1):
        suffix = f" ({number})" if len(kept) > 1 else ""
        changes[f"{DOCUMENTS}/{order.now.date().isoformat()} {words}{suffix}.pdf"] = data
    order.store.change(changes, order.login, f"document « {title} »", order.now)
    warning = f"\nN'ont pas été publiées, car ce ne sont pas des PDF : {', '.join(left)}.\n" if left else ""
    many = "s" if len(kept) > 1 else ""
    return _done(
        order,
        f"Document{many} publié{many} : {title}",
        f"{len(kept)} document{many} publié{many} sous le titre « {title} » :\n"
        f"{order.commune.origin}/documents/\n{warning}",
    )


def _delete(order: _Order) -> Outcome:
    wanted = slug(order.argument, 200)
    if not wanted:
        raise _RefusedError("L'objet doit dire quoi retirer : « Supprimer : le titre ».")
    found = {f"{NEWS}/{item.file}": item.title for item in order.content.news}
    found |= {f"{DOCUMENTS}/{item.file}": item.title for item in order.content.documents}
    exact = [path for path, title in found.items() if wanted in (slug(title, 200), slug(Path(path).stem, 200))]
    matches = exact or [path for path, title in found.items() if slug(title, 200).startswith(wanted)]
    if not matches:
        raise _RefusedError(f"Aucune actualité ni aucun document ne s'appelle « {order.argument} ».")
    if len(matches) > 1:
        names = "\n".join(f"  Supprimer : {Path(path).stem}" for path in matches[:10])
        raise _RefusedError(f"Plusieurs s'appellent ainsi. Renvoyer l'un de ces objets :\n{names}")
    title = found[matches[0]]
    order.store.change({matches[0]: None}, order.login, f"retrait de « {title} »", order.now)
    return _done(order, f"Retiré : {title}", f"« {title} » n'est plus sur le site.\n")


def _undo(order: _Order) -> Outcome:
    undone = order.store.undo(order.login, order.now)
    moment = datetime.fromisoformat(undone.moment)
    return _answer(
        f"Annulé : {undone.label}",
        f"Le changement du {long_date(moment.date())} à {moment:%Hh%M} par {undone.author} est annulé :"
        f" {undone.label}.\n\n"
        "Un nouveau message « Annuler » défait le changement d'avant.",
        changed=True,
    )


def _help(_order: _Order) -> Outcome:
    return _answer("Aide", f"Bonjour,\n\n{HELP}")


_ACTIONS: Mapping[str, Callable[[_Order], Outcome]] = {
    "actualite": _news,
    "actualites": _news,
    "actu": _news,
    "horaires": _hours,
    "horaire": _hours,
    "document": _document,
    "documents": _document,
    "supprimer": _delete,
    "annuler": _undo,
    "aide": _help,
}


def _title(order: _Order) -> str:
    title = order.argument
    if not slug(title):
        raise _RefusedError(
            "L'objet doit donner le titre après les deux-points, par exemple « Actualité : Fête du village »."
        )
    return title


def _subject(message: Message) -> str:
    return _PREFIX.sub("", clean_line(str(message.get("Subject") or ""), 300))


def _automatic(message: Message) -> bool:
    """Tell whether no person wrote this message (RFC 3834 §2): answering one could go on for ever."""
    sent = str(message.get("Auto-Submitted") or "no").strip().casefold()
    bulk = str(message.get("Precedence") or "").strip().casefold() in ("bulk", "list", "junk", "auto_reply")
    lists = any(name in message for name in ("List-Id", "List-Unsubscribe", "X-Autoreply", "X-Autorespond"))
    return not sent.startswith("no") or bulk or lists or message.get_content_type() == "multipart/report"


def _bare(text: str) -> str:
    lowered = unicodedata.normalize("NFKD", clean(text).casefold())
    return "".join(letter for letter in lowered if not unicodedata.combining(letter)).strip(" .!\n")


def _done(order: _Order, subject: str, text: str) -> Outcome:
    end = (
        "\nLe site est à jour dans quelques minutes."
        " Pour revenir en arrière, envoyez un message dont l'objet est « Annuler »."
    )
    return _answer(subject, f"{text}{end}\n\nSite de la mairie {of_name(order.commune.nom)}", changed=True)


def _answer(subject: str, text: str, *, changed: bool = False) -> Outcome:
    return Outcome(clean_line(typography(f"[site] {subject}"), 150), clean(typography(text)).strip() + "\n", changed)
