# SPDX-License-Identifier: GPL-3.0-or-later
"""The classification that the préfecture serves to each authority, dated: natures, types of documents, matières."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from packmairie.formats.xml import local, parse

MAX_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class Nature:
    """A nature of acts: its code, label, two letters, and the types of documents that it admits (code → label)."""

    code: int
    label: str
    letters: str
    types: dict[str, str]

    @property
    def main_type(self) -> str:
        """The type of the act itself: the one that begins with 99."""
        return next((code for code in self.types if code.startswith("99_")), "")


@dataclass(frozen=True)
class Classification:
    """A dated classification. ``matieres`` maps ``7.1`` to its label; every level that exists has its line."""

    day: date
    natures: dict[int, Nature]
    matieres: dict[str, str]


def read_classification(content: bytes) -> Classification:
    """Given the bytes of a RetourClassification, return it. Raise ValueError when it is not one."""
    root = parse(content, MAX_BYTES)
    if local(root) != "RetourClassification":
        raise ValueError(f"« {local(root)[:40]} » n'est pas une classification (RetourClassification)")
    texts = [(local(element), (element.text or "").strip()) for element in root.iter()]
    day = next((text for name, text in texts if name == "DateClassification"), "")
    try:
        dated = date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"date de classification « {day[:20]} » illisible") from None
    natures = {}
    for element in root.iter():
        if local(element) == "NatureActe":
            code = _attribute(element, "CodeNatureActe")
            if code.isdigit():
                types = {
                    _attribute(below, "CodeTypePJ"): _attribute(below, "Libelle")
                    for below in element
                    if local(below) == "TypePJNatureActe"
                }
                natures[int(code)] = Nature(
                    int(code), _attribute(element, "Libelle"), _attribute(element, "TypeAbrege"), types
                )
    matieres = dict(_matieres(root))
    if not natures or not matieres:
        raise ValueError("classification sans nature ou sans matière")
    return Classification(dated, natures, matieres)


def _attribute(element: Any, name: str) -> str:
    """Return an attribute by its local name: some platforms write it without its prefix."""
    for key, value in element.attrib.items():
        if re.sub(r"^\{[^}]*\}", "", str(key)) == name:
            return str(value).strip()
    return ""


def _matieres(root: Any) -> list[tuple[str, str]]:
    found = []
    waiting = [(element, "") for element in root.iter() if local(element) == "Matiere1"]
    while waiting:
        element, above = waiting.pop(0)
        code = _attribute(element, "CodeMatiere")
        if not code.isdigit():
            continue
        path = f"{above}.{code}" if above else code
        found.append((path, _attribute(element, "Libelle")))
        waiting += [(below, path) for below in element if re.fullmatch(r"Matiere[2-5]", local(below))]
    return found
