# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening hours as a secretary writes them: « lundi au jeudi : 9h-12h, 14h-17h30 ».

The same reader serves the commune's YAML, the file ``horaires.txt`` and the mail « Horaires ».
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
SCHEMA_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
"""Names of the days in schema.org's ``openingHours``."""
MAX_LINES = 40
MAX_NOTE = 300
MAX_CLOSURES = 30
Slot = tuple[int, int]
"""Opening and closing, minutes after midnight."""

_TIME = r"(\d{1,2})\s*(?:h|:)\s*(\d{2})?"
_SLOT = re.compile(rf"(?:de\s+)?{_TIME}\s*(?:-|a|jusqu'a)\s*{_TIME}")
_DAY_RANGE = re.compile(r"(?:du\s+)?([a-z]+)\.?(?:\s*-\s*|\s+(?:au|a)\s+)([a-z]+)\.?")
_MONTHS = (
    "janvier", "fevrier", "mars", "avril", "mai", "juin",
    "juillet", "aout", "septembre", "octobre", "novembre", "decembre",
)  # fmt: skip
_DATE = re.compile(
    r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})|(\d{4})-(\d{2})-(\d{2})"
    rf"|(?:[a-z]+di|dimanche)?\s*(\d{{1,2}})(?:er)?\s+({'|'.join(_MONTHS)})\s+(\d{{4}})"
)


@dataclass(frozen=True)
class Closure:
    """Days on which the mairie is closed although the week says otherwise, both included."""

    first: date
    last: date
    reason: str = ""


@dataclass(frozen=True)
class Hours:
    """The week (seven tuples of slots, Monday first), the closures in order, and a free sentence."""

    week: tuple[tuple[Slot, ...], ...] = ((),) * 7
    closures: tuple[Closure, ...] = ()
    note: str = ""

    @property
    def known(self) -> bool:
        """Tell whether there is anything to show of the week."""
        return any(self.week)

    def schema(self) -> tuple[str, ...]:
        """Return the week as schema.org's ``openingHours`` values, e.g. ``Mo 09:00-12:00``."""
        return tuple(
            f"{SCHEMA_DAYS[day]} {clock(start)}-{clock(end)}"
            for day, slots in enumerate(self.week)
            for start, end in slots
        )

    def upcoming(self, today: date) -> tuple[Closure, ...]:
        """Return the closures that are not over on a day."""
        return tuple(closure for closure in self.closures if closure.last >= today)


def clock(minutes: int) -> str:
    """Return minutes after midnight as ``09:00``; the end of the day is 23:59, as schema.org asks."""
    return "23:59" if minutes >= 1440 else f"{minutes // 60:02d}:{minutes % 60:02d}"


def spoken(minutes: int) -> str:
    """Return minutes after midnight as they are written in French, ``9 h 30``, with spaces that do not break."""
    return f"{minutes // 60}\u00a0h" + (f"\u00a0{minutes % 60:02d}" if minutes % 60 else "")


def spoken_slot(slot: Slot) -> str:
    """Return a slot as it is written in French, ``9 h – 12 h``."""
    return f"{spoken(slot[0])}\u00a0–\u00a0{spoken(slot[1])}"


def _plain(text: str) -> str:
    """Return a text in lower case without accents, each kind of dash, space and apostrophe made one."""
    bare = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
    bare = re.sub("[\u2010-\u2015\u2212]", "-", bare).replace("’", "'")
    return re.sub(r"\s+", " ", bare).strip()


def parse_days(text: str) -> tuple[int, ...]:
    """Given « lundi, jeudi », « lundi au vendredi » or « tous les jours », return the days, 0 for Monday.

    Raise ValueError with a reason that follows the quoted value.
    """
    plain = _plain(text).rstrip(" :.")
    if plain == "tous les jours":
        return tuple(range(7))
    days: set[int] = set()
    for piece in filter(None, re.split(r"\s*(?:,|;|/|\bet\b|\+)\s*", plain)):
        span = _DAY_RANGE.fullmatch(piece)
        if span:
            first, last = _day(span.group(1)), _day(span.group(2))
            if last < first:
                raise ValueError("va d'un jour à un jour qui le précède dans la semaine")
            days.update(range(first, last + 1))
        else:
            days.add(_day(piece.removeprefix("le ").rstrip(".")))
    if not days:
        raise ValueError("ne nomme aucun jour")
    return tuple(sorted(days))


def _day(word: str) -> int:
    word = word.strip().rstrip(".")
    singular = word.removesuffix("s")
    for number, name in enumerate(DAYS):
        if singular == name or (len(singular) >= 3 and name.startswith(singular)):
            return number
    raise ValueError(f"contient « {word[:30]} », qui n'est pas un jour de la semaine")


