# SPDX-License-Identifier: GPL-3.0-or-later
"""An act told by the name of its file: day, nature, number, subject matter, then what it is about.

``2026-11-20 délibération 2026_031 7.1 Budget supplémentaire.pdf``: a secretary drops one file, and writes nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from packmairie.formats.actes.act import nature_of

MODEL = "2026-11-20 délibération 2026_031 7.1 Budget supplémentaire.pdf"
_NAME = re.compile(
    r"(?P<jour>[0-9]{4}-[0-9]{2}-[0-9]{2}) +(?P<nature>\w+) +(?P<numero>[^\s]{2,40}) +"
    r"(?P<matiere>[1-9](?:\.[0-9]{1,2}){1,4}) +(?P<objet>\S.*)\.pdf",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class NamedAct:
    """What a name says; the number and the subject matter are judged with the classification, later."""

    day: date
    nature: str
    number: str
    matter: str
    subject: str


def read_name(name: str) -> NamedAct | None:
    """Given a file's name, return the act that it tells, None when it tells none."""
    found = _NAME.fullmatch(unicodedata.normalize("NFC", name))
    if found is None or nature_of(found["nature"]) is None:
        return None
    try:
        day = date.fromisoformat(found["jour"])
    except ValueError:
        return None
    return NamedAct(day, found["nature"], found["numero"], found["matiere"], found["objet"].strip())


def act_file(act: NamedAct, document: str) -> str:
    """Return the text of the ``acte.yml`` that says the same; every value is quoted, whatever it holds."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    values = {
        "nature": act.nature,
        "matiere": act.matter,
        "numero": act.number,
        "date": act.day.isoformat(),
        "objet": act.subject,
        "document": document,
    }
    return "".join(f"{key}: {quoted(value)}\n" for key, value in values.items())
