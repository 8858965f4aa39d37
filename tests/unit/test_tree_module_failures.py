# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``packmairie_tree`` leaves as it was: checks, refusals, full disks, crashes, links."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from tree_module_samples import COMPARISON, GROUP, MODULE, OWNER, made_host, sent

CANARY = "canari-7f3a"


@pytest.fixture
def host(tmp_path, capsys, monkeypatch):
    return made_host(tmp_path, capsys, monkeypatch)


class TestCheckMode:
    @pytest.mark.parametrize("phase", ["inspect", "apply"])
    @pytest.mark.parametrize("fresh", [True, False])
    def test_writes_nothing(self, host, phase, fresh):
        if not fresh:
            host.run(host.file("x", ("62708", "un\n")), host.file("parti", ("62633", "un\n")))
        (host.etc / ".packmairie-tree-reste").write_text("x")
        before = host.snapshot()
        result = host.run(
            host.file("x", ("62708", "deux\n")),
            host.file("n/y", (None, "trois\n")),
            phase=phase,
            check=True,
            directories=[{"path": str(host.etc / "d"), "mode": "0750", "owner": OWNER, "group": GROUP}],
            exclusive=[str(host.etc)],
        )
        assert result["changed"] is True
        assert host.snapshot() == before

    def test_foresees_what_applying_does(self, host):
        host.run(host.file("x", ("62708", "un\n")), host.file("parti", ("62633", "un\n")))
        files = (host.file("x", ("62708", "deux\n")), host.file("n/y", (None, "trois\n")))
        assert host.told(*files, check=True) == host.told(*files)

    def test_a_user_that_does_not_exist_yet_is_no_obstacle(self, host):
        file = host.file("x", (None, "un\n"), owner="pas-encore-cree")
        assert host.told(file, check=True) == [("create", "x", None)]


