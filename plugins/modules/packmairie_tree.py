#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a set of files on the host equal to a wished tree, in one execution."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packmairie_tree
short_description: Make a host's files equal to a wished tree, all communes at once
description:
  - Compares every wished file with the host's copy, replaces what differs atomically,
    removes what the tree owned and no longer wants, and says which commune each change belongs to.
  - Nothing is replaced when a validation command refuses one of the new files.
  - Called through the action plugin of the same name, which renders the files on the controller
    and sends only the content that the host lacks.
options:
  tree:
    description: Name of the tree; the list of the files it owns is kept on the host under this name.
    type: str
    required: true
  files:
    description: The wished files, with C(path), C(mode), C(owner), C(group), C(secret), C(once), C(shared),
      C(binary) (octets that are no text, in one part) and C(parts), each with C(commune), C(sha256), and
      C(content) (zlib, base64) where the host asked for it.
    type: list
    elements: dict
    required: true
  communes:
    description: The communes that this run is about; files and parts of others are left alone. Empty means all.
    type: list
    elements: str
    default: []
  directories:
    description: Directories to create with other attributes than root, 0755.
    type: list
    elements: dict
    default: []
  exclusive:
    description: Directories in which nothing else may stand; other files there are removed.
    type: list
    elements: path
    default: []
  validate:
    description: Validation command by path; C(%s) is the new file, not yet in place.
    type: dict
    default: {}
  check:
    description: Commands run once the files are in place, for configurations that read one another; when one
      refuses, every file is put back as it was.
    type: list
    elements: str
    default: []
  phase:
    description: C(inspect) only says what differs, C(apply) also does it.
    type: str
    choices: [inspect, apply]
    required: true
author:
  - packmairie
"""

EXAMPLES = r"""
- name: Lay the mail maps of every commune
  packmairie_tree:
    tree: postfix
    exclusive: [/etc/postfix/communes]
"""

RETURN = r"""
changes:
  description: One entry a file or part of a file that changed, with action, path, commune and detail.
  type: list
  returned: always
wanted:
  description: The paths whose content the host needs (phase inspect).
  type: list
  returned: when phase is inspect
leaving:
  description: The communes of which something stands on the host and is no longer wished (phase inspect).
  type: list
  returned: when phase is inspect
