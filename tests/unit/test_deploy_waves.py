# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves, guard, saved plans, journal and resumption, with Ansible and the checks replaced by tables of answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inventory_samples import make_pack

from packmairie.cli.main import run
from packmairie.engines.ansible import Failure, RunResult
from packmairie.inventory.loader import load_pack
from packmairie.model.change import PLATEFORME, Action, Change
from packmairie.model.deployment import Ending, Outcome, waves_of
from packmairie.model.preuve import Preuve, State
from packmairie.model.problem import PackmairieError
from packmairie.operations import deploy as deploying
from packmairie.operations import plan as planning
from packmairie.operations.deploy import DeployResult, Options, deploy_pack
from packmairie.operations.guard import refuse_removal, refuse_too_many
from packmairie.operations.inventory import Wish, add
from packmairie.operations.journal import read_runs
from packmairie.operations.proofs import Proofs
from packmairie.operations.saved_plan import read_plan, save_plan
from packmairie.registry.table import table

CODES = sorted(code for code, row in table().items() if row.departement == "62" and row.population < 1000)[:24]


def change(code: str, action: Action = Action.UPDATE, what: str = "/etc/x") -> Change:
    return Change(code, "messagerie", "plateforme", action, what, "+x")


def fault(code: str) -> Preuve:
    return Preuve(
        commune=code,
        brique="messagerie",
        check="aller-retour",
        state=State.NON_CONFORME,
        measured="rien",
        expected="un message",
        remedy="regarder",
    )


