# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages apt is asked for: those that dpkg does not say to be installed whole."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "action" / "packmairie_packages.py"


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("packmairie_packages", PLUGIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("listing", "missing"),
    [
        ("acl install ok installed\nknot install ok installed\n", []),
        ("acl hold ok installed\r\nknot install ok installed\r\n", []),
        ("acl install ok installed\nknot deinstall ok config-files\n", ["knot"]),
        ("acl install ok half-configured\nknot install reinstreq installed\n", ["acl", "knot"]),
        ("acl unknown ok not-installed\nknot install ok unpacked\n", ["acl", "knot"]),
        ("", ["acl", "knot"]),
        ("knotx install ok installed\n", ["acl", "knot"]),
    ],
)
def test_only_what_is_installed_whole_is_not_asked_for(plugin: ModuleType, listing: str, missing: list[str]) -> None:
    assert plugin.missing(["acl", "knot"], listing) == missing


def test_a_version_is_apt_s_to_understand(plugin: ModuleType) -> None:
    assert plugin.missing(["acl=2.3"], "acl install ok installed\n") == ["acl=2.3"]


class TestAction:
    def run(self, plugin: ModuleType, monkeypatch: Any, listing: str) -> tuple[dict[str, Any], list[Any]]:
        asked: list[Any] = []

        action = plugin.ActionModule.__new__(plugin.ActionModule)
        action._task = SimpleNamespace(args={"name": "a;id", "install_recommends": False})
        monkeypatch.setattr(plugin.ActionBase, "run", lambda *_a, **_k: {})

        def command(line: str) -> dict[str, str]:
            asked.append(line)
            return {"stdout": listing}

        def module(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            asked.append((module_name, module_args))
            return {"changed": True}

        monkeypatch.setattr(action, "_low_level_execute_command", command)
        monkeypatch.setattr(action, "_execute_module", module)
        return action.run(None, {}), asked

    def test_what_is_there_asks_nothing_more(self, plugin: ModuleType, monkeypatch: Any) -> None:
        result, asked = self.run(plugin, monkeypatch, "a;id install ok installed\n")
        assert result == {"changed": False}
        assert len(asked) == 1
        assert "'a;id'" in asked[0]

    def test_what_is_missing_is_asked_of_apt_with_every_argument(self, plugin: ModuleType, monkeypatch: Any) -> None:
        result, asked = self.run(plugin, monkeypatch, "")
        assert result == {"changed": True}
        arguments = {"name": ["a;id"], "install_recommends": False, "state": "present"}
        assert asked[1] == ("ansible.builtin.apt", arguments)


def test_the_listing_is_understood_by_dpkg_itself(plugin: ModuleType) -> None:
    line = plugin.LISTING.format(names="dpkg paquet-qui-n-existe-pas")
    said = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
    assert plugin.missing(["dpkg", "paquet-qui-n-existe-pas"], said) == ["paquet-qui-n-existe-pas"]
