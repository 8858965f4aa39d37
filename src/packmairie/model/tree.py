# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a shared host must have, each part knowing the commune it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

PLATFORM_PART = "plateforme"
"""Name of the part of a shared file that belongs to no commune."""


@dataclass(frozen=True)
class Part:
    """A run of whole lines of a file, belonging to one commune (INSEE code) or to nobody.

    With ``source``, the content is whatever octets that file of the controller holds: it is read when it is sent, and
    is then the only part of its file.
    """

    content: str
    commune: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class TreeFile:
    """One file wished on a host.

    ``path`` is absolute. A ``shared`` file carries a mark line before each part
    (``# >>> 62708``) so that the host's copy can be compared part by part, each change
    be attributed, and one commune be deployed without touching the others; every
    format used accepts ``#`` comments on their own line.
    ``secret`` content never leaves the module in a diff. ``once`` files are written
    when absent and then left to the service that owns them (a signed zone).
    """

    path: str
    parts: tuple[Part, ...]
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    once: bool = False
    shared: bool = False

    def text(self) -> str:
        """Return the whole content of the file, as it stands on the host when every commune is deployed."""
        if not self.shared:
            return "".join(part.content for part in self.parts)
        return "".join(f"# >>> {part.commune or PLATFORM_PART}\n{part.content}" for part in self.parts)

    def payload(self) -> dict[str, Any]:
        """Return the file as plain data, for the Ansible module."""
        return {
            "path": self.path,
            "parts": [
                {"commune": part.commune, "content": part.content} | ({"source": part.source} if part.source else {})
                for part in self.parts
            ],
            "binary": any(part.source for part in self.parts),
            "shared": self.shared,
            "mode": self.mode,
            "owner": self.owner,
            "group": self.group,
            "secret": self.secret,
            "once": self.once,
        }


@dataclass(frozen=True)
class Tree:
    """A named set of files for the hosts of one group, e.g. ``postfix`` for the group ``messagerie``."""

    name: str
    group: str
    files: tuple[TreeFile, ...]


def merge_trees(trees: Iterable[Tree]) -> dict[str, Tree]:
    """Given trees from every commune, return one tree per name with the parts of shared files joined in order.

    Raise ValueError when two contributors disagree on the owner or mode of a file:
    that is a fault of ours, not of the inventory.
    """
    groups: dict[str, str] = {}
    merged: dict[str, dict[str, tuple[TreeFile, list[Part]]]] = {}
    for tree in trees:
        if groups.setdefault(tree.name, tree.group) != tree.group:
            raise ValueError(f"tree {tree.name} is claimed by groups {groups[tree.name]} and {tree.group}")
        files = merged.setdefault(tree.name, {})
        for file in tree.files:
            known = files.get(file.path)
            if known is None:
                files[file.path] = (file, list(file.parts))
                continue
            first, parts = known
            if not file.shared or replace(first, parts=()) != replace(file, parts=()):
                raise ValueError(f"{file.path}: contributors disagree on what this file is")
            parts.extend(file.parts)
    return {
        name: Tree(
            name,
            groups[name],
            tuple(
                replace(first, parts=tuple(sorted(parts, key=lambda part: part.commune or "")))
                for _path, (first, parts) in sorted(files.items())
            ),
        )
        for name, files in merged.items()
    }
