# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host differs from the tree of files wished for it: what is missing, other, or too much. Changes nothing."""

from __future__ import annotations

import json
import os

from ansible.module_utils.packmairie_files import TEMPORARY_PREFIX, attributes_differ, read
from ansible.module_utils.packmairie_parts import PLATFORM_PART, digest, digest_of_bytes, split_parts

STATE_FOLDER = "/var/lib/packmairie/trees"


class TreeComparison:
    """A tree of files as it is wished, beside the host as it stands."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.files = {wish["path"]: wish for wish in self.params["files"]}
        self.state_path = os.path.join(STATE_FOLDER, self.params["tree"] + ".json")
        self.wanted = []
        self.attributes_only = []

    def owned_before(self):
        """Return {path: commune} of what this tree owned after its last run."""
        content = read(self.state_path)
        if content is None:
            return {}
        try:
            return json.loads(content)["owned"]
        except (ValueError, KeyError):
            self.module.warn("l'état de l'arbre {} est illisible, il est refait".format(self.params["tree"]))
            return {}

    def selected(self, commune):
        """Tell whether this run is about this commune (the platform's own files always are)."""
        return not self.params["communes"] or commune in (None, PLATFORM_PART) or commune in self.params["communes"]

    def compare(self):
        """Find the files whose content or attributes differ, part by part for shared files."""
        for path, wish in self.files.items():
            current = read(path)
            if not wish["shared"] and not self.selected(wish["parts"][0].get("commune")):
                continue
            if current is not None and wish["once"]:
                continue
            if current is None or os.path.islink(path) or self.content_differs(wish, current):
                self.wanted.append(path)
            elif attributes_differ(path, wish):
                self.attributes_only.append(path)

    def content_differs(self, wish, current):
        """Compare the digests of the parts that this run is about."""
        if wish.get("binary"):
            return digest_of_bytes(current) != wish["parts"][0]["sha256"]
        try:
            text = current.decode("utf-8")
        except UnicodeDecodeError:
            return True
        if not wish["shared"]:
            return digest(text) != wish["parts"][0]["sha256"]
        old = {name: digest(content) for name, content in split_parts(text).items()}
        new = {part.get("commune") or PLATFORM_PART: part["sha256"] for part in wish["parts"]}
        names = [name for name in {**old, **new} if self.selected(name)]
        return any(old.get(name) != new.get(name) for name in names)

    def leftovers(self):
        """Return {path: commune} of the files to remove: owned before, or standing in an exclusive folder.

        A run about some communes carries nothing of the others: it removes only what those that it is about owned.
        """
        owned = self.owned_before()
        if self.params["communes"]:
            return {
                path: commune
                for path, commune in sorted(owned.items())
                if commune in self.params["communes"] and path not in self.files and os.path.lexists(path)
            }
        gone = {path: commune for path, commune in owned.items() if path not in self.files and os.path.lexists(path)}
        for folder in self.params["exclusive"]:
            for parent, folders, names in os.walk(folder):
                links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
                for name in [*names, *links]:
                    path = os.path.join(parent, name)
                    if path not in self.files and not name.startswith(TEMPORARY_PREFIX):
                        gone[path] = owned.get(path)
        return {path: gone[path] for path in sorted(gone)}

    def leaving(self, leftovers):
        """Return the communes of which a file or a part stands here and is no longer wished."""
        found = {commune for commune in leftovers.values() if commune}
        for path in self.wanted:
            wish = self.files[path]
            if wish["shared"]:
                present = split_parts((read(path) or b"").decode("utf-8", "replace"))
                wished = {part.get("commune") for part in wish["parts"]}
                found |= {name for name in present if name and name not in wished and self.selected(name)}
        return sorted(found - {PLATFORM_PART})

    def folders_to_mend(self):
        """Return the wished directories that are absent or have other attributes."""
        return [
            wish
            for wish in self.params["directories"]
            if not os.path.isdir(wish["path"]) or attributes_differ(wish["path"], wish)
        ]
