# SPDX-License-Identifier: GPL-3.0-or-later
"""From the name of a commune to words without accents, and to a DNS label."""

from __future__ import annotations

import re
import unicodedata

MAX_LABEL = 63
"""Longest DNS label, octets (RFC 1035 §2.3.4)."""

# Unicode decomposition leaves these letters whole, so they need their own spelling.
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"})
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")


def fold(text: str) -> str:
    """Given any text, return its words in lower case, without accents or ligatures, one space apart.

    « Œuf-en-Ternois » gives ``oeuf en ternois``. The result may be empty.
    """
    lowered = unicodedata.normalize("NFKD", text).casefold().translate(_LIGATURES)
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(letter))
    return _NOT_A_WORD.sub(" ", bare).strip()


def slug(name: str) -> str:
    """Given a name, return a valid DNS label made from it: ASCII, lower case, at most 63 octets.

    The label never has two hyphens in a row, so it cannot be mistaken for an
    internationalised one (RFC 5891 §4.2.3.1). Raise ValueError when the name has
    no letter or digit to keep.
    """
    label = fold(name).replace(" ", "-")[:MAX_LABEL].rstrip("-")
    if not label:
        raise ValueError(f"aucune lettre à garder dans « {name} »")
    return label


def with_suffix(label: str, suffix: str) -> str:
    """Given a label and a suffix (``59``), return ``label-59``, shortening the label so that all fits in 63 octets."""
    return f"{label[: MAX_LABEL - len(suffix) - 1].rstrip('-')}-{suffix}"
