# SPDX-License-Identifier: GPL-3.0-or-later
"""An act to be sent to the control of legality, and everything that would have it refused, said before it leaves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from packmairie.formats.actes.classification import Classification
from packmairie.formats.actes.number import is_number, propose_number
from packmairie.formats.findings import Finding, Level, Report, report

MAX_ARCHIVE = 150 * 1024 * 1024
"""Octets of the act with its annexes that S²LOW takes (ACTES_ARCHIVE_MAX_SIZE)."""
MAX_SUBJECT = 499
RETURN_ADDRESS = re.compile(r"[_a-zA-Z0-9\-]+(\.[_a-zA-Z0-9\-]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*\.[a-zA-Z]{2,6}")
"""The exchange's own rule (actesv1_1.xsd): neither « + » nor an ending of more than six letters."""
SUBSTITUTES = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "–": "-",
        "—": "-",
        "…": "...",
        "œ": "oe",
        "Œ": "OE",
        "€": "EUR",
        "\u202f": " ",
        "\u2009": " ",
        "•": "-",
        "‑": "-",
    }
)
"""What typography has and ISO-8859-1 has not."""
NATURES = {
    "deliberation": 1,
    "délibération": 1,
    "arrêté réglementaire": 2,
    "réglementaire": 2,
    "arrêté individuel": 3,
    "individuel": 3,
    "contrat": 4,
    "convention": 4,
    "budget": 5,
    "autre": 6,
}


@dataclass(frozen=True)
class Attachment:
    """A file of an act: its name, its size in octets, its type of document, and what was seen of its content."""

    name: str
    size: int
    type: str
    faults: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Act:
    """An act as the mairie describes it. ``matiere`` is ``7.1`` or deeper; ``subject`` is on one line."""

    number: str
    nature: int
    matiere: str
    day: date
    subject: str
    document: Attachment
    annexes: tuple[Attachment, ...] = ()
    on_paper: bool = False
    lines: tuple[tuple[str, int], ...] = ()
    """Lines of the keys of the file that describes it."""

    def line(self, key: str) -> int:
        """Return the line of a key, 0 when unknown."""
        return dict(self.lines).get(key, 0)


@dataclass(frozen=True)
class Sender:
    """The authority that sends: SIREN, department on three characters, arrondissement, nature (31: commune)."""

    siren: str
    department: str
    arrondissement: str
    name: str
    address: str
    nature: str = "31"


def department_of(code: str) -> str:
    """Return a department's code on three characters, as the exchange wants it: ``62`` → ``062``."""
    return code.zfill(3)


def plain_subject(text: str) -> str:
    """Return a subject with what ISO-8859-1 lacks replaced by its usual substitute, spaces joined."""
    return re.sub(r"\s+", " ", text.translate(SUBSTITUTES)).strip()


def nature_of(text: str) -> int | None:
    """Return the code of a nature written as a number or in words, None when it is none."""
    word = str(text).strip().casefold()
    if word.isascii() and word.isdigit():
        return int(word)
    return NATURES.get(word)


def verify_act(act: Act, sender: Sender, classification: Classification | None, today: date) -> Report:
    """Given an act, its sender, the classification (None: not fetched) and the day, return what is wrong."""
    found: list[Finding] = []
    gaps: list[str] = []

    def tell(key: str, reason: str, remedy: str, level: Level = Level.ERREUR) -> None:
        found.append(Finding(act.line(key), key, reason, remedy, level))

    if not is_number(act.number):
        proposal = propose_number(act.number)
        remedy = f"écrire numero: {proposal}" if proposal else "2 à 15 majuscules, chiffres ou _"
        tell("numero", f"« {act.number[:40]} » : le numéro n'admet que majuscules, chiffres et _", remedy)
    if act.day > today:
        tell("date", f"{act.day:%d/%m/%Y} est dans le futur", "attendre ce jour, ou corriger la date")
    elif act.day < today - timedelta(days=365):
        tell("date", f"{act.day:%d/%m/%Y} a plus d'un an", "vérifier la date", Level.A_VERIFIER)
    _subject(act, tell)
    _documents(act, tell)
    if not RETURN_ADDRESS.fullmatch(sender.address):
        tell(
            "adresse", f"adresse de retour {sender.address} refusée par @CTES", "une adresse sans +, en .fr par exemple"
        )
    if classification is None:
        gaps.append("classification de la préfecture absente : packmairie teletransmission classification")
    else:
        _classified(act, classification, tell)
    return report(found, gaps)


def _subject(act: Act, tell: Any) -> None:
    if not act.subject:
        tell("objet", "objet vide", "écrire l'objet de l'acte")
    if len(act.subject) > MAX_SUBJECT:
        tell("objet", f"{len(act.subject)} caractères, {MAX_SUBJECT} au plus", "raccourcir")
    strange = sorted({character for character in act.subject if ord(character) > 255 or ord(character) < 32})
    if strange or any(127 <= ord(character) < 160 for character in act.subject):
        shown = " ".join(f"U+{ord(character):04X}" for character in strange[:5])
        tell("objet", f"caractère hors d'ISO-8859-1 ({shown})", "l'écrire autrement")


def _documents(act: Act, tell: Any) -> None:
    total = act.document.size + sum(annex.size for annex in act.annexes)
    if total > MAX_ARCHIVE:
        told = f"{total // 1024 // 1024} Mio avec les annexes, {MAX_ARCHIVE // 1024 // 1024} au plus"
        tell("document", told, "alléger les fichiers")
    for key, file in (("document", act.document), *(("annexes", annex) for annex in act.annexes)):
        for fault in file.faults:
            tell(key, f"{file.name} : {fault}", "refaire ce fichier")
        for doubt in file.doubts:
            tell(key, f"{file.name} : {doubt}", "vérifier ce fichier", Level.A_VERIFIER)


def _classified(act: Act, classification: Classification, tell: Any) -> None:
    nature = classification.natures.get(act.nature)
    if nature is None:
        known = ", ".join(f"{code} {item.label}" for code, item in sorted(classification.natures.items()))
        tell("nature", f"nature {act.nature} inconnue", f"écrire l'une de : {known}")
    else:
        for key, file in (("document", act.document), *(("annexes", annex) for annex in act.annexes)):
            if file.type not in nature.types:
                choice = ", ".join(sorted(nature.types)[:12])
                reason = f"{file.name} : type « {file.type} » hors de la nature {act.nature}"
                tell(key, reason, f"écrire type: {nature.main_type}, ou l'un de : {choice}")
    if act.matiere not in classification.matieres:
        tell(
            "matiere",
            f"« {act.matiere} » absente de la classification du {classification.day:%d/%m/%Y}",
            "la choisir dans « packmairie teletransmission classification »",
        )
    elif "." not in act.matiere:
        below = [code for code in classification.matieres if code.startswith(f"{act.matiere}.")]
        tell("matiere", "deux niveaux au moins", f"écrire l'une de : {', '.join(below[:12])}")
