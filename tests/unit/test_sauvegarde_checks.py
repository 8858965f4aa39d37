# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges of backups: ages by total seconds, no green before a restore, attacks and broken locks in red."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from core_samples import commune
from test_sauvegarde_brique import sample

from packmairie.briques.sauvegarde import Sauvegarde
from packmairie.briques.sauvegarde_checks import (
    judge_abilities,
    judge_drills,
    judge_growth,
    judge_keys,
    judge_lock,
    judge_room,
    judge_source,
    judge_upkeep,
)
from packmairie.model.preuve import State
from packmairie.model.probe import Absent, HostFacts, Unanswered, Verdict
from packmairie.model.probes_sauvegarde import BackupFacts, Capabilities, LockTrial
from packmairie.model.sauvegarde import Claim, Repository

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PLATFORM = Repository("62708", "plateforme", "b", "c", "m", 24, {"boites": "Boîtes"})
PROVEN = {("plateforme", "boites"): {"prouve": True, "recu": NOW - timedelta(days=2)}}
HELD = LockTrial("refused", "", NOW + timedelta(days=20))


def claim(age: timedelta, **changes: Any) -> Claim:
    made = Claim(
        "plateforme", "boites", NOW - age, NOW - age, "reussie", "", NOW - age, "abc", 1234, 5_000_000, 3, 0, ()
    )
    return replace(made, **changes)


def facts(*claims: Claim, **changes: Any) -> BackupFacts:
    made = BackupFacts(NOW, claims, PROVEN, {}, HELD, 35, True, {"plateforme": ""})
    return replace(made, **changes)


def source(seen: BackupFacts, repository: Repository = PLATFORM) -> Verdict:
    return judge_source(seen, repository=repository, source="boites", insee="62708")


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (timedelta(hours=23), State.CONFORME),
        (timedelta(hours=24), State.CONFORME),
        (timedelta(hours=24, seconds=1), State.NON_CONFORME),
        (timedelta(hours=25), State.NON_CONFORME),
        (timedelta(days=31), State.NON_CONFORME),
        (timedelta(days=33), State.NON_CONFORME),
        (timedelta(days=62), State.NON_CONFORME),
        (timedelta(days=370), State.NON_CONFORME),
    ],
)
def test_the_age_is_counted_whole(age: timedelta, state: State) -> None:
    verdict = source(facts(claim(age)))
    assert verdict.state is state
    if age > timedelta(days=2):
        assert f"{age.days} jours" in verdict.measured


def test_a_workstation_may_rest_for_longer() -> None:
    station = replace(PLATFORM, name="poste-62708-1", max_age_hours=240)
    proven = {("poste-62708-1", "boites"): {"prouve": True, "recu": NOW}}
    seen = facts(claim(timedelta(days=9), repository="poste-62708-1"), drills=proven)
    assert source(seen, station).state is State.CONFORME
    seen = facts(claim(timedelta(days=11), repository="poste-62708-1"), drills=proven)
    assert source(seen, station).state is State.NON_CONFORME


def test_a_backup_that_was_never_restored_is_not_green() -> None:
    for drills in ({}, {("plateforme", "boites"): {"prouve": False, "recu": NOW}}):
        verdict = source(facts(claim(timedelta(hours=1)), drills=drills))
        assert verdict.state is State.NON_VERIFIE
        assert "drill" in verdict.remedy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "echec", "cause": "mot de passe du dépôt refusé"}, "mot de passe"),
        ({"state": "partielle", "cause": "des fichiers n'ont pas pu être lus"}, "incomplète"),
        ({"state": "n'importe quoi"}, "en échec"),
        ({"files": 0}, "aucun fichier"),
        ({"said": NOW - timedelta(hours=3)}, "horloge"),
        ({"said": NOW + timedelta(days=400)}, "horloge"),
    ],
)
def test_what_is_wrong_is_red_with_its_cause(changes: dict[str, Any], words: str) -> None:
    verdict = source(facts(claim(timedelta(hours=1), **changes)))
    assert verdict.state is State.NON_CONFORME
    assert words in verdict.measured
    assert verdict.remedy


def test_nothing_backed_up_is_red_and_a_silent_store_is_unknown() -> None:
    assert source(facts()).state is State.NON_CONFORME
    one = commune()
    for check in Sauvegarde().checks(one, sample(one)):
        assert check.judge((Unanswered("pas de réponse"),)).state is State.NON_VERIFIE
        assert check.judge((Absent("le seau n'existe pas"),)).state is State.NON_CONFORME


def test_every_source_must_have_been_restored_lately() -> None:
    def judge(drills: Any) -> Verdict:
        return judge_drills(facts(drills=drills), wanted=[("plateforme", "boites")], days=35, insee="62708")

    assert judge(PROVEN).state is State.CONFORME
    assert judge({}).state is State.NON_VERIFIE
    assert judge({("plateforme", "boites"): {"prouve": True}}).state is State.NON_VERIFIE
    old = {("plateforme", "boites"): {"prouve": True, "recu": NOW - timedelta(days=35, seconds=1)}}
    assert judge(old).state is State.NON_CONFORME
    failed = {("plateforme", "boites"): {"prouve": False, "cause": "contenu différent", "recu": NOW}}
    assert judge(failed).state is State.NON_CONFORME
    assert "contenu différent" in judge(failed).measured


