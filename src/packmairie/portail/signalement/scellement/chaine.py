# SPDX-License-Identifier: GPL-3.0-or-later
"""A log whose every line holds the digest of the line before: none can be changed or removed unseen, except the last.

The digest of the last line, printed with each bilan and each export, closes that gap for what came before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

START = "0" * 64


@dataclass(frozen=True)
class Link:
    """One line of the log. ``number`` counts from 1 in its chain; ``when`` is ISO 8601."""

    number: int
    when: str
    actor: str
    action: str
    subject: str
    details: str
    previous: str
    digest: str


def digest(  # noqa: PLR0917 - the fields of a line, in the order that is hashed
    number: int, when: str, actor: str, action: str, subject: str, details: str, previous: str
) -> str:
    """Return the SHA-256 of a line, in hexadecimal, over an unambiguous writing of its fields."""
    text = json.dumps([number, when, actor, action, subject, details, previous], ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def first_fault(links: Iterable[Link]) -> int | None:
    """Given the lines of a chain in order, return the number of the first one that does not fit, or None."""
    previous = START
    for expected, link in enumerate(links, start=1):
        fits = link.number == expected and link.previous == previous
        written = digest(link.number, link.when, link.actor, link.action, link.subject, link.details, link.previous)
        if not fits or written != link.digest:
            return expected
        previous = link.digest
    return None
