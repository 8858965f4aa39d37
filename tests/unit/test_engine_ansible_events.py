# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-runner's events tell: changes by commune, failures in the module's words, and a run of nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from packmairie.engines.ansible import (
    UNCENSORED,
    UNTOLD,
    Failure,
    RunResult,
    Step,
    changes_of,
    diff_of,
    project_folder,
    read_event,
    reason_of,
)
from packmairie.model.change import PLATEFORME, Action, Change
from packmairie.model.problem import PackmairieError
from packmairie.operations.deploy import DeployResult, Outcome, failures_of, new_run_folder, outcomes
from packmairie.operations.plan import failure_problems, selection_variables

CODES = ("62633", "62708")


def event(kind: str, answer: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    whole = {"role": "messagerie", "task": "Poser les cartes", "host": "plateforme", "res": answer or {}}
    return {"event": kind, "event_data": {**whole, **data}}


def told(*events: dict[str, Any], status: str = "successful") -> RunResult:
    result = RunResult(status=status)
    for each in events:
        read_event(each, result)
    return result


class TestEvents:
    def test_a_task_that_begins_is_a_step(self):
        result = RunResult()
        step = read_event(event("playbook_on_task_start"), result)
        assert step == Step("messagerie", "Poser les cartes")
        assert result.tasks == 1
        assert not result.hosts

    def test_outside_a_role_the_play_is_named(self):
        step = read_event(event("playbook_on_task_start", role=None, play="Name servers"), RunResult())
        assert step == Step("Name servers", "Poser les cartes")

    def test_nothing_changed(self):
        result = told(event("runner_on_ok", {"changed": False, "changes": []}))
        assert result.changes == []
        assert result.hosts == {"plateforme"}
        assert result.succeeded

    def test_our_modules_list_their_changes(self):
        listed = [
            {"action": "create", "path": "/etc/x", "commune": "62708", "detail": "+un"},
            {"action": "delete", "path": "/etc/y", "commune": None, "detail": ""},
        ]
        assert told(event("runner_on_ok", {"changed": True, "changes": listed})).changes == [
            Change("62708", "messagerie", "plateforme", Action.CREATE, "/etc/x", "+un"),
            Change(PLATEFORME, "messagerie", "plateforme", Action.DELETE, "/etc/y", ""),
        ]

    def test_zones_come_back_as_they_were_said(self):
        change = Change("62708", "dns", "essai.fr", Action.UPDATE, "@ MX", "-a\n+b")
        answer = {"changed": True, "changes": [asdict(change)]}
        assert changes_of("", "Publish the zones", "plateforme", answer) == [change]

    def test_another_module_is_one_change_of_the_platform(self):
        answer = {"changed": True, "diff": {"prepared": "+paquet\n"}}
        assert told(event("runner_on_ok", answer)).changes == [
            Change(PLATEFORME, "messagerie", "plateforme", Action.UPDATE, "Poser les cartes", "+paquet")
        ]

    def test_an_unreachable_host(self):
        result = told(event("runner_on_unreachable", {"msg": "Connection\n  timed out"}), status="failed")
        assert result.failures == [Failure("plateforme", "Poser les cartes", "Connection timed out", True)]
        assert not result.succeeded

    def test_a_failed_task(self):
        result = told(event("runner_on_failed", {"msg": "", "stderr": "postfix: fatal"}), status="failed")
        assert result.failures == [Failure("plateforme", "Poser les cartes", "postfix: fatal")]

    def test_an_ignored_failure_is_none(self):
        assert told(event("runner_on_failed", {"msg": "x"}, ignore_errors=True)).failures == []

    @pytest.mark.parametrize("kind", ["runner_on_skipped", "verbose", "playbook_on_stats", "warning", ""])
    def test_other_events_say_nothing(self, kind):
        assert told(event(kind, {"changed": True})).changes == []

    @pytest.mark.parametrize("odd", [{}, {"event": "runner_on_ok"}, {"event": "runner_on_ok", "event_data": None}])
    def test_an_event_without_data_breaks_nothing(self, odd):
        told(odd)

    def test_a_result_that_was_lost_is_not_taken_for_no_change(self):
        """ansible-runner empties results that it finds too long."""
        result = told(event("runner_on_ok", {}))
        assert [failure.reason for failure in result.failures] == [UNTOLD]
        assert not result.succeeded

    def test_what_is_censored_stays_so(self):
        answer = {"censored": "the output has been hidden", "changed": True}
        (change,) = told(event("runner_on_ok", answer)).changes
        assert change.detail == ""
        failed = told(event("runner_on_failed", answer | {"msg": "canari"}), status="failed")
        assert failed.failures[0].reason == UNCENSORED


class TestWords:
    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            ({"msg": "un\ndeux   trois"}, "un deux trois"),
            ({"msg": " ", "module_stderr": "trace"}, "trace"),
            ({"stdout": "sortie"}, "sortie"),
            ({}, "raison inconnue"),
            ({"msg": ["a", "b"]}, "['a', 'b']"),
        ],
    )
    def test_reason(self, answer, text):
        assert reason_of(answer) == text

    def test_a_reason_has_a_reasonable_length(self):
        assert len(reason_of({"msg": "x" * 5000})) == 1000

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            ({}, ""),
            ({"diff": None}, ""),
            ({"diff": []}, ""),
            ({"diff": {"prepared": "+a\n"}}, "+a"),
            ({"diff": [{"prepared": "+a"}, {"prepared": "+b"}]}, "+a\n+b"),
            ({"diff": {"before": "a\nb\n", "after": "a\nc\n"}}, "@@ -1,2 +1,2 @@\n a\n-b\n+c"),
            ({"diff": {"before": "", "after": "a\n"}}, "@@ -0,0 +1 @@\n+a"),
            (
                {"diff": {"before": {"mode": "0644", "path": "/x"}, "after": {"mode": "0600", "path": "/x"}}},
                "+mode: 0600",
            ),
            ({"diff": {"before": "a\n", "after": "a\n"}}, ""),
            ({"diff": {"before_header": "x", "after_header": "y"}}, ""),
        ],
    )
    def test_diff(self, answer, text):
        assert text in diff_of(answer)
        assert bool(diff_of(answer)) is bool(text)


