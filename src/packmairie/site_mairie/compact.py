# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files: names that change with the content, stylesheets and pages without what nobody reads."""

from __future__ import annotations

import hashlib
import re


def hashed(name: str, content: bytes, extension: str) -> str:
    """Return a file name that changes with its content, so that browsers may keep it for ever."""
    return f"{name}-{hashlib.sha256(content).hexdigest()[:10]}.{extension}"


def compact(sheet: str) -> str:
    """Return a stylesheet without indentation and line ends."""
    return re.sub(r"\s*\n\s*", "", re.sub(r"(?<=[{;,:])\s+|\s+(?=[{}])", "", sheet).replace(";}", "}")) + "\n"


def squeeze(text: str) -> str:
    """Return HTML without the empty lines that templates leave."""
    return re.sub(r"\n\s*\n+", "\n", text)