"""

import base64
import contextlib
import json
import os
import re
import shlex
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.packmairie_comparison import TreeComparison
from ansible.module_utils.packmairie_files import (
    TEMPORARY_PREFIX,
    make_folder,
    owner_ids,
    read,
    reason_of,
    restore,
    snapshot,
    sync_folder,
    write_beside,
)
from ansible.module_utils.packmairie_parts import (
    PLATFORM_PART,
    SECRET_TEXT,
    describe,
    describe_bytes,
    join_parts,
    split_parts,
)


class TreeRun(TreeComparison):
    """One comparison, and one application, of a tree."""

    def __init__(self, module):
        super().__init__(module)
        self.changes = []
        self.diffs = []

    def assemble(self, wish):
        """Return what to write: the wished parts, and the host's own for communes not selected."""
        contents = {}
        for part in wish["parts"]:
            if not self.selected(part.get("commune")):
                continue
            if part.get("content") is None:
                self.module.fail_json(msg="{} : contenu non reçu, le fichier a changé entre-temps".format(wish["path"]))
            name = part.get("commune") or PLATFORM_PART
            raw = zlib.decompress(base64.b64decode(part["content"]))
            if wish.get("binary"):
                return raw
            contents[name] = raw.decode("utf-8")
        if not wish["shared"]:
            return "".join(contents.values())
        current = split_parts((read(wish["path"]) or b"").decode("utf-8", "replace"))
        kept = {name: text for name, text in current.items() if name is not None and not self.selected(name)}
        return join_parts({**kept, **contents})

    def record(self, path, after):
        """Note the changes of one file, with a diff unless it is secret."""
        wish = self.files[path]
        current = read(path)
        if wish.get("binary"):
            before, after = (None if raw is None else describe_bytes(raw) for raw in (current, after))
        else:
            before = None if current is None else current.decode("utf-8", "replace")
        self.changes.extend(describe(wish, before, after))
        shown = ("", after) if before is None else (before, after)
        if wish["secret"]:
            shown = ("" if before is None else SECRET_TEXT + "\n", SECRET_TEXT + " : nouveau\n")
        self.diffs.append({"before_header": path, "after_header": path, "before": shown[0], "after": shown[1]})

    def mend_folders(self, folders):
        """Create the wished directories and set their attributes."""
        for wish in folders:
            make_folder(wish["path"])
            self.set_attributes(wish["path"], wish)

    def set_attributes(self, path, wish):
        """Set owner, group and mode; fail with the name of a user or group that does not exist."""
        uid, gid = owner_ids(wish)
        if uid is None or gid is None:
            self.module.fail_json(
                msg="{} : l'utilisateur {} ou le groupe {} n'existe pas".format(
                    path, wish.get("owner"), wish.get("group")
                )
            )
        os.chown(path, uid, gid, follow_symlinks=False)
        os.chmod(path, int(wish["mode"], 8))

    def stage(self, path, text):
        """Write a new file beside its destination, synced, with its final attributes; return the temporary path."""
        if os.path.isdir(path) and not os.path.islink(path):
            self.module.fail_json(msg=f"{path} : un dossier occupe la place de ce fichier, rien n'a été remplacé")
        make_folder(os.path.dirname(path))
        content = text if isinstance(text, bytes) else text.encode("utf-8")
        try:
            return write_beside(path, content, lambda temporary: self.set_attributes(temporary, self.files[path]))
        except OSError as error:
            self.module.fail_json(msg=f"rien n'a été remplacé ; {path} : {reason_of(error)}")

    def check(self, path, temporary):
        """Return the reason why the validation command refuses a staged file, or None."""
        command = self.params["validate"].get(path)
        if not command:
            return None
        code, out, err = self.module.run_command([part.replace("%s", temporary) for part in shlex.split(command)])
        return None if code == 0 else f"{path} : refusé par « {command} » : {(err or out).strip()[-2000:]}"

    def replace(self, contents, leftovers):
        """Stage and validate everything, put it in place, and put it all back if the whole is then refused."""
        before = {path: snapshot(path) for path in [*contents, *leftovers]}
        staged = {}
        try:
            for path, text in contents.items():
                staged[path] = self.stage(path, text)
            refusals = [reason for reason in (self.check(path, new) for path, new in staged.items()) if reason]
            if refusals:
                self.module.fail_json(msg="rien n'a été remplacé ; " + " ; ".join(refusals))
            for path in list(staged):
                os.replace(staged[path], path)
                del staged[path]
        finally:
            for temporary in staged.values():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
        for path in leftovers:
            os.unlink(path)
        for folder in {os.path.dirname(path) for path in before}:
            if os.path.isdir(folder):
                sync_folder(folder)
        for command in self.params["check"]:
            code, out, err = self.module.run_command(shlex.split(command))
            if code != 0:
                restore(before)
                reason = (err or out).strip()[-2000:]
                self.module.fail_json(msg=f"tout a été remis comme avant ; « {command} » refuse : {reason}")
        for path in leftovers:
            self.prune(os.path.dirname(path))

    def prune(self, folder):
        """Remove what has become an empty folder below an exclusive one: to some services its name alone says much."""
        wished = {wish["path"] for wish in self.params["directories"]}
        while folder not in wished and any(
            folder.startswith(root.rstrip("/") + "/") for root in self.params["exclusive"]
        ):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    def save_state(self):
        """Remember what the tree owns, atomically."""
        # A run about some communes removes nothing of the platform's: what it does not carry is still owned.
        partial = bool(self.params["communes"])
        owned = {
            path: commune
            for path, commune in self.owned_before().items()
            if not self.selected(commune) or (partial and commune is None)
        }
        for path, wish in self.files.items():
            commune = None if wish["shared"] else wish["parts"][0].get("commune")
            if not wish["once"] and self.selected(commune):
                owned[path] = commune
        content = json.dumps({"owned": owned}, indent=0, sort_keys=True).encode()
        if read(self.state_path) == content:
            return
        make_folder(os.path.dirname(self.state_path))
        os.replace(write_beside(self.state_path, content), self.state_path)

    def stale_temporaries(self):
        """Return what an interrupted run left beside the wished files."""
        folders = {os.path.dirname(path) for path in self.files}
        return [
            os.path.join(folder, name)
            for folder in folders
            if os.path.isdir(folder)
            for name in os.listdir(folder)
            if name.startswith(TEMPORARY_PREFIX)
        ]

    def run(self):
        """Compare, and apply when asked to; return the module's result."""
        self.compare()
        leftovers = self.leftovers()
        folders = self.folders_to_mend()
        changed = bool(self.wanted or self.attributes_only or leftovers or folders)
        if self.params["phase"] == "inspect":
            if not changed and not self.module.check_mode:
                # A host that lost its list is as wished all the same; without it, a later removal would be missed.
                self.save_state()
            return {"changed": changed, "wanted": self.wanted, "changes": [], "leaving": self.leaving(leftovers)}
        contents = {path: self.assemble(self.files[path]) for path in self.wanted}
        for path, text in contents.items():
            self.record(path, text)
        for path in self.attributes_only:
            wish = self.files[path]
            commune = None if wish["shared"] else wish["parts"][0].get("commune")
            detail = "droits {} {}:{}".format(wish["mode"], wish["owner"], wish["group"])
            self.changes.append({"action": "update", "path": path, "commune": commune, "detail": detail})
        for path, commune in leftovers.items():
            self.changes.append({"action": "delete", "path": path, "commune": commune, "detail": ""})
        for wish in folders:
            self.changes.append(
                {
                    "action": "update" if os.path.isdir(wish["path"]) else "create",
                    "path": wish["path"],
                    "commune": None,
                    "detail": "dossier, droits {}".format(wish["mode"]),
                }
            )
        if not self.module.check_mode:
            self.mend_folders(folders)
            for path in self.stale_temporaries():
                os.unlink(path)
            self.replace(contents, leftovers)
            for path in self.attributes_only:
                self.set_attributes(path, self.files[path])
            self.save_state()
        return {"changed": changed, "changes": self.changes, "diff": self.diffs}