class TestFailure:
    def state(self, host):
        return host.file("x", ("62708", "bon\n")), host.file("y", ("62633", "bon\n"))

    def test_a_refused_file_replaces_nothing(self, host):
        host.run(*self.state(host))
        before = host.snapshot()
        result = host.run(
            host.file("x", ("62708", "mauvais\n")),
            host.file("y", ("62633", "bon aussi\n")),
            validate={str(host.etc / "x"): "grep -q bon %s"},
        )
        assert result["failed"]
        assert "rien n'a été remplacé" in result["msg"]
        assert str(host.etc / "x") in result["msg"]
        assert host.snapshot() == before

    def test_an_accepted_one_is_put_in_place(self, host):
        assert host.told(self.state(host)[0], validate={str(host.etc / "x"): "grep -q bon %s"})

    def test_a_refused_whole_is_put_back(self, host):
        host.run(*self.state(host), host.file("z", (None, "parti\n"), mode="0600"))
        before = {name: entry[:2] for name, entry in host.snapshot().items()}
        result = self.refused(host)
        assert result["failed"]
        assert "tout a été remis comme avant" in result["msg"]
        assert "raison du refus" in result["msg"]
        assert {name: entry[:2] for name, entry in host.snapshot().items()} == before

    def refused(self, host):
        files = [host.file("x", ("62708", "autre\n")), self.state(host)[1], host.file("nouveau", (None, "n\n"))]
        arguments = {"tree": "essai", "phase": "apply", "files": [sent(file) for file in files]}
        arguments["check"] = [f"test -e {host.etc / 'nouveau'}", "sh -c 'echo raison du refus >&2; exit 1'"]
        with patch_module_args(arguments), pytest.raises(SystemExit):
            MODULE.main()
        return json.loads(host.capsys.readouterr().out)

    def test_a_full_disk_replaces_nothing_and_is_told_in_french(self, host, monkeypatch):
        host.run(*self.state(host))
        before = host.snapshot()
        real = os.fsync
        written = iter(range(9))

        def full(descriptor):
            if next(written) == 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        result = host.run(host.file("x", ("62708", "autre\n")), host.file("y", ("62633", "autre\n")))
        assert result["failed"]
        assert result["msg"] == f"rien n'a été remplacé ; {host.etc / 'y'} : le disque est plein"
        assert host.snapshot() == before

    def test_a_user_that_does_not_exist_is_named(self, host):
        before = host.snapshot()
        result = host.run(host.file("x", (None, "un\n"), owner="inconnu-au-bataillon"))
        assert result["failed"]
        assert "inconnu-au-bataillon" in result["msg"]
        assert host.snapshot() == before

    def test_content_that_was_not_sent_is_not_guessed(self, host):
        wish = sent(host.file("x", (None, "un\n")))
        del wish["parts"][0]["content"]
        with patch_module_args({"tree": "essai", "phase": "apply", "files": [wish]}), pytest.raises(SystemExit):
            MODULE.main()
        assert "contenu non reçu" in json.loads(host.capsys.readouterr().out)["msg"]
        assert not (host.etc / "x").exists()

    @pytest.mark.parametrize("tree", ["../x", "A", "", "a/b"])
    def test_a_tree_s_name_is_no_path(self, host, tree):
        with patch_module_args({"tree": tree, "phase": "inspect", "files": []}), pytest.raises(SystemExit):
            MODULE.main()
        assert json.loads(host.capsys.readouterr().out)["failed"]

    def test_an_unreadable_state_is_made_again(self, host):
        host.run(host.file("x", (None, "un\n")))
        state = Path(COMPARISON.STATE_FOLDER) / "essai.json"
        state.write_text("{")
        assert host.told(host.file("x", (None, "deux\n"))) == [("update", "x", None)]
        assert json.loads(state.read_text())["owned"] == {str(host.etc / "x"): None}

    def test_a_folder_in_the_place_of_a_file(self, host):
        (host.etc / "x").mkdir()
        before = host.snapshot()
        result = host.run(host.file("a", (None, "a\n")), host.file("x", (None, "un\n")))
        assert result["failed"]
        assert "un dossier occupe" in result["msg"]
        assert host.snapshot() == before

    def test_a_link_is_put_back_as_a_link(self, host):
        (host.etc / "x").symlink_to("ailleurs")
        assert self.refused(host)["failed"]
        assert str((host.etc / "x").readlink()) == "ailleurs"


class TestCrash:
    def test_leftovers_are_removed(self, host):
        (host.etc / ".packmairie-tree-abc").write_text(CANARY)
        host.run(host.file("x", (None, "un\n")))
        assert [path.name for path in host.etc.iterdir()] == ["x"]

    def test_and_are_no_intruders(self, host):
        (host.etc / ".packmairie-tree-abc").write_text("x")
        told = host.told(host.file("x", (None, "un\n")), exclusive=[str(host.etc)])
        assert told == [("create", "x", None)]


class TestLinks:
    def test_a_link_at_the_destination_is_replaced_and_not_followed(self, host):
        target = host.root / "passwd"
        target.write_text("intact\n")
        target.chmod(0o600)
        (host.etc / "x").symlink_to(target)
        assert host.told(host.file("x", (None, "un\n")))[0][1] == "x"
        assert target.read_text() == "intact\n"
        assert target.stat().st_mode & 0o777 == 0o600
        assert not (host.etc / "x").is_symlink()
        assert host.text("x") == "un\n"

    def test_even_when_its_target_has_the_wished_content(self, host):
        target = host.root / "cible"
        target.write_text("un\n")
        (host.etc / "x").symlink_to(target)
        host.run(host.file("x", (None, "un\n")))
        assert not (host.etc / "x").is_symlink()

    def test_or_leads_nowhere(self, host):
        (host.etc / "x").symlink_to(host.root / "nulle-part")
        host.run(host.file("x", (None, "un\n")))
        assert host.text("x") == "un\n"
        assert not (host.root / "nulle-part").exists()
