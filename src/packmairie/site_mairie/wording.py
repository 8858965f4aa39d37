# SPDX-License-Identifier: GPL-3.0-or-later
"""Words on the pages: cleaned, set as French typography wants, dated, named."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
MAX_SLUG = 60

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"})
_RULES = (
    (re.compile(r"[ \u00a0\u202f]{3,}"), " "),
    (re.compile(r"(?<=\w)'(?=\w)"), "’"),
    (re.compile(r"\.\.\."), "…"),
    (re.compile(r"[ \u00a0\u202f]+([;!?])"), "\u202f\\1"),
    (re.compile(r"[ \u00a0\u202f]+([:»])"), "\u00a0\\1"),
    (re.compile(r"«[ \u00a0\u202f]*"), "«\u00a0"),
    (re.compile(r"\b([nN])° ?(?=\d)"), "\\1°\u00a0"),
    (re.compile(r"(?<=\d) (?=(?:h|€|%|km|m|kg|ans?)\b|[€%])"), "\u00a0"),
    (re.compile(r"(?<=\d h) (?=\d)"), "\u00a0"),
    (re.compile(r"(?<=\d\u00a0h) (?=\d)"), "\u00a0"),
    (re.compile(r"\b(M\.|Mme|MM\.|art\.) "), "\\1\u00a0"),
)


def clean(text: str) -> str:
    """Return a text in composed form, without control characters and without the marks that hide or reorder text."""
    return _HIDDEN.sub("", unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")))


def clean_line(text: str, limit: int = 200) -> str:
    """Return a text cleaned, on one line, cut at a number of characters."""
    line = re.sub(r"\s+", " ", clean(text)).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def typography(text: str) -> str:
    """Return a text with French apostrophes, ellipses and spaces that do not break before « ; : ! ? »."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def slug(text: str, limit: int = MAX_SLUG) -> str:
    """Return the ASCII words of a text joined by hyphens, cut between two of them; empty when no letter is left."""
    lowered = unicodedata.normalize("NFKD", text).casefold().translate(_LIGATURES)
    words = re.sub(r"[^a-z0-9]+", "-", "".join(c for c in lowered if not unicodedata.combining(c))).strip("-")
    if len(words) <= limit:
        return words
    cut = words[: limit + 1].rpartition("-")[0]
    return cut or words[:limit]


def long_date(day: date) -> str:
    """Return a date as it is read in French, ``1er mars 2026``, with spaces that do not break."""
    number = "1er" if day.day == 1 else str(day.day)
    return f"{number}\u00a0{MONTHS[day.month - 1]}\u00a0{day.year}"


def period(first: date, last: date) -> str:
    """Return the days from one to another, ``du 24 décembre 2026 au 2 janvier 2027`` or ``le 24 décembre 2026``."""
    if first == last:
        return f"le\u00a0{long_date(first)}"
    return f"du\u00a0{long_date(first)} au\u00a0{long_date(last)}"


def of_name(name: str) -> str:
    """Return a commune's name after « de »: ``d’Œuf-en-Ternois``, ``du Quesnoy``, ``de Saint-Aubin``."""
    if name.startswith("Le "):
        return f"du {name[3:]}"
    if name.startswith("Les "):
        return f"des {name[4:]}"
    initial = unicodedata.normalize("NFKD", name[:1].casefold())[:1]
    return f"d’{name}" if initial in "aeiouyœæ" else f"de {name}"


def phone(number: str) -> str:
    """Return a French number by pairs, ``03 21 00 00 00``, with spaces that do not break."""
    digits = re.sub(r"\D", "", number)
    return "\u00a0".join(digits[start : start + 2] for start in range(0, len(digits), 2))


def phone_link(number: str) -> str:
    """Return the ``tel:`` address of a French number (RFC 3966)."""
    return "tel:+33" + re.sub(r"\D", "", number)[1:]


def size_text(octets: int) -> str:
    """Return a size as it is read in French, ``312 ko`` or ``1,4 Mo``."""
    if octets < 1_000_000:
        return f"{max(1, round(octets / 1000))}\u00a0ko"
    return f"{octets / 1_000_000:.1f}\u00a0Mo".replace(".", ",")
