# SPDX-License-Identifier: GPL-3.0-or-later
"""A first look at a host: it says "nothing to do" only where the module itself would, and else is silent."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import pwd
import shlex
import subprocess
import sys
import zlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from packmairie.engines.first_look import START, command, look, package, read

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
TEXT = "contenu\n"


def tree(path: Path, text: str = TEXT, **changes: Any) -> dict[str, Any]:
    """Return the arguments by which a tree of one file is inspected."""
    part = {"commune": None, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    file = {
        "path": str(path),
        "mode": "0644",
        "owner": pwd.getpwuid(os.getuid()).pw_name,
        "group": "root" if os.getgid() == 0 else str(os.getgid()),
        "secret": False,
        "once": False,
        "shared": False,
        "binary": False,
        "parts": [part],
    }
    return {"tree": "essai", "files": [file | changes], "directories": [], "exclusive": [], "phase": "inspect"}


def said(module: str, arguments: dict[str, Any], *, check: bool = True) -> dict[str, Any]:
    """Do what a host does with what it is sent."""
    done = subprocess.run(
        shlex.split(command(sys.executable)),
        input=package(PLUGINS, module, arguments, check=check),
        capture_output=True,
        check=False,
    )
    return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


class TestTree:
    def test_what_is_as_wished_is_seen(self, tmp_path: Path) -> None:
        path = tmp_path / "un"
        path.write_text(TEXT)
        path.chmod(0o644)
        answer = said("packmairie_tree", tree(path))
        result = read(answer)
        assert result is not None, answer
        assert (result["changed"], result["wanted"], result["changes"]) == (False, [], [])

    @pytest.mark.parametrize(
        ("content", "mode"), [("autre\n", 0o644), (TEXT + " ", 0o644), (TEXT, 0o600), (None, 0o644)]
    )
    def test_what_differs_is_left_to_the_module(self, tmp_path: Path, content: str | None, mode: int) -> None:
        path = tmp_path / "un"
        if content is not None:
            path.write_text(content)
            path.chmod(mode)
        answer = said("packmairie_tree", tree(path))
        assert answer["rc"] == 0, answer
        assert read(answer) is None
        assert not path.exists() or path.read_text() == content

    def test_a_file_that_is_not_wished_is_left_to_the_module(self, tmp_path: Path) -> None:
        path = tmp_path / "un"
        path.write_text(TEXT)
        path.chmod(0o644)
        (tmp_path / "intrus").write_text("x")
        assert read(said("packmairie_tree", tree(path) | {"exclusive": [str(tmp_path)]})) is None

    def test_a_word_that_the_module_would_refuse_is_left_to_it(self, tmp_path: Path) -> None:
        path = tmp_path / "un"
        path.write_text(TEXT)
        for wrong in ({"tree": "../x"}, {"inconnu": 1}, {"files": "x"}, {"tree": 3}):
            answer = said("packmairie_tree", tree(path) | wrong)
            assert answer["rc"] != 0
            assert read(answer) is None

    def test_the_real_module_says_the_same(self, tmp_path: Path) -> None:
        """The stand-in for Ansible's framework agrees with it on both answers."""
        path = tmp_path / "un"
        path.write_text(TEXT)
        path.chmod(0o644)
        for wished in (TEXT, "autre\n"):
            arguments = tree(path, wished)
            assert (read(said("packmairie_tree", arguments)) is None) is real(arguments)["changed"]


