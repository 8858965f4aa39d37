# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves, journal and resumption, with Ansible and the checks replaced by tables of answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from deployment_samples import CODES, World, change, deploy, history, made_world, with_outcome

from packmairie.cli.main import run
from packmairie.engines.ansible import RunResult
from packmairie.model.deployment import Ending, Outcome, waves_of
from packmairie.model.problem import PackmairieError
from packmairie.operations import deploy as deploying


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return made_world(tmp_path, monkeypatch.setattr)


def test_waves_are_cut_in_order() -> None:
    assert waves_of("abcdefg", [1, 3]) == (("a",), ("b", "c", "d"), ("e", "f", "g"))
    assert waves_of("ab", [1, 10]) == (("a",), ("b",))
    assert waves_of("ab", []) == (("a", "b"),)
    assert waves_of("", [1, 10]) == ()


class TestWaves:
    def test_one_then_ten_then_the_rest_whole(self, world: World) -> None:
        result = deploy(world, many=True, removal=True)
        assert [len(wave) for wave in result.waves] == [1, 10, 13]
        assert world.runs == [tuple(CODES[:1]), tuple(CODES[1:11]), None]
        assert with_outcome(result, Outcome.CHANGED) == set(CODES)
        assert result.succeeded
        assert world.proven == [tuple(CODES[:1]), tuple(CODES[1:11]), tuple(CODES[11:])]

    def test_a_wave_that_is_not_proven_stops_the_next(self, world: World) -> None:
        world.unproven = {CODES[4]}
        result = deploy(world, many=True, removal=True)
        assert not result.succeeded
        assert with_outcome(result, Outcome.UNPROVEN) == {CODES[4]}
        assert with_outcome(result, Outcome.CHANGED) == set(CODES[:11]) - {CODES[4]}
        assert with_outcome(result, Outcome.WAITING) == set(CODES[11:])
        assert [one.ending for one in history(world)] == [Ending.FAILED]

    def test_a_failing_commune_neither_hides_nor_stops_its_wave(self, world: World) -> None:
        world.broken = {CODES[3]}
        world.unproven = {CODES[7]}
        result = deploy(world, many=True, removal=True)
        assert with_outcome(result, Outcome.FAILED) == {CODES[3]}
        assert with_outcome(result, Outcome.UNPROVEN) == {CODES[7]}
        assert with_outcome(result, Outcome.CHANGED) == set(CODES[:11]) - {CODES[3], CODES[7]}
        assert len(world.runs) == 2

    def test_a_host_that_fails_fails_its_wave_alone(self, world: World) -> None:
        world.host_down = True
        result = deploy(world, many=True, removal=True)
        assert with_outcome(result, Outcome.FAILED) == {CODES[0]}
        assert with_outcome(result, Outcome.WAITING) == set(CODES[1:])
        assert world.proven == []

    def test_only_what_changes_is_in_the_waves(self, world: World) -> None:
        world.pending = {code: [change(code)] for code in CODES[:3]}
        result = deploy(world)
        assert result.waves == (tuple(CODES[:1]), tuple(CODES[1:3]))
        assert with_outcome(result, Outcome.UNCHANGED) == set(CODES[3:])

    def test_nothing_to_change_runs_nothing(self, world: World) -> None:
        world.pending = {}
        result = deploy(world)
        assert result.succeeded
        assert world.runs == []
        assert with_outcome(result, Outcome.UNCHANGED) == set(CODES)


def test_a_policy_of_the_pack(world: World) -> None:
    settings = world.folder / "pack.yml"
    settings.write_text(settings.read_text() + "deploiement:\n  vagues: [2]\n  changement_max_pourcent: 100\n")
    result = deploy(world)
    assert [len(wave) for wave in result.waves] == [2, 22]
    assert result.succeeded


