# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates against an independent implementation, published figures, known values and simulation."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sondage_samples import values

from packmairie.model.problem import PackmairieError
from packmairie.portail.sondage.questionnaire.model import Values, shipped
from packmairie.portail.sondage.resultats.compute import Answer, compute
from packmairie.portail.sondage.resultats.wording import NBSP, NOT_SIGNIFICANT, evolution_sentence, find_pair, headline
from packmairie.portail.sondage.statistique.comparisons import independent, paired, rao_scott
from packmairie.portail.sondage.statistique.distributions import (
    binomial_two_sided,
    chi2_survival,
    holm,
    normal_quantile,
    normal_two_sided,
)
from packmairie.portail.sondage.statistique.draw import draw
from packmairie.portail.sondage.statistique.estimates import Share, Sums, share, weighted_mean, wilson
from packmairie.portail.sondage.statistique.frame import frame_from_register, strata
from packmairie.portail.sondage.statistique.groups import Group
from packmairie.portail.sondage.statistique.weights import post_stratified, raked

ORACLE = json.loads((Path(__file__).parent / "data" / "sondage_oracle.json").read_text("utf-8"))


def oracle_groups() -> list[Group]:
    return [Group(tuple(g["label"]), g["population"], g["invited"], g["answers"]) for g in ORACLE["groups"]]


def test_share_and_standard_error_equal_those_of_svy():
    groups = oracle_groups()
    weights = post_stratified(groups, trim_at=None).values
    rows = [row.split() for row in ORACLE["rows"]]
    sums = []
    for number in range(len(groups)):
        bad = sum(first == "oui" for at, first, _second in rows if int(at) == number)
        sums.append(Sums(sum(first != "hors" for at, first, _s in rows if int(at) == number), bad, bad))
    mean = weighted_mean(groups, weights, sums)
    assert mean is not None
    assert [mean.value, mean.error] == pytest.approx(ORACLE["share"], abs=1e-9)


def test_paired_difference_equals_that_of_svy():
    groups = oracle_groups()
    weights = post_stratified(groups, trim_at=None).values
    rows = [row.split() for row in ORACLE["rows"]]
    joint = [
        Counter(
            (first == "oui", second == "oui")
            for at, first, second in rows
            if int(at) == number and "hors" not in (first, second)
        )
        for number in range(len(groups))
    ]
    found = paired(groups, weights, joint)
    assert found is not None
    value, error = ORACLE["difference"]
    assert found.value == pytest.approx(value, abs=1e-9)
    assert (found.high - found.low) / 2 / normal_quantile(0.95) == pytest.approx(error, abs=1e-9)


def test_raking_equals_that_of_svy():
    groups = oracle_groups()
    margins = {
        0: Counter({d: sum(g.population for g in groups if g.label[0] == d) for d in ("59", "62")}),
        1: Counter({s: sum(g.population for g in groups if g.label[1] == s) for s in ("petite", "moyenne", "grande")}),
    }
    assert list(raked(groups, margins, trim_at=None).values) == pytest.approx(ORACLE["raked"], abs=1e-9)


@pytest.mark.slow
def test_svy_still_says_what_was_recorded():
    """Where svy is installed, it computes everything again, live."""
    if importlib.util.find_spec("svy") is None:
        pytest.skip("svy absent (644 Mo) : comparé à ses résultats enregistrés ; voir scripts/sondage_oracle.py")
    script = Path(__file__).parents[2] / "scripts" / "sondage_oracle.py"
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=300).stdout
    live = json.loads(told)
    assert live["groups"] == ORACLE["groups"]
    assert live["rows"] == ORACLE["rows"]
    for name in ("share", "difference", "raked"):
        assert live[name] == pytest.approx(ORACLE[name], abs=1e-9), name


def studied(bad: dict[str, int], both: int) -> list[Values]:
    """Return 300 answers: 20 % very satisfied, the dissatisfied of each step, ``both`` of them at both weak steps."""
    answers: list[Values] = [{} for _ in range(300)]
    for step, number in bad.items():
        start = 0 if step == "delai" else bad["delai"] - both
        for i, answer in enumerate(answers):
            unhappy = start <= i < start + number
            answer[f"satisfaction.{step}"] = "peu" if unhappy else "tres" if i >= 240 else "assez"
    return answers