class World:
    """What the hosts would answer: changes pending by commune, communes that fail, checks that fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pending: dict[str, list[Change]] = {}
        self.broken: set[str] = set()
        self.unproven: set[str] = set()
        self.host_down = False
        self.runs: list[tuple[str, ...] | None] = []
        self.proven: list[tuple[str, ...]] = []
        self.die_at = 0
        self.extra: list[Change] = []

    def run(self, playbook: str, pack: Path, artifacts: Path, **options: Any) -> RunResult:
        chosen = options.get("variables", {}).get("packmairie_communes")
        names = tuple(chosen.split(",")) if chosen else None
        found = [
            one
            for code, some in self.pending.items()
            for one in some
            if names is None or code in (*names, "plateforme")
        ]
        result = RunResult(hosts={"plateforme"}, tasks=3, status="successful")
        if options.get("check"):
            result.changes = found
            return result
        self.runs.append(names)
        if self.die_at == len(self.runs):
            os.kill(os.getpid(), 9)
        if self.host_down:
            return RunResult(failures=[Failure("plateforme", "tâche", "éteint")], hosts={"plateforme"}, status="failed")
        result.failures = [
            Failure("plateforme", "zones", "refusée", commune=one.commune)
            for one in found
            if one.commune in self.broken
        ]
        result.changes = [one for one in found if one.commune not in self.broken] + self.extra
        for one in result.changes:
            self.pending.pop(one.commune, None)
        return result

    def prove(self, folder: Path, pack: Any, communes: tuple[str, ...]) -> Proofs:
        self.proven.append(communes)
        return Proofs(tuple(fault(code) for code in communes if code in self.unproven))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = make_pack(tmp_path / "pack")
    for sample in (folder / "communes").glob("*.yml"):
        sample.unlink()
    add(folder, Wish(codes=CODES))
    made = World(folder)
    made.pending = {code: [change(code)] for code in CODES}
    install(made, monkeypatch.setattr)
    return made


def install(made: World, setattr_: Callable[..., None]) -> None:
    setattr_(deploying, "run_playbook", made.run)
    setattr_(planning, "run_playbook", made.run)
    setattr_(deploying, "wave_proofs", made.prove)
    setattr_(deploying, "generate_secrets", lambda *a, **k: ())
    setattr_(planning, "missing_secrets", lambda *a, **k: ())


def deploy(world: World, *codes: str, **given: Any) -> DeployResult:
    options = Options(allow_many=given.pop("many", False), allow_removal=given.pop("removal", False))
    return deploy_pack(world.folder, codes, runs=world.folder.parent / "runs", options=options, **given)


def history(world: World) -> list[Any]:
    return list(read_runs(world.folder.parent / "runs", world.folder))


def with_outcome(result: DeployResult, outcome: Outcome) -> set[str]:
    return {code for code, found in result.outcomes.items() if found is outcome}


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


class TestGuard:
    def test_too_many_communes_name_the_flag(self, world: World) -> None:
        with pytest.raises(PackmairieError, match="--allow-many") as raised:
            deploy(world)
        assert "24 communes sur 24 (100 %" in str(raised.value)
        assert world.runs == []
        assert history(world) == []

    @pytest.mark.parametrize(
        ("changed", "total", "refused"), [(4, 13, True), (3, 10, False), (10, 10, False), (3, 11, False)]
    )
    def test_more_than_thirty_percent_of_more_than_ten(self, changed: int, total: int, refused: bool) -> None:
        known = CODES[:total]
        changes = [change(code) for code in known[:changed]]
        try:
            refuse_too_many(changes, known, 30)
        except PackmairieError:
            assert refused
        else:
            assert not refused

    def test_a_commune_that_left_the_pack_names_the_flag(self, world: World) -> None:
        world.pending = {"62999": [change("62999", Action.DELETE)]}
        with pytest.raises(PackmairieError, match="--allow-removal"):
            deploy(world, many=True)
        assert world.runs == []
        refuse_removal([change(CODES[0], Action.DELETE)], CODES)

    def test_one_commune_needs_no_word(self, world: World) -> None:
        result = deploy(world, CODES[5])
        assert result.outcomes == {CODES[5]: Outcome.CHANGED}
        assert world.runs == [(CODES[5],)]


class TestSavedPlan:
    def plan(self, world: World, *codes: str) -> Path:
        path = world.folder.parent / "plan.json"
        save_plan(planning.plan_pack(world.folder, codes), load_pack(world.folder), path)
        return path

    def test_it_is_applied_as_it_is(self, world: World) -> None:
        world.pending = {CODES[2]: [change(CODES[2])]}
        path = self.plan(world)
        assert path.stat().st_mode & 0o077 == 0
        saved = read_plan(path)
        result = deploy(world, saved=saved)
        assert result.succeeded
        assert result.plan == saved.digest
        assert history(world)[0].request.plan == saved.digest

    def test_it_is_refused_when_the_inventory_moved(self, world: World) -> None:
        world.pending = {CODES[2]: [change(CODES[2])]}
        saved = read_plan(self.plan(world))
        file = next((world.folder / "communes").glob(f"{CODES[6]}-*.yml"))
        file.write_text(file.read_text() + "partage:\n  quota_mo: 3000\n")
        with pytest.raises(PackmairieError, match=f"commune {CODES[6]}: a changé depuis le plan"):
            deploy(world, saved=saved)
        assert world.runs == []

    def test_a_comment_changes_nothing(self, world: World) -> None:
        world.pending = {CODES[2]: [change(CODES[2])]}
        saved = read_plan(self.plan(world))
        file = next((world.folder / "communes").glob(f"{CODES[6]}-*.yml"))
        file.write_text(file.read_text() + "# rien\n")
        assert deploy(world, saved=saved).succeeded

    def test_it_is_refused_when_the_world_moved_and_shows_how(self, world: World) -> None:
        world.pending = {CODES[2]: [change(CODES[2])]}
        saved = read_plan(self.plan(world))
        world.pending = {CODES[3]: [change(CODES[3], what="/etc/autre")]}
        with pytest.raises(PackmairieError) as raised:
            deploy(world, saved=saved)
        text = str(raised.value)
        assert f"plateforme /etc/x: ~ ({CODES[2]}) n'est plus à faire" in text
        assert f"plateforme /etc/autre: ~ ({CODES[3]}) n'était pas au plan" in text
        assert world.runs == []

    def test_a_plan_of_one_commune_does_not_depend_on_others(self, world: World) -> None:
        saved = read_plan(self.plan(world, CODES[2]))
        file = next((world.folder / "communes").glob(f"{CODES[6]}-*.yml"))
        file.write_text(file.read_text() + "partage:\n  quota_mo: 3000\n")
        assert deploy(world, saved=saved).outcomes == {CODES[2]: Outcome.CHANGED}

    def test_what_no_plan_foresaw_is_a_failure(self, world: World) -> None:
        world.pending = {CODES[2]: [change(CODES[2])]}
        saved = read_plan(self.plan(world))
        world.extra = [change(CODES[9], what="/etc/surprise")]
        result = deploy(world, saved=saved)
        assert [one.what for one in result.unplanned] == ["/etc/surprise"]
        assert not result.succeeded

    def test_that_a_service_reads_its_files_again_follows_from_them(self, world: World) -> None:
        world.pending = {CODES[2]: [change(CODES[2])]}
        saved = read_plan(self.plan(world))
        world.extra = [change(PLATEFORME, what="rspamd.service"), change(PLATEFORME, what="postfix@-.service")]
        assert deploy(world, saved=saved).unplanned == ()
        world.pending = {CODES[3]: [change(CODES[3])]}
        saved = read_plan(self.plan(world))
        world.extra = [change(PLATEFORME, what="/etc/systemd/system/x.service")]
        assert [one.what for one in deploy(world, saved=saved).unplanned] == ["/etc/systemd/system/x.service"]

    @pytest.mark.parametrize(
        "spoil", [lambda text: text.replace("/etc/x", "/etc/y"), lambda text: "{}", lambda text: text[:50]]
    )
    def test_a_file_that_was_touched_is_refused(self, world: World, spoil: Callable[[str], str]) -> None:
        path = self.plan(world, CODES[2])
        path.write_text(spoil(path.read_text()))
        with pytest.raises(PackmairieError, match="plan --out"):
            read_plan(path)


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


def test_two_deployments_of_a_pack_at_once(world: World) -> None:
    code = (
        "import sys, time; from pathlib import Path; from packmairie.operations.journal import one_at_a_time\n"
        "with one_at_a_time(Path(sys.argv[1]), Path(sys.argv[2])): print('held', flush=True); time.sleep(30)"
    )
    runs = world.folder.parent / "runs"
    with subprocess.Popen([sys.executable, "-c", code, runs, world.folder], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(PackmairieError, match="en cours"):
                deploy(world, CODES[0])
        finally:
            other.kill()
    assert deploy(world, CODES[0]).succeeded


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


def test_a_policy_of_the_pack(world: World) -> None:
    settings = world.folder / "pack.yml"
    settings.write_text(settings.read_text() + "deploiement:\n  vagues: [2]\n  changement_max_pourcent: 100\n")
    result = deploy(world)
    assert [len(wave) for wave in result.waves] == [2, 22]
    assert result.succeeded