class TestResume:
    def test_it_finishes_without_redoing_what_is_done(self, world: World) -> None:
        world.unproven = {CODES[4]}
        first = deploy(world, many=True, removal=True)
        world.unproven = set()
        world.runs.clear()
        world.proven.clear()
        second = deploy(world, resume=True)
        assert second.succeeded
        assert second.resumes == first.folder.name
        assert set(sum(second.waves, ())) == {CODES[4], *CODES[11:]}
        assert not set(CODES[:4]) & set(sum(world.proven, ()))
        assert with_outcome(second, Outcome.UNCHANGED) == set(CODES[:11])

    def test_a_commune_changed_meanwhile_is_done_again(self, world: World) -> None:
        world.unproven = {CODES[4]}
        deploy(world, many=True, removal=True)
        file = next((world.folder / "communes").glob(f"{CODES[1]}-*.yml"))
        file.write_text(file.read_text() + "partage:\n  quota_mo: 3000\n")
        world.unproven = set()
        assert CODES[1] in sum(deploy(world, resume=True).waves, ())

    def test_nothing_to_resume_is_said(self, world: World) -> None:
        with pytest.raises(PackmairieError, match="aucun déploiement à reprendre"):
            deploy(world, resume=True)
        deploy(world, CODES[0])
        with pytest.raises(PackmairieError, match="aucun déploiement à reprendre"):
            deploy(world, resume=True)

    @pytest.mark.parametrize("die_at", [1, 2, 3])
    def test_a_killed_run_is_told_truly_and_finished(self, world: World, die_at: int) -> None:
        child = os.fork()
        if child == 0:
            world.die_at = die_at
            try:
                deploy(world, many=True, removal=True)
            finally:
                os._exit(1)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        (record,) = history(world)
        assert record.ending is Ending.INTERRUPTED
        cut = [0, 1, 11, 24]
        expected = (
            dict.fromkeys(CODES[: cut[die_at - 1]], Outcome.CHANGED)
            | dict.fromkeys(CODES[cut[die_at - 1] : cut[die_at]], Outcome.INTERRUPTED)
            | dict.fromkeys(CODES[cut[die_at] :], Outcome.WAITING)
        )
        assert record.outcomes == expected
        second = deploy(world, resume=True)
        assert second.succeeded
        assert set(sum(second.waves, ())) == set(CODES[cut[die_at - 1] :])
        assert [one.ending for one in history(world)] == [Ending.SUCCEEDED, Ending.INTERRUPTED]

    def test_ctrl_c_leaves_a_true_summary(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_given: Any, **_options: Any) -> RunResult:
            raise KeyboardInterrupt

        monkeypatch.setattr(deploying, "run_playbook", interrupted)
        with pytest.raises(KeyboardInterrupt):
            deploy(world, CODES[0], CODES[1])
        (record,) = history(world)
        assert record.ending is Ending.INTERRUPTED
        assert record.outcomes == {CODES[0]: Outcome.INTERRUPTED, CODES[1]: Outcome.WAITING}
        summary = next((world.folder.parent / "runs").glob("*/summary.json"))
        assert json.loads(summary.read_text())["communes"] == {CODES[0]: "interrupted", CODES[1]: "waiting"}

    def test_a_half_written_line_is_left_out(self, world: World) -> None:
        deploy(world, CODES[0])
        journal = next((world.folder.parent / "runs").glob("*/journal.jsonl"))
        journal.write_bytes(journal.read_bytes()[:-8])
        (record,) = history(world)
        # The end is not on the disk: this test's own process, which wrote the beginning, still lives.
        assert record.ending is Ending.RUNNING
        assert record.outcomes == {CODES[0]: Outcome.CHANGED}


def test_history_on_the_command_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.unproven = {CODES[0]}
    deploy(world, CODES[0], CODES[1])
    world.unproven = set()
    deploy(world, resume=True)
    arguments = ["history", "--runs", str(world.folder.parent / "runs"), "--pack", str(world.folder)]
    assert run([*arguments, "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    assert [one["result"] for one in runs] == ["succeeded", "failed"]
    assert runs[1]["communes"] == {CODES[0]: "unproven", CODES[1]: "waiting"}
    assert runs[0]["resumes"] == runs[1]["run"]
    assert "@" in runs[0]["who"]
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert "en échec" in shown
    assert "1 non prouvée, 1 en attente" in shown
