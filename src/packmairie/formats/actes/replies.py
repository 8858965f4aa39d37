# SPDX-License-Identifier: GPL-3.0-or-later
"""What the State answers, read leniently (some of it its own schema refuses), and compared strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from packmairie.formats.actes.act import Act, Sender
from packmairie.formats.xml import local, parse, text_of

MAX_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class Acknowledgement:
    """An ARActe: the identifier given to the act, the day of reception, and the act that it says to have received."""

    identifier: str
    received: str
    number: str
    day: str
    classified: str


@dataclass(frozen=True)
class Anomaly:
    """An AnomalieActe or AnomalieEnveloppe: its code and what it tells."""

    code: str
    detail: str


def read_state_reply(content: bytes) -> Acknowledgement | Anomaly:
    """Given the bytes of a message of the State about an act, return it. Raise ValueError when it is something else."""
    if not content.strip():
        raise ValueError("acquittement vide")
    root = parse(content, MAX_BYTES)
    name = local(root)
    if name == "ARActe":
        act = next((child for child in root if local(child) == "ActeRecu"), None)
        return Acknowledgement(
            attribute(root, "IDActe"),
            attribute(root, "DateReception"),
            attribute(act, "NumeroInterne"),
            attribute(act, "Date"),
            text_of(root, "ClassificationDateVersionEnCours"),
        )
    if name in ("AnomalieActe", "AnomalieEnveloppe"):
        return Anomaly(text_of(root, "Nature")[:10], re.sub(r"\s+", " ", text_of(root, "Detail"))[:500])
    raise ValueError(f"« {name[:40]} » n'est ni un acquittement ni une anomalie")


def attribute(element: Any, name: str) -> str:
    """Return an attribute by its local name, or nothing."""
    if element is None:
        return ""
    for key, value in element.attrib.items():
        if re.sub(r"^\{[^}]*\}", "", str(key)) == name:
            return str(value).strip()
    return ""


def mismatch(reply: Acknowledgement, act: Act, sender: Sender) -> str:
    """Return why an acknowledgement is not that of an act, or nothing: department, SIREN, day and number count."""
    wanted = f"{sender.department}-{sender.siren}-{act.day:%Y%m%d}-{act.number}-"
    if not reply.identifier.startswith(wanted):
        return f"identifiant {reply.identifier or 'absent'}, {wanted}… attendu"
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", reply.received):
        return "sans date de réception"
    if reply.number and reply.number != act.number:
        return f"numéro {reply.number}, {act.number} attendu"
    return ""