def test_the_published_shares_of_the_study():
    """300 answers: 17 % dissatisfied with the time, 15 % with the follow-up, near 20 % very satisfied."""
    answers = [Answer(("x",), v) for v in studied({"delai": 51, "suivi": 45, "accueil": 30}, 25)]
    found = compute(shipped(), {("x",): 10**9}, {("x",): 300}, answers, 2026, variables=())
    steps = {step.code: step for step in found.etapes}
    bad = {code: step.insatisfaits for code, step in steps.items()}
    assert [round(100 * x, 1) for x in (bad["suivi"].value, bad["suivi"].low, bad["suivi"].high)] == [15.0, 11.4, 19.5]
    assert [round(100 * x, 1) for x in (bad["delai"].value, bad["delai"].low, bad["delai"].high)] == [17.0, 13.2, 21.7]
    assert bad["suivi"].low == pytest.approx(wilson(0.15, 300)[0], abs=2e-4)
    for step in steps.values():
        assert step.degres["tres"].value == pytest.approx(0.20)
        assert 0.63 <= step.degres["assez"].value <= 0.70
    assert not independent(bad["delai"], bad["suivi"]).significant()
    pair = find_pair(found, "delai", "suivi")
    assert pair is not None
    assert not pair.difference.significant()
    assert NOT_SIGNIFICANT in headline(found)
    assert f"17{NBSP}% d'insatisfaits, entre 13 et 22{NBSP}%" in headline(found)
    # Against the well-judged step the same people do tell a difference.
    other = find_pair(found, "delai", "accueil")
    assert other is not None
    assert other.difference.significant()


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """500 stratified draws of 130 among half of Pas-de-Calais, two thirds answering, true share known."""
    frame = frame_from_register(["62"])[::2]
    chance = random.Random(7)
    truth = {
        u.identifiant: chance.random() < (0.08 if u.population < 500 else 0.2 if u.population < 3500 else 0.35)
        for u in frame
    }
    real = sum(truth.values()) / len(frame)
    population = {key: len(members) for key, members in strata(frame, ("classe",)).items()}
    covered = 0
    total = 0.0
    for number in range(500):
        drawn = draw(frame, 130, f"couverture {number}", variables=("classe",))
        answered = [one for one in drawn.sample if chance.random() < 0.67]
        keys = sorted(population)
        counts = Counter(one.strate for one in answered)
        groups = [Group(k, population[k], drawn.allocation[k], max(1, counts[k])) for k in keys]
        bad = Counter(one.strate for one in answered if truth[one.unit.identifiant])
        found = share(groups, post_stratified(groups, None).values, [counts[k] for k in keys], [bad[k] for k in keys])
        assert found is not None
        covered += found.low <= real <= found.high
        total += found.value
    assert 465 <= covered <= 488, covered  # 475 ± 2.7 standard errors
    assert total / 500 == pytest.approx(real, abs=0.005)


@given(st.integers(1, 500), st.data())
def test_intervals_are_sound(base, data):
    count = data.draw(st.integers(0, base))
    groups = [Group(("x",), 1000, base, base)]
    found = share(groups, [1000 / base], [base], [count])
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(count / base)
    wide = wilson(found.value, max(base - 1, 0.5))
    assert found.high - found.low <= wide[1] - wide[0] + 1e-12  # the population is finite


def test_wilson_known_values():
    assert wilson(0.15, 300) == pytest.approx((0.1140, 0.1948), abs=5e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)  # Newcombe 1998
    assert share([Group(("x",), 10, 10, 10)], [1.0], [10], [0]) == Share(0.0, 0.0, 0.0, 0.0, 10)  # a census
    assert share([Group(("x",), 10, 10, 10)], [1.0], [0], [0]) is None


