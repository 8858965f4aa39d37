# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and preuves as values: their order, their counts, and the worst of several states."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from packmairie.model.change import PLATEFORME, Action, Change, Plan, restrict
from packmairie.model.preuve import Preuve, State, changed_since, worst
from packmairie.model.problem import PackmairieError, Problem, fail

STATES = st.lists(st.sampled_from(list(State)), max_size=8)


def change(commune: str, brique: str = "dns", what: str = "x", action: Action = Action.CREATE) -> Change:
    return Change(commune, brique, "hote", action, what)


def preuve(check: str, state: State, measured: str = "x") -> Preuve:
    return Preuve(
        commune="62708", brique="dns", check=check, state=state, measured=measured, expected="y", remedy="faire z"
    )


class TestPlan:
    def test_the_platform_then_communes_then_briques(self):
        plan = Plan((change("62708", "messagerie"), change("59529"), change(PLATEFORME), change("62708", "dns")))
        told = [(commune, [brique for brique, _ in briques]) for commune, briques in plan.by_commune()]
        assert told == [(PLATEFORME, ["dns"]), ("59529", ["dns"]), ("62708", ["dns", "messagerie"])]

    def test_counts_every_action(self):
        plan = Plan((change("62708"), change("62708", what="y", action=Action.DELETE)))
        assert plan.counts() == {Action.CREATE: 1, Action.UPDATE: 0, Action.DELETE: 1}

    def test_as_data_is_json_and_ordered(self):
        data = Plan((change("62708"), change(PLATEFORME)), communes=("62708",)).as_dict()
        assert [entry["commune"] for entry in json.loads(json.dumps(data))["changes"]] == [PLATEFORME, "62708"]

    def test_a_selection_keeps_the_platform(self):
        kept = restrict([change("62708"), change("59529"), change(PLATEFORME)], ["59529"])
        assert [entry.commune for entry in kept] == ["59529", PLATEFORME]


class TestPreuve:
    @given(STATES)
    def test_the_worst_decides(self, states):
        if State.NON_CONFORME in states:
            assert worst(states) is State.NON_CONFORME
        elif State.NON_VERIFIE in states or not states:
            assert worst(states) is State.NON_VERIFIE
        else:
            assert worst(states) is State.CONFORME

    @pytest.mark.parametrize("state", [State.NON_CONFORME, State.NON_VERIFIE])
    def test_what_does_not_conform_says_what_to_do(self, state):
        with pytest.raises(ValidationError, match="dit quoi faire"):
            Preuve(commune="62708", brique="dns", check="x", state=state, measured="x", expected="y", remedy=" ")

    def test_news_is_a_change_of_state_only(self):
        before = [preuve("a", State.CONFORME), preuve("b", State.CONFORME), preuve("gone", State.CONFORME)]
        now = [preuve("a", State.CONFORME, "autre"), preuve("b", State.NON_VERIFIE), preuve("new", State.CONFORME)]
        told = [(was and was.check, after and after.check) for was, after in changed_since(before, now)]
        assert told == [("b", "b"), (None, "new"), ("gone", None)]


class TestProblem:
    def test_one_line_with_place_reason_remedy(self):
        assert str(Problem("f:3", "faux", "corriger")) == "f:3: faux → corriger"

    def test_an_error_has_a_problem(self):
        with pytest.raises(ValueError, match="explains nothing"):
            PackmairieError([])

    def test_every_problem_is_told(self):
        error = PackmairieError([*fail("a", "b", "c").problems, *fail("d", "e", "f").problems])
        assert str(error) == "a: b → c\nd: e → f"
