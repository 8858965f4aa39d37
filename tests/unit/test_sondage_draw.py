# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of sizes, allocations and draws."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.model.problem import PackmairieError
from packmairie.portail.sondage.base import read_deviations, read_frame, write_deviations, write_draw, write_frame
from packmairie.portail.sondage.statistique.allocation import neyman, proportional
from packmairie.portail.sondage.statistique.deviations import deviation, deviations_of, matched
from packmairie.portail.sondage.statistique.draw import draw, replacements
from packmairie.portail.sondage.statistique.frame import (
    Unit,
    epci_kind,
    frame_from_register,
    frame_hash,
    population_class,
    strata,
)
from packmairie.portail.sondage.statistique.size import margin, sample_size

sizes = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 400), min_size=1, max_size=12)


def units(number: int, kinds: int = 3) -> list[Unit]:
    return [Unit(f"{i:05}", f"Commune {i}", "62", 100 * (i % 13), "affiliée", f"E{i % kinds}") for i in range(number)]


@given(sizes, st.floats(0, 1), st.integers(0, 4))
def test_allocation_keeps_total_bounds_and_order(strata_sizes, fraction, minimum):
    lowest = sum(min(minimum, size) for size in strata_sizes.values())
    total = lowest + round(fraction * (sum(strata_sizes.values()) - lowest))
    shared = proportional(strata_sizes, total, minimum)
    assert sum(shared.values()) == total
    for key, size in strata_sizes.items():
        assert min(minimum, size) <= shared[key] <= size
    for one, first in strata_sizes.items():
        for other, second in strata_sizes.items():
            if first > second:
                assert shared[one] >= shared[other] - 1


@given(sizes, st.data())
def test_neyman_gives_more_where_answers_vary_more(strata_sizes, data):
    deviations = {key: data.draw(st.floats(0, 0.5)) for key in strata_sizes}
    total = data.draw(st.integers(sum(min(2, s) for s in strata_sizes.values()), sum(strata_sizes.values())))
    shared = neyman(strata_sizes, deviations, total)
    assert sum(shared.values()) == total
    assert all(min(2, strata_sizes[key]) <= shared[key] <= strata_sizes[key] for key in strata_sizes)


def test_neyman_known_case():
    """Cochran, §5.5: nₕ proportional to Nₕ·Sₕ."""
    assert neyman({"a": 400, "b": 400}, {"a": 0.1, "b": 0.3}, 80) == {"a": 20, "b": 60}


@settings(max_examples=40)
@given(st.integers(20, 200), st.integers(1, 5), st.text(min_size=1, max_size=20).filter(str.strip), st.data())
def test_draw_is_reproducible_and_whole(number, kinds, seed, data):
    frame = units(number, kinds)
    groups = strata(frame)
    size = data.draw(st.integers(sum(min(2, len(m)) for m in groups.values()), number))
    drawn = draw(frame, size, seed)
    assert draw(reversed(frame), size, seed) == drawn
    assert len(drawn.sample) == size
    assert sorted(one.unit for one in drawn.ordre) == sorted(frame)
    for key, members in groups.items():
        ranks = [one.rang for one in drawn.ordre if one.strate == key]
        assert ranks == list(range(1, len(members) + 1))
        assert [one.titulaire for one in drawn.ordre if one.strate == key] == [
            r <= drawn.allocation[key] for r in ranks
        ]


def test_another_seed_or_frame_is_another_draw():
    frame = units(200)
    first, second = draw(frame, 60, "un"), draw(frame, 60, "deux")
    assert [o.unit for o in first.sample] != [o.unit for o in second.sample]
    assert draw(frame[:-1], 60, "un").empreinte != first.empreinte
    assert frame_hash(frame) == frame_hash(reversed(frame))


def test_everybody_has_the_same_chance():
    """Over 600 seeds every unit of a stratum is drawn as often as chance allows (chi-squared, 0.1 %)."""
    frame = [Unit(str(i), "x", "62", 100, "affiliée", "CC") for i in range(40)]
    drawn = Counter(one.unit.identifiant for seed in range(600) for one in draw(frame, 10, str(seed)).sample)
    expected = 600 * 10 / 40
    chi2 = sum((drawn[unit.identifiant] - expected) ** 2 for unit in frame) / (expected * 0.75)
    assert chi2 < 39 + 3.3 * math.sqrt(2 * 39)


def test_replacements_are_the_next_ones():
    drawn = draw(units(90), 30, "graine")
    key = drawn.ordre[0].strate
    first = drawn.allocation[key] + 1
    assert [one.rang for one in replacements(drawn, key, 2, 0)] == [first, first + 1]
    assert [one.rang for one in replacements(drawn, key, 1, 2)] == [first + 2]


@pytest.mark.parametrize(
    ("number", "size", "seed", "word"),
    [(30, 31, "g", "n'en compte que 30"), (30, 2, "g", "ne suffisent pas"), (30, 12, "  ", "graine vide")],
)
def test_impossible_draws_are_refused(number, size, seed, word):
    with pytest.raises(PackmairieError, match=word):
        draw(units(number), size, seed)


def test_a_double_is_refused():
    frame = units(30)
    with pytest.raises(PackmairieError, match="00003"):
        draw([*frame, frame[3]], 20, "g")


