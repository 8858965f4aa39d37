# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of an act, as the exchange accepts it: ``[0-9A-Z_]{2,15}``; and what to write when it is not."""

from __future__ import annotations

import re
import unicodedata

NUMBER = re.compile(r"[0-9A-Z_]{2,15}")
DOCUMENT_WORDS = re.compile(r"(?i)\b(d[ée]lib[ée]ration|arr[êe]t[ée]|d[ée]cision|n[°ºo]\.?|num[ée]ro)(?=[\s\d]|$)")


def is_number(text: str) -> bool:
    """Tell whether a text may be the number of an act."""
    return NUMBER.fullmatch(text) is not None


def propose_number(text: str) -> str:
    """Given a number as it is written at the mairie (``n° 2026-017 bis``), return one that is accepted.

    The answer is empty when nothing can be made of it. What is too long loses its separators, then its beginning: the
    end of a number is what tells two acts apart.
    """
    # What is a number already has no word before it: « NO12 » is a series of its own.
    plain = text if is_number(text) else DOCUMENT_WORDS.sub(" ", text)
    flat = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode("ascii").upper()
    joined = re.sub(r"[^0-9A-Z]+", "_", flat).strip("_")
    if len(joined) > 15:
        joined = joined.replace("_", "")[-15:]
    return joined if is_number(joined) else ""
