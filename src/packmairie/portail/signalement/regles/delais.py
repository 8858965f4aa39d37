# SPDX-License-Identifier: GPL-3.0-or-later
"""The clocks, as data, and the calendar that they run on.

Two regimes that must not be mixed: the texts on ``avdhas`` give no number of days (acknowledge « sans délai », R135-4
CGFP), so its clocks are internal aims and say so; ``alerte`` has those of décret 2022-1284, article 4.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

import holidays

from packmairie.portail.signalement.regles.vocabulaire import ALERTE, AVDHAS

Unit = Literal["jours_ouvres", "jours", "mois"]
Milestone = Literal["recu", "accuse", "examine", "retour", "entretien_demande", "entretien", "clos"]


@dataclass(frozen=True)
class Delai:
    """One clock: from a milestone to another, in so many units. ``legal``: a text gives it, named in ``source``."""

    code: str
    nom: str
    dispositif: str
    depart: Milestone
    arrivee: Milestone
    duree: int
    unite: Unit
    legal: bool
    source: str


DELAIS: tuple[Delai, ...] = (
    Delai("avdhas_accuse", "Accusé de réception", AVDHAS, "recu", "accuse", 0, "jours", True,
          "R135-4 CGFP, sans délai"),
    Delai("avdhas_lecture", "Recevabilité examinée", AVDHAS, "recu", "examine", 10, "jours_ouvres", False,
          "objectif interne"),
    Delai("avdhas_retour", "Premier retour à l'auteur", AVDHAS, "recu", "retour", 15, "jours", False,
          "objectif interne"),
    Delai("avdhas_cloture", "Clôture", AVDHAS, "recu", "clos", 3, "mois", False, "objectif interne"),
    Delai("alerte_accuse", "Accusé de réception écrit", ALERTE, "recu", "accuse", 7, "jours_ouvres", True,
          "décret 2022-1284, art. 4"),
    Delai("alerte_entretien", "Entretien demandé", ALERTE, "entretien_demande", "entretien", 20, "jours_ouvres", True,
          "décret 2022-1284, art. 4"),
    Delai("alerte_retour", "Retour écrit sur les mesures", ALERTE, "accuse", "retour", 3, "mois", True,
          "décret 2022-1284, art. 4"),
)  # fmt: skip


@cache
def _holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", years=year))


def is_working_day(day: date) -> bool:
    """Tell whether a day is a working day (jour ouvré): Monday to Friday, not a holiday of metropolitan France."""
    return day.weekday() < 5 and day not in _holidays(day.year)


def add_working_days(start: date, count: int) -> date:
    """Given a day and a count, return the last day of the delay; the day itself does not count."""
    day = start
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


def add_months(start: date, count: int) -> date:
    """Given a day and a count of months, return the same day of that month, or its last day (31 January + 1)."""
    month = start.month - 1 + count
    year, month = start.year + month // 12, month % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def due_date(delai: Delai, start: date) -> date:
    """Given a clock and the day it starts, return its last day."""
    if delai.unite == "jours_ouvres":
        return add_working_days(start, delai.duree)
    return add_months(start, delai.duree) if delai.unite == "mois" else start + timedelta(days=delai.duree)


@dataclass(frozen=True)
class Echeance:
    """A clock of one report: its last day, when it stopped (None: it runs), and whether that is late ``today``."""

    delai: Delai
    limite: date
    atteinte: date | None
    retard: bool
    proche: bool


def echeances(dispositif: str, milestones: dict[Milestone, date | None], today: date) -> list[Echeance]:
    """Given the regime of a report and the dates of its milestones, return its clocks that have started.

    Closing a report stops every clock: one that was not met in time stays late.
    """
    found = []
    closed = milestones.get("clos")
    for delai in DELAIS:
        start = milestones.get(delai.depart)
        if delai.dispositif != dispositif or start is None:
            continue
        reached = milestones.get(delai.arrivee) or closed
        limit = due_date(delai, start)
        late = (reached or today) > limit
        near = reached is None and not late and (limit - today).days <= 5
        found.append(Echeance(delai, limit, reached, late, near))
    return found