def parse_slots(text: str) -> tuple[Slot, ...]:
    """Given « 9h-12h, 14h-17h30 » or « fermé », return the slots in order.

    Raise ValueError with a reason that follows the quoted value.
    """
    plain = _plain(text).rstrip(" .")
    if re.fullmatch(r"fermee?|ferme la mairie|-", plain):
        return ()
    plain = plain.replace("midi", "12h").replace("minuit", "24h")
    slots: list[Slot] = []
    for piece in filter(None, re.split(r"\s*(?:,|;|/|\bet\b|\bpuis\b)\s*", plain)):
        found = _SLOT.fullmatch(piece)
        if not found:
            raise ValueError(f"contient « {piece[:30]} », qui ne se lit pas comme « 9h-12h »")
        start, end = _minutes(found.group(1), found.group(2)), _minutes(found.group(3), found.group(4))
        if end <= start:
            raise ValueError(f"contient « {piece[:30]} », qui finit avant d'avoir commencé")
        if slots and start < slots[-1][1]:
            raise ValueError(f"contient « {piece[:30]} », qui commence avant la fin de la plage précédente")
        slots.append((start, end))
    if not slots:
        raise ValueError("ne contient aucune heure (écrire « fermé » un jour de fermeture)")
    if len(slots) > 4:
        raise ValueError("contient plus de quatre plages")
    return tuple(slots)


def _minutes(hour: str, minute: str | None) -> int:
    total = int(hour) * 60 + int(minute or 0)
    if total > 1440 or int(minute or 0) > 59:
        raise ValueError(f"contient une heure qui n'existe pas ({hour}h{minute or ''})")
    return total


def week_of(rows: Iterable[tuple[str, str]]) -> tuple[tuple[Slot, ...], ...]:
    """Given (days, hours) as written, return the week. Raise ValueError when a day comes twice or a text is wrong."""
    week: list[tuple[Slot, ...] | None] = [None] * 7
    for days, slots in rows:
        parsed = parse_slots(slots)
        for day in parse_days(days):
            if week[day] is not None:
                raise ValueError(f"donne deux fois les heures du {DAYS[day]}")
            week[day] = parsed
    return tuple(slots or () for slots in week)


def parse_text(text: str) -> Hours:
    """Given the lines of ``horaires.txt`` or of a mail, return the hours.

    A line is « jours : heures », « Fermeture : du 24/12/2026 au 02/01/2027 (motif) », « Note : phrase »,
    empty, or a comment starting with #. Raise ValueError with the line that is wrong and why.
    """
    rows: list[tuple[str, str]] = []
    closures: list[Closure] = []
    note = ""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) > MAX_LINES:
        raise ValueError(f"plus de {MAX_LINES} lignes")
    for line in lines:
        head, separator, rest = line.partition(":")
        word = _plain(head)
        try:
            if word in ("fermeture", "fermetures", "fermeture exceptionnelle", "conges") and separator:
                closures.append(parse_closure(rest))
            elif word in ("note", "remarque", "nb", "n.b.") and separator:
                note = rest.strip()[:MAX_NOTE]
            else:
                rows.append(_row(line, head, rest if separator else ""))
                week_of(rows)
        except ValueError as error:
            raise ValueError(f"« {line[:60]} » {error}") from None
    if not rows and not closures:
        raise ValueError("aucune ligne d'horaires")
    if len(closures) > MAX_CLOSURES:
        raise ValueError(f"plus de {MAX_CLOSURES} fermetures")
    return Hours(week_of(rows), tuple(sorted(closures, key=lambda closure: closure.first)), note)


def _row(line: str, head: str, rest: str) -> tuple[str, str]:
    """Return the days and hours of a line, whether or not a colon parts them."""
    if rest.strip() and not re.search(r"\d\s*$", head):
        parse_days(head)
        parse_slots(rest)
        return head, rest
    found = re.search(r"\d|ferm", line, re.IGNORECASE)
    if not found or not line[: found.start()].strip():
        raise ValueError("ne se lit pas comme « lundi : 9h-12h »")
    days = re.sub(r"\bde\s*$", "", line[: found.start()].rstrip(" :"))
    parse_days(days)
    parse_slots(line[found.start() :])
    return days, line[found.start() :]


def parse_closure(text: str) -> Closure:
    """Given « du 24/12/2026 au 02/01/2027 (motif) » or one date, return the closure. Raise ValueError.

    A date may also be written « 24 décembre 2026 » or « 2026-12-24 ».
    """
    days, separator, reason = text.strip().partition("(")
    plain = re.sub(r"^(?:du|le)\s+", "", _plain(days))
    dates = re.split(r"\s+(?:au|a|-)\s+(?:le\s+)?", plain)
    if len(dates) > 2 or (separator and not reason.rstrip(" .").endswith(")")):
        raise ValueError("ne se lit pas comme « du 24/12/2026 au 02/01/2027 (motif) »")
    first = _date(dates[0])
    last = _date(dates[-1])
    if last < first:
        raise ValueError("finit avant d'avoir commencé")
    return Closure(first, last, reason.rstrip(" .").removesuffix(")").strip()[:120])


def _date(text: str) -> date:
    found = _DATE.fullmatch(text)
    if not found:
        raise ValueError(f"contient « {text[:30]} », qui ne se lit pas comme une date (JJ/MM/AAAA)")
    day, month, year, iso_year, iso_month, iso_day, word_day, word, word_year = found.groups()
    number = _MONTHS.index(word) + 1 if word else int(month or iso_month)
    try:
        return date(int(year or iso_year or word_year), number, int(day or iso_day or word_day))
    except ValueError:
        raise ValueError(f"contient « {text[:30]} », une date qui n'existe pas") from None