def real(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run the module under Ansible's own framework, in check mode."""
    program = (
        "import sys, json, ansible.module_utils, importlib.util as u;"
        f"ansible.module_utils.__path__.append({str(PLUGINS / 'module_utils')!r});"
        "from ansible.module_utils.testing import patch_module_args;"
        f"s = u.spec_from_file_location('m', {str(PLUGINS / 'modules/packmairie_tree.py')!r});"
        "m = u.module_from_spec(s); s.loader.exec_module(m);"
        "c = patch_module_args(json.load(sys.stdin)); c.__enter__(); m.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps({**arguments, "_ansible_check_mode": True}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class TestServices:
    def systemctl(self, folder: Path, monkeypatch: Any, answer: str) -> None:
        program = folder / "systemctl"
        program.write_text(f"#!/bin/sh\nprintf '{answer}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    @pytest.mark.parametrize(
        ("answer", "nothing"),
        [
            ("LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n", True),
            ("LoadState=loaded\\nActiveState=inactive\\nUnitFileState=enabled\\n", False),
            ("LoadState=loaded\\nActiveState=active\\nUnitFileState=disabled\\n", False),
            # Its unit file has changed: the module must have systemd read it.
            ("NeedDaemonReload=yes\\nLoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n", False),
            ("LoadState=not-found\\n", False),
        ],
    )
    def test_only_a_service_that_runs_what_it_should_is_left(
        self, tmp_path: Path, monkeypatch: Any, answer: str, nothing: bool
    ) -> None:
        self.systemctl(tmp_path, monkeypatch, answer)
        found = said("packmairie_services", {"services": [{"unit": "essai.service"}]})
        assert (read(found) is not None) is nothing, found

    def test_a_file_that_was_not_read_yet_is_left_to_the_module(self, tmp_path: Path, monkeypatch: Any) -> None:
        self.systemctl(tmp_path, monkeypatch, "LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n")
        (tmp_path / "conf").write_text("x")
        service = {"unit": "essai-jamais-lu.service", "reload": [str(tmp_path / "conf")]}
        assert read(said("packmairie_services", {"services": [service]})) is None


class TestReading:
    @pytest.mark.parametrize(
        "answer",
        [
            {"rc": 1, "stdout": ""},
            {"rc": 0, "stdout": ""},
            {"rc": 0, "stdout": "packmairie-premier-regard:pas du JSON"},
            {"rc": 0, "stdout": "packmairie-premier-regard:{}"},
            {"rc": 0, "stdout": 'packmairie-premier-regard:{"changed": true}'},
            {"rc": 0, "stdout": 'packmairie-premier-regard:{"changed": false, "failed": true}'},
            {"rc": 0, "stdout": 'packmairie-premier-regard:{"changed": false, "pending": true}'},
            {"rc": 0, "stdout": 'packmairie-premier-regard:{"changed": false}\n' * 2},
            {"rc": 255, "stdout": 'packmairie-premier-regard:{"changed": false}'},
            {},
        ],
    )
    def test_what_is_not_plainly_nothing_is_not_believed(self, answer: dict[str, Any]) -> None:
        assert read(answer) is None

    def test_what_is_sent_is_no_argument(self) -> None:
        assert command("/usr/bin/python3") == f"/usr/bin/python3 -I -S -c {shlex.quote(START)}"

    def test_a_variable_turns_it_off(self) -> None:
        action = SimpleNamespace(_low_level_execute_command=lambda *_a, **_k: pytest.fail("the host was asked"))
        assert look(action, "packmairie_services", {}, {"packmairie_first_look": False}) is None


def plugin(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PLUGINS / "action" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ENTRY = "sites:x:990:990:Sites des communes:/var/lib/packmairie/sites-etat:/usr/sbin/nologin\r\n"
WISH = {
    "name": "sites",
    "comment": "Sites des communes",
    "home": "/var/lib/packmairie/sites-etat",
    "shell": "/usr/sbin/nologin",
    "create_home": False,
    "system": True,
}


class TestAccount:
    @pytest.mark.parametrize(
        ("entry", "wish", "stands"),
        [
            (ENTRY, WISH, True),
            (ENTRY, WISH | {"uid": 990}, True),
            (ENTRY, WISH | {"uid": 5000}, False),
            (ENTRY, WISH | {"shell": "/bin/bash"}, False),
            (ENTRY, WISH | {"home": "/"}, False),
            (ENTRY, WISH | {"comment": "autre"}, False),
            (ENTRY, WISH | {"name": "autre"}, False),
            (ENTRY, WISH | {"password": "*"}, False),
            (ENTRY, WISH | {"groups": ["adm"]}, False),
            ("", WISH, False),
            ("sites:x:990\n", WISH, False),
        ],
    )
    def test_only_an_account_that_is_as_wished_is_left(self, entry: str, wish: dict[str, Any], stands: bool) -> None:
        assert plugin("packmairie_account").stands(entry, wish) is stands

    def test_it_is_told_as_the_module_tells_it(self, monkeypatch: Any) -> None:
        """The egress rules of an account are written by its number."""
        module = plugin("packmairie_account")
        action = module.ActionModule.__new__(module.ActionModule)
        action._task = SimpleNamespace(args={"name": "archivage", "home": "/nonexistent"}, check_mode=False)
        monkeypatch.setattr(module.ActionBase, "run", lambda *_a, **_k: {})
        entry = "archivage:x:989:988:Versements:/nonexistent:/usr/sbin/nologin\n"
        monkeypatch.setattr(action, "_low_level_execute_command", lambda _line: {"rc": 0, "stdout": entry})
        result = action.run(None, {})
        assert (result["changed"], result["uid"], result["group"]) == (False, 989, 988)


class TestApply:
    def run(
        self, monkeypatch: Any, command: str, *, check: bool = False, **said: Any
    ) -> tuple[dict[str, Any], list[str]]:
        module, ran = plugin("packmairie_apply"), []
        action = module.ActionModule.__new__(module.ActionModule)
        action._task = SimpleNamespace(args={"command": command}, check_mode=check)
        monkeypatch.setattr(module.ActionBase, "run", lambda *_a, **_k: {})

        def execute(line: str, in_data: bytes) -> dict[str, Any]:
            ran.append(line)
            return {"rc": 0, "stdout": "", "stderr": ""} | said

        monkeypatch.setattr(action, "_low_level_execute_command", execute)
        return action.run(None, {}), ran

    def test_a_command_that_says_nothing_changed_nothing(self, monkeypatch: Any) -> None:
        result, ran = self.run(monkeypatch, "/usr/local/lib/x 'a b'", stderr="bruit")
        assert (result["changed"], result.get("failed"), ran) == (False, None, ["/usr/local/lib/x 'a b'"])

    def test_what_it_says_it_did(self, monkeypatch: Any) -> None:
        result, _ran = self.run(monkeypatch, "/x", stdout="relu\n")
        assert (result["changed"], result["stdout_lines"]) == (True, ["relu"])

    def test_a_failure_is_one(self, monkeypatch: Any) -> None:
        result, _ran = self.run(monkeypatch, "/x", rc=3, stderr="refusé")
        assert result["failed"]
        assert result["stderr"] == "refusé"

    def test_nothing_is_run_in_check_mode(self, monkeypatch: Any) -> None:
        result, ran = self.run(monkeypatch, "/x", check=True)
        assert ran == []
        assert result["changed"] is False


def test_content_travels_only_when_the_module_asks(tmp_path: Path) -> None:
    sent = package(PLUGINS, "packmairie_tree", tree(tmp_path / "x", "un secret très long"))
    assert b"un secret" not in sent
    assert base64.b64encode(zlib.compress("un secret très long".encode())) not in sent