class TreeModule(AnsibleModule):
    """Ansible's module, which would otherwise write its arguments (keys and passwords among them) to the host's log."""

    def _log_invocation(self):
        self.log("Invoked with tree={tree} phase={phase}".format(**self.params))

    def _return_formatted(self, kwargs):
        # Ansible prints a module's whole answer with -vvv, and the arguments would be part of it.
        kwargs.setdefault("invocation", {})
        super()._return_formatted(kwargs)


def main():
    """Entry point."""
    module = TreeModule(
        argument_spec={
            "tree": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "dict", "required": True, "no_log": False},
            "communes": {"type": "list", "elements": "str", "default": []},
            "directories": {"type": "list", "elements": "dict", "default": []},
            "exclusive": {"type": "list", "elements": "path", "default": []},
            "validate": {"type": "dict", "default": {}},
            "check": {"type": "list", "elements": "str", "default": []},
            "phase": {"type": "str", "choices": ["inspect", "apply"], "required": True},
        },
        supports_check_mode=True,
    )
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", module.params["tree"]):
        module.fail_json(msg="nom d'arbre invalide : {}".format(module.params["tree"]))
    try:
        result = TreeRun(module).run()
    except OSError as error:
        module.fail_json(msg="arbre {} : {} : {}".format(module.params["tree"], error.filename, reason_of(error)))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
