# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a shared file, part by part: each part belongs to one commune. Pure functions, sent with the module."""

from __future__ import annotations

import difflib
import hashlib
import re

PART_MARK = re.compile(r"^# >>> (?P<commune>\S+)$")
PLATFORM_PART = "plateforme"
SECRET_TEXT = "(contenu secret)"


def split_parts(text):
    """Given a shared file's text, return {commune: content}; text before any mark belongs to nobody (``None``)."""
    parts = {}
    owner = None
    # Not splitlines: it also cuts at separators (form feed, U+2028 …) that no service takes for the end of a line.
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        mark = PART_MARK.match(line)
        if mark:
            owner = mark.group("commune")
            parts.setdefault(owner, "")
        else:
            parts[owner] = parts.get(owner, "") + line
    return parts


def join_parts(parts):
    """Given {commune: content}, return a shared file's text, the platform first, then communes by code."""
    names = sorted(parts, key=lambda name: (name is not None, name != PLATFORM_PART, name))
    return "".join((f"# >>> {name}\n" if name else "") + parts[name] for name in names)


def digest(text):
    """Return the SHA-256 of a text, hexadecimal."""
    return digest_of_bytes(text.encode("utf-8"))


def digest_of_bytes(raw):
    """Return the SHA-256 of octets, hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def describe_bytes(raw):
    """Return one line that stands for octets in a plan: their number, and enough of their digest to tell a change."""
    return f"({len(raw)} octets, empreinte {digest_of_bytes(raw)[:12]})\n"


def unified(before, after):
    """Return the changed lines of a text with one line of context, without file headers."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def describe(wish, before, after):
    """Given a wish and both texts (``before`` is None when absent), return the changes, one a part that differs."""
    if wish["shared"]:
        old, new = split_parts(before or ""), split_parts(after)
    else:
        name = wish["parts"][0].get("commune")
        old, new = ({} if before is None else {name: before}), {name: after}
    changes = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name in old and name in new and old[name] == new[name]:
            continue
        action = "update" if name in old and name in new else "create" if name in new else "delete"
        detail = SECRET_TEXT if wish["secret"] else unified(old.get(name, ""), new.get(name, ""))
        commune = None if name == PLATFORM_PART else name
        changes.append({"action": action, "path": wish["path"], "commune": commune, "detail": detail})
    return changes or [{"action": "update", "path": wish["path"], "commune": None, "detail": "ordre des parties"}]
