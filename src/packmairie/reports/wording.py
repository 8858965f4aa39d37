# SPDX-License-Identifier: GPL-3.0-or-later
"""The French words that every report shares: states, briques, numbers, dates, names, and text made safe to print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from packmairie.model.change import PLATEFORME
from packmairie.model.preuve import State

SYMBOLS: Mapping[State, str] = {State.CONFORME: "✔", State.NON_CONFORME: "✘", State.NON_VERIFIE: "?"}
"""A shape for each state, always shown with its words: colour alone tells nothing to many readers."""

BRIQUE_TITLES: Mapping[str, str] = {
    "socle": "Serveurs",
    "dns": "Noms de domaine",
    "messagerie": "Messagerie",
    "presence": "Site internet",
    "partage": "Partage de fichiers",
    "sauvegarde": "Sauvegarde",
    "postes": "Postes de travail",
    "archivage": "Archivage électronique",
    "teletransmission": "Télétransmission des actes",
    "marches": "Marchés publics",
    "signalement": "Signalement",
    "sondage": "Sondage",
}
"""Titles of the briques, in the order in which reports show them."""

PLATEFORME_TITLE = "Plateforme partagée"

_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_DIGITS = re.compile(r"(\d+)")


def symbol_and_words(state: State) -> str:
    """Given a state, return its shape and its words, e.g. ``✘ non conforme``."""
    return f"{SYMBOLS[state]} {state.label}"


def brique_title(brique: str) -> str:
    """Given a brique's name, return the title shown to a reader; an unknown one is shown by its name."""
    return BRIQUE_TITLES.get(brique) or printable(brique).replace("_", " ").capitalize()


def brique_rank(brique: str) -> tuple[int, str]:
    """Given a brique's name, return its sort key: the order of ``BRIQUE_TITLES``, unknown ones last by name."""
    order = list(BRIQUE_TITLES)
    return (order.index(brique) if brique in BRIQUE_TITLES else len(order), brique)


def check_title(check: str) -> str:
    """Given the identifier of a check that has no title, return it as words, e.g. ``reception contact``."""
    words = printable(check).replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def commune_name(code: str, names: Mapping[str, str]) -> str:
    """Given an INSEE code (or ``plateforme``) and names by code, return the name alone; an unknown code is itself."""
    if code == PLATEFORME:
        return PLATEFORME_TITLE
    return printable(names.get(code, code))


def commune_label(code: str, names: Mapping[str, str]) -> str:
    """Given an INSEE code and names by code, return name and code, e.g. ``Saint-Aubin (59529)``.

    Names alone are not enough: homonyms are common among small communes.
    """
    name = commune_name(code, names)
    return name if code in (PLATEFORME, name) else f"{name} ({printable(code)})"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Given a number and a noun, return both agreed as in French (0 and 1 are singular), thousands apart."""
    noun = singular if number < 2 else plural or singular + "s"
    return f"{thousands(number)} {noun}"


def thousands(number: int) -> str:
    """Given an integer, return it with a narrow no-break space between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def enumeration(items: list[str], limit: int = 5) -> str:
    """Given words, return ``a, b et c``; past ``limit`` the rest is counted, never listed."""
    if len(items) > limit:
        hidden = len(items) - limit
        return f"{', '.join(items[:limit])} et {thousands(hidden)} {'autre' if hidden == 1 else 'autres'}"
    return " et ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def age(at: datetime, now: datetime) -> str:
    """Given two aware instants, return how long ago the first was, in words a technician reads at a glance."""
    seconds = (now - at).total_seconds()
    if seconds < -_MINUTE:
        return "dans le futur"
    if seconds < _MINUTE:
        return "à l'instant"
    if seconds < _HOUR:
        return f"il y a {int(seconds // _MINUTE)} min"
    if seconds < 2 * _DAY:
        return f"il y a {int(seconds // _HOUR)} h"
    return f"il y a {int(seconds // _DAY)} j"


def paris() -> tzinfo | None:
    """Return the time zone of metropolitan France, or None on a machine that has no time zone data."""
    try:
        return ZoneInfo("Europe/Paris")
    except ZoneInfoNotFoundError:
        return None


def long_date(at: datetime) -> str:
    """Given an aware instant, return it in French legal time, e.g. ``24 novembre 2026 à 7 h 21``.

    Without time zone data on the machine it is in UTC and says so: a date that is an hour off proves nothing.
    """
    zone = paris()
    local = at.astimezone(zone or UTC)
    day = "1er" if local.day == 1 else str(local.day)
    text = f"{day} {_MONTHS[local.month - 1]} {local.year} à {local.hour} h {local.minute:02d}"
    return text if zone else f"{text} (UTC)"


def short_date(at: datetime) -> str:
    """Given an aware instant, return day and minute in French legal time (UTC, said, without zone data)."""
    zone = paris()
    local = at.astimezone(zone or UTC)
    text = f"{local:%d/%m/%Y %H:%M}"
    return text if zone else f"{text} UTC"


@lru_cache(maxsize=1024)
def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Given a text, return a sort key in which numbers count as numbers: ``rpnt-2.4`` before ``rpnt-2.10``."""
    return tuple(
        (0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part)
        for part in _DIGITS.split(text)
        if part
    )


def alphabetical_key(name: str) -> str:
    """Given a name, return its key in a French alphabetical list: accents, ligatures, case and hyphens do not count."""
    spelled = name.replace("œ", "oe").replace("Œ", "Oe").replace("æ", "ae").replace("Æ", "Ae")
    plain = "".join(c for c in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", " ", plain.casefold()).strip()


def printable(text: str) -> str:
    """Given text that may come from anywhere (a DNS answer, a banner), return it without what could lie to a reader.

    Control characters could drive a terminal, bidirectional overrides could show a value backwards, and lone
    surrogates cannot be written as UTF-8: each is replaced by ``�``. Line breaks and tabs become a space.
    """
    if text.isprintable():
        return text
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    if character in "\n\r\t":
        return " "
    category = unicodedata.category(character)
    return "\ufffd" if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else character


def printable_lines(text: str) -> list[str]:
    """Given a text of several lines (a diff), return its lines, each made safe as ``printable`` does."""
    return [printable(line) for line in text.split("\n")] if text else []
