# SPDX-License-Identifier: GPL-3.0-or-later
"""``packmairie_services`` decides: a stand-in plays systemctl here; tests/lab meets the real one."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "plugins/modules/packmairie_services.py"
specification = importlib.util.spec_from_file_location("packmairie_services", SOURCE)
assert specification
assert specification.loader
MODULE = importlib.util.module_from_spec(specification)
sys.modules["packmairie_services"] = MODULE
specification.loader.exec_module(MODULE)

DEFAULTS = {
    "restart": [],
    "reload": [],
    "check": [],
    "reload_command": None,
    "ready": None,
    "active": True,
    "wanted": True,
}


class RefusalError(Exception):
    """What fail_json raises here."""


class Stand:
    """Plays systemctl and the check commands for one unit; notes what it is told to do."""

    def __init__(self, *, active: str = "active", enabled: str = "enabled", load: str = "loaded") -> None:
        self.state = {"LoadState": load, "ActiveState": active, "UnitFileState": enabled}
        self.done: list[str] = []
        self.good = True
        self.check_mode = False

    def run_command(self, words: list[str], check_rc: bool = False) -> tuple[int, str, str]:
        if words[:2] == ["systemctl", "show"]:
            if "-pNeedDaemonReload" in words:
                return 0, "NeedDaemonReload=no\n", ""
            return 0, "".join(f"{key}={value}\n" for key, value in self.state.items()), ""
        if words[0] == "verifier":
            return (0, "", "") if self.good else (1, "", "ligne 3 : faux")
        self.done.append(" ".join(words))
        return 0, "", ""

    def fail_json(self, **said: Any) -> None:
        raise RefusalError(said["msg"])


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(MODULE, "STATE_FOLDER", str(tmp_path / "etat"))
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "un").write_text("1")
    return folder


def follow(stand: Stand, **service: Any) -> list[tuple[str, str]]:
    follower = MODULE.Follower(stand)
    follower.run([DEFAULTS | {"unit": "essai.service"} | service])
    return [(change["action"], change["detail"]) for change in follower.changes]


def test_what_changed_decides_between_nothing_reload_and_restart(configuration: Path) -> None:
    stand = Stand()
    wish = {"restart": [str(configuration / "unite")], "reload": [str(configuration)], "check": ["verifier tout"]}
    assert follow(stand, **wish) == [("update", "redémarré")]  # what it had read is not known
    assert follow(stand, **wish) == []
    (configuration / "deux").write_text("2")
    assert follow(stand, **wish) == [("update", "relu")]
    (configuration / "un").unlink()
    assert follow(stand, **wish) == [("update", "relu")]
    (configuration / "unite").write_text("u")
    assert follow(stand, **wish) == [("update", "redémarré")]
    assert follow(stand, **wish) == []
    assert [done.split()[1] for done in stand.done] == ["restart", "reload", "reload", "restart"]


def test_a_file_put_back_as_it_was_is_read_again(configuration: Path) -> None:
    stand = Stand()
    wish = {"reload": [str(configuration)]}
    follow(stand, **wish)
    text = (configuration / "un").read_text()
    (configuration / "un").write_text("edited by hand, and read")
    (configuration / "un").write_text(text)
    assert follow(stand, **wish) == [("update", "relu")]


def test_a_link_counts_by_where_it_leads(configuration: Path) -> None:
    link = configuration.parent / "lien"
    link.symlink_to("essai-1")
    stand = Stand()
    follow(stand, restart=[str(link)])
    assert follow(stand, restart=[str(link)]) == []
    link.unlink()
    link.symlink_to("essai-2")
    assert follow(stand, restart=[str(link)]) == [("update", "redémarré")]


def test_a_refused_configuration_is_not_read_and_is_tried_again(configuration: Path) -> None:
    stand = Stand()
    wish = {"reload": [str(configuration)], "check": ["verifier tout"]}
    follow(stand, **wish)
    (configuration / "un").write_text("faux")
    stand.good = False
    done = list(stand.done)
    with pytest.raises(RefusalError, match=r"configuration refusée, le service garde l'ancienne : ligne 3 : faux"):
        follow(stand, **wish)
    assert stand.done == done
    stand.good = True
    assert follow(stand, **wish) == [("update", "relu")]


def test_a_stopped_unit_is_started_and_a_disabled_one_enabled(configuration: Path) -> None:
    stand = Stand(active="inactive", enabled="disabled")
    assert follow(stand, reload=[str(configuration)]) == [("create", "activé au démarrage"), ("update", "démarré")]
    assert stand.done == ["systemctl enable --quiet essai.service", "systemctl start essai.service"]
    assert json.loads((Path(MODULE.STATE_FOLDER) / "essai.service").read_text())["reload"]


def test_a_unit_that_must_not_run_is_stopped_once(configuration: Path) -> None:
    stand = Stand()
    assert follow(stand, wanted=False) == [("delete", "désactivé")]
    stand.state |= {"ActiveState": "inactive", "UnitFileState": "disabled"}
    assert follow(stand, wanted=False) == []
    assert follow(Stand(load="not-found"), wanted=False) == []


def test_check_mode_foresees_and_does_nothing(configuration: Path) -> None:
    stand = Stand(load="not-found", active="inactive", enabled="")
    stand.check_mode = True
    assert follow(stand, reload=[str(configuration)]) == [("create", "démarré")]
    assert stand.done == []
    assert not Path(MODULE.STATE_FOLDER).exists()
