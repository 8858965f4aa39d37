# SPDX-License-Identifier: GPL-3.0-or-later
"""The author's number and code, and other secrets that a person copies by hand.

The number (40 bits, public) finds the report; the code (80 bits) opens it. CNIL's recommendation of 2022 on passwords
asks for 80 bits where a secret is alone. Letters are those of Crockford's base 32: no I, L, O, U.
"""

from __future__ import annotations

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 8
CODE_LENGTH = 16
RECOVERY_LENGTH = 28
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_SEPARATORS = re.compile(r"[\s\-–—.·_]+")


def draw(length: int) -> str:
    """Return ``length`` random letters (5 bits each)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def groups(text: str) -> str:
    """Given a number or a code, return it in groups of four: ``ABCD-EFGH``."""
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def read(text: str, length: int) -> str | None:
    """Given what a person typed, return the letters it means, or None when it cannot be a code of that length.

    Case, spaces and dashes do not matter; O is read as 0, I and L as 1.
    """
    letters = _SEPARATORS.sub("", text).upper().translate(_ALIKE)
    return letters if len(letters) == length and all(letter in ALPHABET for letter in letters) else None
