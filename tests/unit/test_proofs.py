# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a wave, and what does not: the checks of its communes, answered by a table."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import core_samples as samples
import pytest

from packmairie.model.pack import Pack
from packmairie.model.preuve import Preuve, State
from packmairie.operations import proofs
from packmairie.operations.proofs import DELEGATION, wave_proofs
from packmairie.operations.status import StatusResult
from packmairie.registry.table import table

A, B, OUTSIDE = "62708", "62633", "59529"
MAIL = "messagerie.aller-retour"


class Answers:
    """The states of checks by commune, and every question that was asked."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.states: dict[tuple[str, str], list[State]] = {}
        self.asked: list[tuple[str, str]] = []

    def status(self, folder: Path, communes: Collection[str], *, checks: Collection[str]) -> StatusResult:
        found = []
        for code in communes:
            for name in sorted(checks):
                if name == DELEGATION and code == OUTSIDE:
                    continue
                self.asked.append((code, name))
                states = self.states.get((code, name), [State.CONFORME])
                state = states.pop(0) if len(states) > 1 else states[0]
                brique, _dot, check = name.partition(".")
                found.append(
                    Preuve(
                        commune=code, brique=brique, check=check, state=state, measured="m", expected="e", remedy="r"
                    )
                )
        return StatusResult(self.pack, tuple(communes), tuple(found), {})


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    outside = samples.commune(OUTSIDE, domaine={"nom": "saint-aubin-59.fr", "dns": "externe"})
    made = Answers(samples.pack(samples.commune(A), samples.commune(B), outside))
    monkeypatch.setattr(proofs, "status_pack", made.status)
    monkeypatch.setattr(proofs, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(proofs, "PATIENCE_SECONDS", 0.2)
    return made


def prove(answers: Answers, *communes: str) -> Any:
    return wave_proofs(Path("x"), answers.pack, communes)


def test_all_conforming_stops_nothing(answers: Answers) -> None:
    found = prove(answers, A, B)
    assert (found.faults, found.beyond) == ((), ())
    assert {(A, MAIL), (B, MAIL), (A, "presence.accueil")} <= set(answers.asked)


@pytest.mark.parametrize("state", [State.NON_CONFORME, State.NON_VERIFIE])
def test_what_is_wrong_or_unknown_is_a_fault(answers: Answers, state: State) -> None:
    answers.states[A, MAIL] = [state]
    assert [(fault.commune, fault.state) for fault in prove(answers, A, B).faults] == [(A, state)]


def test_what_comes_right_in_time_is_none(answers: Answers) -> None:
    answers.states[A, MAIL] = [State.NON_VERIFIE, State.NON_CONFORME, State.CONFORME]
    assert prove(answers, A, B).faults == ()
    assert answers.asked.count((B, MAIL)) == 1


def test_a_name_that_leads_elsewhere_is_told_and_asked_nothing_more(answers: Answers) -> None:
    answers.states[A, DELEGATION] = [State.NON_CONFORME]
    found = prove(answers, A, OUTSIDE)
    assert (found.faults, found.beyond) == ((), (OUTSIDE, A))
    assert answers.asked == [(A, DELEGATION)]


def test_not_knowing_where_a_name_leads_is_a_fault(answers: Answers) -> None:
    answers.states[A, DELEGATION] = [State.NON_VERIFIE]
    found = prove(answers, A, B)
    assert [fault.commune for fault in found.faults] == [A]
    assert (A, MAIL) not in answers.asked
    assert (B, MAIL) in answers.asked


def test_a_pack_without_proofs_asks_nothing(answers: Answers) -> None:
    answers.pack = samples.pack(samples.commune(A), deploiement={"preuves": []})
    assert prove(answers, A).faults == ()
    assert answers.asked == []


def territory(answers: Answers) -> list[str]:
    """Put a hundred communes of the register in the pack; return their codes."""
    codes = sorted(code for code in table() if code.startswith("62"))[:100]
    answers.pack = samples.pack(*(samples.commune(code) for code in codes))
    return codes


def test_a_large_wave_is_proven_by_some_of_its_communes(answers: Answers) -> None:
    codes = territory(answers)
    found = prove(answers, *codes)
    asked = {code for code, name in answers.asked if name == MAIL}
    assert len(asked) == proofs.PROVEN_AT_ONCE
    assert {codes[0], codes[-1]} <= asked
    visited = {code for code, name in answers.asked if name == "presence.accueil"}
    assert len(visited) == proofs.VISITED_AT_ONCE
    assert {codes[0], codes[-1]} <= visited <= asked
    assert found.sample == tuple(sorted(asked))
    assert {code for code, name in answers.asked if name == DELEGATION} == set(codes)


@pytest.mark.parametrize("number", [2, 19, 20])
def test_a_small_wave_is_asked_whole_and_says_so_by_saying_nothing(answers: Answers, number: int) -> None:
    codes = territory(answers)[:number]
    assert prove(answers, *codes).sample == ()
    for name in (MAIL, "presence.accueil"):
        assert {code for code, asked in answers.asked if asked == name} == set(codes)


def test_a_fault_of_the_sample_is_not_lost_to_another_choice(answers: Answers) -> None:
    """Many names unknown at first, and messages that fail: both are asked about again, and the second still fail."""
    codes = territory(answers)
    failing = codes[-1]
    answers.states[failing, MAIL] = [State.NON_CONFORME]
    for code in codes[1:-1]:
        answers.states[code, DELEGATION] = [State.NON_VERIFIE, State.CONFORME]
    found = prove(answers, *codes)
    assert [fault.commune for fault in found.faults] == [failing]
    assert len(found.sample) == proofs.PROVEN_AT_ONCE


def test_a_small_wave_with_an_unknown_name_is_no_sample(answers: Answers) -> None:
    answers.states[A, DELEGATION] = [State.NON_VERIFIE]
    assert prove(answers, A, B).sample == ()


def test_what_nobody_counts_is_asked_of_all(answers: Answers) -> None:
    codes = territory(answers)
    file = answers.pack.file
    policy = file.deploiement.model_copy(update={"preuves": [MAIL, "dns.signature"]})
    answers.pack = answers.pack.model_copy(update={"file": file.model_copy(update={"deploiement": policy})})
    prove(answers, *codes)
    assert {code for code, name in answers.asked if name == "dns.signature"} == set(codes)


def test_a_site_that_fails_is_asked_again_and_stays_a_fault(answers: Answers) -> None:
    codes = territory(answers)
    answers.states[codes[-1], "presence.accueil"] = [State.NON_CONFORME]
    assert [fault.commune for fault in prove(answers, *codes).faults] == [codes[-1]]
    assert answers.asked.count((codes[-1], "presence.accueil")) > 1


def test_a_fault_in_the_sample_is_its_commune_s(answers: Answers) -> None:
    codes = territory(answers)
    answers.states[codes[-1], MAIL] = [State.NON_CONFORME]
    assert [fault.commune for fault in prove(answers, *codes).faults] == [codes[-1]]