def test_known_laws():
    assert chi2_survival(3.841458820694124, 1) == pytest.approx(0.05, abs=1e-12)
    assert chi2_survival(9.487729036781154, 4) == pytest.approx(0.05, abs=1e-12)
    assert chi2_survival(100, 3) == pytest.approx(1.554159431389604e-21, rel=1e-6)
    assert chi2_survival(0, 3) == 1
    assert chi2_survival(2.0, 2) == pytest.approx(0.36787944117144233, abs=1e-14)
    assert normal_two_sided(1.959963984540054) == pytest.approx(0.05, abs=1e-12)
    assert binomial_two_sided(1, 10) == pytest.approx(0.021484375)
    assert binomial_two_sided(5, 10) == 1
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_mcnemar_is_the_textbook_one_when_all_weigh_the_same():
    """Agresti, *Categorical Data Analysis*, table 10.1: 150 and 86 who change their mind, z = 4.17."""
    groups = [Group(("x",), 10**9, 1600, 1600)]
    found = paired(groups, [1.0], [{(True, True): 794, (True, False): 150, (False, True): 86, (False, False): 570}])
    assert found is not None
    assert found.p_value == pytest.approx(normal_two_sided((150 - 86) / (150 + 86) ** 0.5))
    few = paired(groups, [1.0], [{(True, False): 9, (False, True): 1, (False, False): 1590}])
    assert few is not None
    assert few.p_value == pytest.approx(0.021484375)


def test_rao_scott_is_pearson_for_a_simple_sample():
    """One stratum, hardly any of a vast population: the design effect of every cell is n/(n − 1)."""
    table = {("a", "oui"): 30, ("a", "non"): 70, ("b", "oui"): 55, ("b", "non"): 45}
    found = rao_scott([Group(("x",), 10**12, 200, 200)], [1.0], [table])
    assert found is not None
    assert found.statistic == pytest.approx(200 * (30 * 45 - 70 * 55) ** 2 / (100 * 100 * 85 * 115) * 199 / 200)
    assert found.degrees == 1


@pytest.mark.slow
def test_ten_thousand_answers_under_two_seconds():
    chance = random.Random(3)
    frame = frame_from_register(["59", "62"])
    population = {key: 20 * len(members) for key, members in strata(frame).items()}
    keys = [key for key, size in population.items() for _ in range(size // 20)]
    answers = [Answer(chance.choice(keys), values(chance)) for _ in range(10_000)]
    start = time.process_time()
    found = compute(shipped(), population, population, answers, 2026)
    assert time.process_time() - start < 2
    assert found.reponses == 10_000
    assert len(found.paires) == 28


def test_years_are_compared_and_few_answers_refused():
    chance = random.Random(4)
    answers = [Answer(("x",), values(chance)) for _ in range(200)]
    past = {2025: {"delai": Share(0.18, 0.03, 0.13, 0.25, 150), "suivi": Share(0.6, 0.03, 0.54, 0.66, 150)}}
    found = compute(shipped(), {("x",): 900}, {("x",): 200}, answers, 2026, past=past, variables=())
    by_code = {e.code: evolution_sentence(e) for e in found.evolutions}
    assert set(by_code) == {"delai", "suivi"}
    assert NOT_SIGNIFICANT in by_code["delai"]
    assert "baisse significative" in by_code["suivi"]
    with pytest.raises(PackmairieError, match="trop peu"):
        compute(shipped(), {("x",): 900}, {("x",): 200}, answers[:4], 2026)
    with pytest.raises(PackmairieError, match="strate inconnue"):
        compute(shipped(), {("y",): 900}, {("y",): 200}, answers, 2026)


def test_off_scale_answers_are_out_of_the_base_and_rare_steps_hidden():
    answers = [Answer(("x",), {"satisfaction.delai": "peu" if i < 10 else "sans_objet"}) for i in range(40)]
    answers += [Answer(("x",), {"satisfaction.suivi": "tres"}) for _ in range(4)]
    found = compute(shipped(), {("x",): 900}, {("x",): 100}, answers, 2026, variables=())
    assert [(s.code, s.base, s.insatisfaits.value) for s in found.etapes] == [("delai", 10, 1.0)]
    assert "Le suivi de vos demandes" in found.masquees
