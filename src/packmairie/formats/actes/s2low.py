# SPDX-License-Identifier: GPL-3.0-or-later
"""What S²LOW is sent and answers, as its HTTP interface writes it: texts in ISO-8859-1, ``OK`` or ``KO`` first."""

from __future__ import annotations

from dataclasses import dataclass

from packmairie.formats.actes.act import Act

STATUSES = {
    -1: "erreur",
    0: "annulé",
    1: "posté",
    2: "en attente de transmission",
    3: "transmis",
    4: "acquittement reçu",
    5: "validé",
    7: "document reçu",
    8: "accusé envoyé",
    12: "envoyé au SAE",
    13: "archivé par le SAE",
    14: "erreur d'archivage",
    16: "détruit",
    17: "en attente de la confirmation de l'agent",
    18: "en attente de signature",
    19: "en attente d'envoi au SAE",
    20: "erreur d'envoi au SAE",
    21: "reçu, sans accusé",
    22: "documents indisponibles",
}
WAITING, ACKNOWLEDGED, FAILED, CANCELLED = 17, 4, -1, 0


@dataclass(frozen=True)
class Status:
    """The status of a transaction, and what came with it: the ARActe when acknowledged, the message when failed."""

    code: int
    detail: bytes = b""

    @property
    def label(self) -> str:
        """The words of the status."""
        return STATUSES.get(self.code, f"statut {self.code}")


def create_fields(act: Act) -> dict[str, str | list[str]]:
    """Return the fields of the creation of a transaction, which waits for the agent's confirmation.

    ``type_acte`` and ``type_pj[]`` are always sent: S²LOW refuses without them, its defaults being out of reach.
    """
    levels = act.matiere.split(".")
    fields: dict[str, str | list[str]] = {
        "api": "1",
        "nature_code": str(act.nature),
        "number": act.number,
        "subject": act.subject,
        "decision_date": act.day.isoformat(),
        **{f"classif{number}": code for number, code in enumerate(levels, start=1)},
        "type_acte": act.document.type,
        "document_papier": "1" if act.on_paper else "0",
        "en_attente": "1",
    }
    if act.annexes:
        fields["type_pj[]"] = [annex.type for annex in act.annexes]
    return fields


def read_answer(content: bytes) -> tuple[bool, str]:
    """Given the answer to a request, return (accepted, what follows). Raise ValueError for anything else."""
    text = content.decode("iso-8859-1")
    word, _newline, rest = text.lstrip("\ufeff").partition("\n")
    if word.strip() not in ("OK", "KO"):
        raise ValueError(f"réponse inattendue : {text[:80]!r}")
    return word.strip() == "OK", rest.strip()


def read_status(content: bytes) -> Status:
    """Given the answer about a transaction, return its status. Raise ValueError when S²LOW refuses or says nothing."""
    word, _newline, rest = content.partition(b"\n")
    if word.strip() != b"OK":
        _good, reason = read_answer(content)
        raise ValueError(reason or "refus sans motif")
    code, _newline, detail = rest.partition(b"\n")
    try:
        return Status(int(code.strip()), detail.strip())
    except ValueError:
        raise ValueError(f"statut illisible : {code[:40]!r}") from None
