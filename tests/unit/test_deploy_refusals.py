# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment refuses: too many communes, a saved plan that no longer holds, another one at the same time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deployment_samples import CODES, World, change, deploy, history, made_world

from packmairie.inventory.loader import load_pack
from packmairie.model.change import PLATEFORME, Action
from packmairie.model.deployment import Outcome
from packmairie.model.problem import PackmairieError
from packmairie.operations import plan as planning
from packmairie.operations.guard import refuse_removal, refuse_too_many
from packmairie.operations.saved_plan import read_plan, save_plan


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return made_world(tmp_path, monkeypatch.setattr)


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
