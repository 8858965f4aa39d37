# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that stands for a host, on which ``packmairie_tree`` is run as Ansible runs it."""

from __future__ import annotations

import base64
import getpass
import grp
import hashlib
import importlib.util
import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from packmairie.engines.first_look import LIBRARIES
from packmairie.model.tree import Part, TreeFile

SOURCE = Path(__file__).parents[2] / "plugins/modules/packmairie_tree.py"
OWNER, GROUP = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name


def load(name: str, path: Path):
    """Load a file of plugins/ under the name by which Ansible sends it."""
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


for companion in LIBRARIES:
    load(f"ansible.module_utils.{companion}", SOURCE.parents[1] / f"module_utils/{companion}.py")
MODULE = load("packmairie_tree", SOURCE)
COMPARISON = sys.modules["ansible.module_utils.packmairie_comparison"]
TEXT_OF_PARTS = sys.modules["ansible.module_utils.packmairie_parts"]


class Host:
    """A folder in the place of a host's root, on which the module is run."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys
        self.etc = root / "etc"
        self.etc.mkdir()
        self.log: list[str] = []

    def file(self, name: str, *parts: tuple[str | None, str], **options: Any) -> TreeFile:
        owner = {"owner": OWNER, "group": GROUP} | options
        return TreeFile(str(self.etc / name), tuple(Part(text, commune) for commune, text in parts), **owner)

    def run(self, *files: TreeFile, phase: str = "apply", check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module once; return what it printed."""
        arguments = {"tree": "essai", "phase": phase, "files": [sent(file) for file in files], **options}
        arguments |= {"_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            MODULE.main()
        return json.loads(self.capsys.readouterr().out)

    def told(self, *files: TreeFile, **options: Any) -> list[tuple[str, str, str | None]]:
        """Run it and return (action, name, commune) of each change."""
        result = self.run(*files, **options)
        assert not result.get("failed"), result["msg"]
        return [(entry["action"], Path(entry["path"]).name, entry["commune"]) for entry in result["changes"]]

    def text(self, name: str) -> str:
        return (self.etc / name).read_text(encoding="utf-8")

    def snapshot(self) -> dict[str, Any]:
        """Return everything under the root: content or target, mode, inode."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            info = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
            found[str(path.relative_to(self.root))] = (content, info.st_mode, info.st_ino)
        return found


def made_host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return the host whose root is ``tmp_path``, with the module's own state and log there."""
    monkeypatch.setattr(COMPARISON, "STATE_FOLDER", str(tmp_path / "var/lib/packmairie/trees"))
    made = Host(tmp_path, capsys)
    monkeypatch.setattr(
        MODULE.AnsibleModule, "log", lambda _self, message, log_args=None: made.log.append(str(message))
    )
    return made


def sent(file: TreeFile) -> dict[str, Any]:
    """Return a file as the action plugin sends it."""
    wish = file.payload()
    for part in wish["parts"]:
        raw = Path(part["source"]).read_bytes() if part.get("source") else part["content"].encode("utf-8")
        part["sha256"] = hashlib.sha256(raw).hexdigest()
        part["content"] = base64.b64encode(zlib.compress(raw)).decode("ascii")
    return wish