def test_frame_of_the_register():
    frame = frame_from_register(["59", "62"])
    assert len(frame) == 1534
    assert {unit.departement for unit in frame} == {"59", "62"}
    assert {unit.epci for unit in frame} == {
        "communauté de communes", "communauté d'agglomération", "communauté urbaine", "métropole",
    }  # fmt: skip
    assert [population_class(n) for n in (499, 500, 999, 1000, 9999, 10_000)] == [
        "moins de 500", "500 à 999", "500 à 999", "1 000 à 3 499", "3 500 à 9 999", "10 000 et plus",
    ]  # fmt: skip
    assert epci_kind('"CA du Pays"') == "communauté d'agglomération"


@pytest.mark.parametrize(
    ("share", "unlimited", "limited"),
    [(0.5, 0.057, 0.054), (0.7, 0.052, 0.050), (0.2, 0.045, 0.044), (0.15, 0.040, 0.039), (0.17, 0.043, 0.041)],
)
def test_known_margins_at_three_hundred(share, unlimited, limited):
    """The table of the design note: n = 300, without limit and with N = 4 000."""
    assert margin(300, None, share) == pytest.approx(unlimited, abs=5e-4)
    assert margin(300, 4_000, share) == pytest.approx(limited, abs=7e-4)


@given(st.integers(10, 50_000), st.floats(0.01, 0.2), st.floats(1, 3))
def test_the_size_reaches_the_margin_and_one_less_does_not(population, wanted, deff):
    found = sample_size(population, wanted, design_effect=deff)
    unlimited = deff * 0.25 * 1.959963984540054**2 / wanted**2

    def reached(answers: int) -> bool:
        return answers * (1 + (unlimited - 1) / population) >= unlimited - 1e-6

    assert found.reponses == population or reached(found.reponses)
    assert found.reponses == 1 or not reached(found.reponses - 1) or found.reponses == population
    assert "réponses suffisent" in found.explanation()


def test_known_sizes():
    assert sample_size(10**9, 0.05).reponses == 385
    assert sample_size(1534, 0.05).reponses == 308
    assert sample_size(1534, 0.05, response_rate=0.5).envois == 616
    assert "toutes" in sample_size(100, 0.02, response_rate=0.5).explanation()
    for wrong in ({"margin": 0}, {"margin": 5}, {"margin": 0.05, "share": 1.2}, {"margin": 0.05, "response_rate": 0}):
        with pytest.raises(PackmairieError):
            sample_size(1000, **wrong)


def test_frame_as_csv_and_hostile_frames():
    frame = frame_from_register(["80"], {"80001": "mairie@example.org"})
    assert read_frame(write_frame(frame), "base") == frame
    header = "identifiant;nom;departement;population;adhesion;epci;courriel\n"
    for line, word in (
        ("1;A;62;mille;a;CC;\n", "population"), ("1;A;62;²;a;CC;\n", "population"), (";A;62;5;a;CC;\n", "manquante"),
        ("1;A;62;5;*;CC;\n", "étoile"), ("1;A;62;5;a;CC;x y@z\n", "adresse"),
        ("1;A;62;5;a;CC;\n1;B;62;5;a;CC;\n", "déjà"), ("", "aucune"),
    ):  # fmt: skip
        with pytest.raises(PackmairieError, match=word):
            read_frame(header + line, "base")
    for text in ("", "nom\nA\n"):
        with pytest.raises(PackmairieError):
            read_frame(text, "base")
    drawn = draw([*frame, Unit("f", "=cmd()", "80", 5, "a", "CC")], 60, "g")
    assert ";'=cmd();" in write_draw(drawn)


def test_neyman_follows_a_former_survey_and_forgets_no_stratum():
    frame = frame_from_register(("62",))
    strata_of = {unit.stratum() for unit in frame}
    varied = sorted(strata_of)[0]
    known = {("62", *("*",) * 3): 0.1, varied: 0.5}
    plain, drawn = draw(frame, 120, "graine", minimum=1), draw(frame, 120, "graine", minimum=1, deviations=known)
    assert sum(drawn.allocation.values()) == 120
    assert drawn.allocation[varied] > plain.allocation[varied]
    assert min(drawn.allocation.values()) >= 1
    again = draw(frame, 120, "graine", minimum=1, deviations={("62", *("*",) * 3): 0.3})
    assert again.allocation == plain.allocation


def test_deviations_never_take_a_small_group_for_unanimous():
    assert deviation(0, 5) == pytest.approx(math.sqrt(1 / 7 * 6 / 7))
    assert deviations_of({("a",): ((0, 0), (3, 6)), ("b",): ((0, 0),)}) == {("a",): pytest.approx(0.5)}
    known = {("59", "*"): 0.2, ("59", "petite"): 0.4}
    found = matched([("59", "petite"), ("59", "grande"), ("62", "petite")], known)
    assert list(found.values()) == pytest.approx([0.4, 0.2, 0.3])
    assert set(matched([("a",), ("b",)], {}).values()) == {1.0}


def test_deviations_come_back_from_their_file_and_faults_are_told():
    known = {("62", "*", "*", "*"): 0.1234, ("59", "moins de 500", "affiliée", "*"): 0.5}
    assert read_deviations(write_deviations(known), "ecarts.csv") == known
    with pytest.raises(PackmairieError) as refused:
        read_deviations(
            "departement;classe;adhesion;epci;ecart\n62;*;*;*;0,7\n;*;*;*;0,1\n62;*;*;*;nan\n", "ecarts.csv"
        )
    assert [problem.place for problem in refused.value.problems] == ["ecarts.csv:2", "ecarts.csv:3", "ecarts.csv:4"]
    for text in ("", "a;b\n", "departement;classe;adhesion;epci;ecart\n"):
        with pytest.raises(PackmairieError):
            read_deviations(text, "ecarts.csv")