class TestRun:
    def test_no_host_is_a_failure(self):
        result = told()
        assert not result.succeeded
        assert [failure.reason for failure in failures_of(result)] == ["aucun hôte n'a pris part au déploiement"]
        assert outcomes(CODES, [], result) == dict.fromkeys(CODES, Outcome.FAILED)

    def test_each_commune_has_its_outcome(self):
        result = told(event("runner_on_ok", {"changed": False}))
        changes = [
            Change("62708", "dns", "essai.fr", Action.CREATE, "@ MX"),
            Change(PLATEFORME, "socle", "plateforme", Action.UPDATE, "x"),
        ]
        assert outcomes(CODES, changes, result) == {"62633": Outcome.UNCHANGED, "62708": Outcome.CHANGED}

    def test_a_shared_host_that_fails_fails_them_all(self):
        result = told(event("runner_on_failed", {"msg": "x"}), status="failed")
        changes = [Change("62708", "dns", "essai.fr", Action.CREATE, "@ MX")]
        assert set(outcomes(CODES, changes, result).values()) == {Outcome.FAILED}

    def test_an_account_with_a_failure_did_not_succeed(self):
        failed = DeployResult(Path("r"), (), (Failure("h", "t", "r"),), {}, 1.0)
        assert not failed.succeeded
        assert DeployResult(Path("r"), (), (), {}, 1.0).succeeded
        told = {"host": "h", "task": "t", "reason": "r", "unreachable": False, "commune": ""}
        assert failed.as_dict()["failures"] == [told]

    def test_every_failure_says_what_to_do(self):
        failures = [Failure("h", "t", "r"), Failure("h", "t", "r", unreachable=True), Failure("", "t", "r")]
        assert all(problem.place and problem.remedy for problem in failure_problems(failures))
        assert failure_problems([])

    def test_a_whole_pack_is_no_selection(self):
        assert selection_variables(CODES, 2) == {}
        assert selection_variables(("62708",), 2) == {"packmairie_communes": "62708"}

    def test_each_run_has_its_folder_for_its_owner_only(self, tmp_path):
        at = datetime(2026, 11, 24, 7, tzinfo=UTC)
        names = [new_run_folder(tmp_path / "runs", at).name for _ in range(3)]
        assert names == ["20261124-070000", "20261124-070000-2", "20261124-070000-3"]
        assert (tmp_path / "runs" / names[0]).stat().st_mode & 0o777 == 0o700


class TestProject:
    def test_is_found_from_the_repository(self):
        assert (project_folder() / "playbooks" / "site.yml").is_file()

    def test_a_wrong_name_is_told(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PACKMAIRIE_PROJECT", str(tmp_path))
        with pytest.raises(PackmairieError, match="PACKMAIRIE_PROJECT"):
            project_folder()