def test_repositories_must_have_been_checked_lately() -> None:
    def judge(upkeep: Any) -> Verdict:
        return judge_upkeep(facts(upkeep=upkeep), wanted=["plateforme"], days=8, insee="62708")

    assert judge({"plateforme": {"reussi": True, "recu": NOW}}).state is State.CONFORME
    assert judge({}).state is State.NON_VERIFIE
    assert judge({"plateforme": {"reussi": True, "recu": NOW - timedelta(days=9)}}).state is State.NON_CONFORME
    broken = judge({"plateforme": {"reussi": False, "cause": "données abîmées", "recu": NOW}})
    assert broken.state is State.NON_CONFORME
    assert "abîmées" in broken.measured


@pytest.mark.parametrize(
    ("changes", "wished", "state"),
    [
        ({}, True, State.CONFORME),
        ({}, False, State.NON_CONFORME),
        ({"lock": LockTrial("destroyed", "version 1 détruite")}, True, State.NON_CONFORME),
        ({"lock": LockTrial("none", "aucun objet d'essai")}, True, State.NON_VERIFIE),
        ({"default_lock": 0}, True, State.NON_CONFORME),
        ({"default_lock": 34}, True, State.NON_CONFORME),
        ({"versioned": False}, True, State.NON_CONFORME),
    ],
)
def test_the_lock_is_believed_only_when_it_resists(changes: dict[str, Any], wished: bool, state: State) -> None:
    assert judge_lock(facts(**changes), days=35, wished=wished, insee="62708").state is state


def run(files: int, *, changed: int = 0, new: int = 0, days: float = 1, state: str = "reussie") -> dict[str, Any]:
    moment = (NOW - timedelta(days=days)).isoformat()
    return {"le": moment, "etat": state, "fichiers": files, "modifies": changed, "ajoutes": new}


@pytest.mark.parametrize(
    ("history", "state"),
    [
        ([], State.NON_VERIFIE),
        ([run(100)], State.NON_VERIFIE),
        ([run(100, new=100, days=3), run(101, new=1)], State.CONFORME),
        ([run(100), run(100, changed=49)], State.CONFORME),
        ([run(100), run(100, changed=50)], State.NON_CONFORME),
        ([run(100), run(100, new=100)], State.NON_CONFORME),
        ([run(100), run(350, new=250)], State.CONFORME),
        ([run(100), run(40)], State.NON_CONFORME),
        ([run(10), run(10, changed=10)], State.CONFORME),
        ([run(100, days=9), run(100, changed=100, days=8), run(100, days=1)], State.CONFORME),
        ([run(100, days=7), run(100, changed=100, days=6), run(100, days=1)], State.NON_CONFORME),
        ([run(100), run(0, state="echec"), run(100)], State.CONFORME),
    ],
)
def test_a_sudden_rewrite_is_a_signal(history: list[dict[str, Any]], state: State) -> None:
    assert growth(claim(timedelta(hours=1), history=tuple(history))).state is state


def growth(*claims: Claim, wanted: tuple[tuple[str, str], ...] = (("plateforme", "boites"),)) -> Verdict:
    return judge_growth(facts(*claims), wanted=wanted)


def test_one_source_compared_says_nothing_of_another() -> None:
    known = claim(timedelta(hours=1), history=(run(100, days=2), run(100)))
    every = (("plateforme", "boites"), ("poste-62708-1", "personnels"))
    for others in ((), (claim(timedelta(hours=1), repository="poste-62708-1", source="personnels"),)):
        verdict = growth(known, *others, wanted=every)
        assert verdict.state is State.NON_VERIFIE
        assert "personnels (poste-62708-1)" in verdict.measured
    attacked = replace(known, repository="poste-62708-1", source="personnels", history=(run(100), run(100, changed=90)))
    assert growth(known, attacked, wanted=every).state is State.NON_CONFORME
    well = replace(attacked, history=(run(100), run(100)))
    assert growth(known, well, wanted=every).state is State.CONFORME
    # What a source that is no longer expected says is still looked at.
    assert growth(known, attacked).state is State.NON_CONFORME


def test_a_history_that_a_host_made_up_does_not_break_the_judge() -> None:
    odd = ({"le": "hier", "fichiers": 1}, {"le": None, "fichiers": 2}, {"fichiers": None})
    assert growth(claim(timedelta(hours=1), history=odd)).state is State.NON_VERIFIE


def test_a_key_that_does_not_open_is_red() -> None:
    assert judge_keys(facts()).state is State.CONFORME
    broken = judge_keys(facts(keys={"plateforme": "clé inconnue du stockage"}))
    assert broken.state is State.NON_CONFORME
    assert "clé inconnue" in broken.measured


def test_a_weak_store_is_shown_as_such() -> None:
    every = {"versions": True, "verrou": True, "suppression cachée": True, "cycle de vie": True}
    assert judge_abilities(Capabilities(every)).state is State.CONFORME
    weak = judge_abilities(Capabilities({**every, "verrou": False}, {"verrou": "accepté, mais détruit"}))
    assert weak.state is State.NON_CONFORME
    assert "stockage faible" in weak.measured
    assert "accepté, mais détruit" in weak.measured


@pytest.mark.parametrize(
    ("disks", "state"),
    [
        ({"/": (50, 100)}, State.CONFORME),
        ({"/": (9, 100)}, State.NON_CONFORME),
        ({"/": (50, 100), "/srv": (1, 100)}, State.NON_CONFORME),
        ({"/": (0, 0)}, State.NON_CONFORME),
        ({}, State.NON_VERIFIE),
    ],
)
def test_room_is_needed(disks: dict[str, tuple[int, int]], state: State) -> None:
    assert judge_room(HostFacts(disks, {}, ())).state is state
