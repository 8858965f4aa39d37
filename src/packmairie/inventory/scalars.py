# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unquoted YAML word means (YAML 1.1, as Ansible reads it, without its rarest forms)."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {
    spelling: value
    for word, value in (("true", True), ("yes", True), ("on", True), ("false", False), ("no", False), ("off", False))
    for spelling in (word, word.capitalize(), word.upper())
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_FIRST = frozenset("0123456789+-~nNtTfFyYoO")


def plain_value(text: str) -> Any:
    """Given an unquoted scalar, return None, a bool, an int, a float, a date, or the text itself."""
    if text and text[0] not in _FIRST:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text


def starts_with_zero(text: str) -> bool:
    """Tell whether an unquoted scalar is a number with leading zeros, which YAML 1.1 reads in base eight."""
    return text[:1] in ("0", "-", "+") and _LEADING_ZERO.fullmatch(text) is not None
