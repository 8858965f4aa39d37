# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archival system answers, read leniently: any version, any order, valid or not; decided on strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from packmairie.formats.xml import local, parse, text_of

MAX_BYTES = 50 * 1024 * 1024
ACCEPTED = ("OK", "WARNING", "000")
"""Vitam's words, and the 000 of SEDA 1.0 that as@lae still writes. Anything else accepts nothing."""


class Kind(StrEnum):
    """What a message is."""

    ACKNOWLEDGEMENT = "accusé de réception"
    REPLY = "réponse au versement"


@dataclass(frozen=True)
class Reply:
    """A message of the archival system: what it answers to, its word, and what it gives as reason.

    ``granted`` is true only for a reply, to a transfer, that accepts it.
    """

    kind: Kind
    request: str
    code: str
    date: str
    reasons: tuple[str, ...] = ()

    @property
    def granted(self) -> bool:
        """Tell whether the archives are taken in charge: originals may then be purged, and only then."""
        return self.kind is Kind.REPLY and self.code in ACCEPTED


def read_reply(content: bytes) -> Reply:
    """Given the bytes of a message, return it. Raise ValueError when it is no reply of an archival system."""
    root = parse(content, MAX_BYTES)
    name = local(root)
    if name in ("Acknowledgement", "ArchiveTransferAcknowledgement"):
        kind = Kind.ACKNOWLEDGEMENT
    elif name in ("ArchiveTransferReply", "ArchiveTransferAcceptance"):
        kind = Kind.REPLY
    else:
        raise ValueError(f"« {name[:40]} » n'est ni un accusé de réception ni une réponse au versement")
    request = ""
    for candidate in ("MessageReceivedIdentifier", "MessageRequestIdentifier", "TransferIdentifier"):
        request = request or text_of(root, candidate)
    code = text_of(root, "ReplyCode").upper()
    if not code and kind is Kind.REPLY:
        code = text_of(root, "Operation", "Event", "Outcome").upper()
    return Reply(kind, request, re.sub(r"\s+", " ", code)[:40], text_of(root, "Date")[:40], _reasons(root))


def _reasons(root: Any) -> tuple[str, ...]:
    """Return what the message says of failures, at any depth, each once and in order, twenty at most."""
    found: list[str] = []
    for element in root.iter():
        if local(element) in ("OutcomeDetailMessage", "Comment") and element.text:
            parent = element.getparent()
            outcome = text_of(parent, "Outcome") if parent is not None else ""
            if local(element) == "Comment" or outcome.upper() in ("KO", "FATAL", "WARNING"):
                found.append(re.sub(r"\s+", " ", element.text).strip()[:300])
    return tuple(dict.fromkeys(text for text in found if text))[:20]
