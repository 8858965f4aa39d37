# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences that sum up a report, for someone who will read nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from packmairie.model.preuve import State
from packmairie.reports.status_report import Section, StatusReport
from packmairie.reports.wording import alphabetical_key, count, enumeration, thousands

NAMED_COMMUNES = 5


def counts_words(counts: Mapping[State, int], *, feminine: bool = False) -> str:
    """Given numbers by state, return ``3 conformes, 1 non conforme``; states that nothing is in are left out.

    ``feminine`` agrees the words with communes rather than with checks.
    """
    unverified = "non vérifiée" if feminine else "non vérifié"
    words = {State.CONFORME: "conforme", State.NON_CONFORME: "non conforme", State.NON_VERIFIE: unverified}
    shown = [count(counts[state], words[state]) for state in State if counts.get(state, 0)]
    return ", ".join(shown) or ("aucune vérifiée" if feminine else "aucun contrôle")


def fleet_sentence(report: StatusReport) -> str:
    """Given a report, return one sentence on all its communes."""
    sections = report.commune_sections
    if not sections:
        return "Ce rapport ne porte sur aucune commune."
    if len(sections) == 1:
        return f"{sections[0].name} : {section_sentence(sections[0])}"
    counts = report.commune_counts
    if counts[State.CONFORME] == len(sections):
        checks = sum(len(section.preuves) for section in sections)
        return f"Tout fonctionne dans les {thousands(len(sections))} communes : {count(checks, 'contrôle')} conformes."
    parts = []
    if counts[State.CONFORME]:
        verb = "fonctionne" if counts[State.CONFORME] == 1 else "fonctionnent"
        parts.append(f"{thousands(counts[State.CONFORME])} {verb} entièrement")
    if counts[State.NON_CONFORME]:
        verb = "a" if counts[State.NON_CONFORME] == 1 else "ont"
        named = _named(report, State.NON_CONFORME)
        parts.append(f"{thousands(counts[State.NON_CONFORME])} {verb} au moins un point à corriger{named}")
    if counts[State.NON_VERIFIE]:
        one, several = "n'a pas pu être entièrement vérifiée", "n'ont pas pu être entièrement vérifiées"
        words = one if counts[State.NON_VERIFIE] == 1 else several
        parts.append(f"{thousands(counts[State.NON_VERIFIE])} {words}{_named(report, State.NON_VERIFIE)}")
    return f"Sur {thousands(len(sections))} communes, {enumeration(parts)}."


def platform_sentence(report: StatusReport) -> str:
    """Given a report, return one sentence on the platform; empty when the run did not check it."""
    platform = report.platform
    if platform is None:
        return ""
    if platform.state is State.CONFORME:
        return "La plateforme partagée fonctionne."
    if platform.state is State.NON_CONFORME:
        points = count(platform.counts[State.NON_CONFORME], "point")
        return f"La plateforme partagée a {points} à corriger, ce qui peut toucher toutes les communes."
    return "La plateforme partagée n'a pas pu être entièrement vérifiée."


def section_sentence(section: Section) -> str:
    """Given a section, return its situation in one plain sentence."""
    counts = section.counts
    if not section.preuves:
        return "aucun contrôle n'a été fait."
    if section.state is State.CONFORME:
        if len(section.preuves) == 1:
            return "tout fonctionne, le seul contrôle fait est conforme."
        return f"tout fonctionne, les {thousands(len(section.preuves))} contrôles sont conformes."
    parts = []
    if counts[State.NON_CONFORME]:
        parts.append(f"{count(counts[State.NON_CONFORME], 'point')} à corriger")
    if counts[State.NON_VERIFIE]:
        parts.append(f"{count(counts[State.NON_VERIFIE], 'point')} à vérifier de nouveau")
    done = counts[State.CONFORME]
    rest = f"{count(done, 'contrôle')} {'conforme' if done < 2 else 'conformes'} sur {thousands(len(section.preuves))}"
    return f"{enumeration(parts)} ; {rest}."


def _named(report: StatusReport, state: State) -> str:
    names = sorted((s.name for s in report.commune_sections if s.state is state), key=alphabetical_key)
    return f" ({enumeration(names)})" if len(names) <= NAMED_COMMUNES else ""
