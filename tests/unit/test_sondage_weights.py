# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of groups, weights and hidden cells."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.model.problem import PackmairieError
from packmairie.portail.sondage.statistique.groups import ANY, Group, build_groups, merge_small
from packmairie.portail.sondage.statistique.suppression import hidden_cells
from packmairie.portail.sondage.statistique.weights import kish, post_stratified, raked, trim

labels = st.tuples(*(st.sampled_from("abc"),) * 3)
counts_by_stratum = st.dictionaries(labels, st.integers(0, 12), min_size=1, max_size=20)


@given(counts_by_stratum)
def test_groups_are_large_enough_and_cover_every_stratum(counts):
    merged = merge_small(counts)
    assert set(merged) == set(counts)
    groups = build_groups(merged, dict.fromkeys(counts, 20), dict.fromkeys(counts, 15), counts)
    assert sum(g.answers for g in groups) == sum(counts.values())
    assert sum(g.population for g in groups) == 20 * len(counts)
    assert len(groups) == 1 or min(g.answers for g in groups) >= 5
    for stratum, label in merged.items():
        assert all(told in (ANY, value) for told, value in zip(label, stratum, strict=True))
    totals: dict[tuple[str, ...], int] = {}
    for stratum, label in merged.items():
        totals[label] = totals.get(label, 0) + counts[stratum]
    if sum(counts.values()) >= 5:
        assert merge_small(totals) == {label: label for label in totals}


groups_drawn = st.lists(
    st.tuples(st.integers(5, 80), st.integers(0, 60), st.integers(0, 300)), min_size=1, max_size=15
).map(lambda rows: [Group((f"g{i}",), r + m + extra, r + m, r) for i, (r, m, extra) in enumerate(rows)])


@given(groups_drawn)
def test_post_stratified_weights_give_each_group_its_population(groups):
    weights = post_stratified(groups, trim_at=None)
    for group, weight, design, response in zip(
        groups, weights.values, weights.design, weights.non_response, strict=True
    ):
        assert weight * group.answers == pytest.approx(group.population)
        assert design * response == pytest.approx(weight)
    assert weights.kish >= 1 - 1e-12
    assert weights.effective <= sum(g.answers for g in groups) + 1e-9
    trimmed = post_stratified(groups)
    assert sum(w * g.answers for w, g in zip(trimmed.values, groups, strict=True)) == pytest.approx(
        sum(g.population for g in groups)
    )
    assert trimmed.kish <= weights.kish + 1e-9


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(1, 40)), min_size=1, max_size=12), st.floats(1.2, 5))
def test_trimming_keeps_the_total_and_lifts_nobody_above(weighted, at):
    values, brought = trim(weighted, at)
    total = sum(w * c for w, c in weighted)
    assert sum(v * c for v, (_w, c) in zip(values, weighted, strict=True)) == pytest.approx(total)
    assert 0 <= brought <= sum(c for _w, c in weighted)
    expanded = sorted(w for w, c in weighted for _ in range(c))
    half = len(expanded) // 2
    median = expanded[half] if len(expanded) % 2 else (expanded[half - 1] + expanded[half]) / 2
    if brought < len(expanded):
        assert max(values) <= at * median * (1 + 1e-9)


def test_kish_known_values():
    assert kish([(2.0, 50)]) == pytest.approx(1)
    assert kish([(1.0, 50), (3.0, 50)]) == pytest.approx(1.25)  # 100·(50 + 450)/200²


@settings(max_examples=50)
@given(st.data())
def test_raking_meets_every_margin(data):
    cells = list(product("AB", "xyz"))
    groups = [Group(label, 10_000, data.draw(st.integers(20, 60)), data.draw(st.integers(5, 20))) for label in cells]
    truth = {label: data.draw(st.floats(50, 500)) for label in cells}
    margins = {
        0: {v: sum(n for label, n in truth.items() if label[0] == v) for v in "AB"},
        1: {v: sum(n for label, n in truth.items() if label[1] == v) for v in "xyz"},
    }
    weights = raked(groups, margins, trim_at=None)
    for place, wanted in margins.items():
        for value, population in wanted.items():
            found = sum(w * g.answers for w, g in zip(weights.values, groups, strict=True) if g.label[place] == value)
            assert found == pytest.approx(population, rel=1e-9)


def test_impossible_weights_are_refused():
    groups = [Group(("a",), 10, 5, 5), Group(("b",), 10, 5, 0)]
    with pytest.raises(PackmairieError, match="aucune réponse pour b"):
        post_stratified(groups)
    with pytest.raises(PackmairieError, match="aucune réponse pour « b »"):
        raked(groups, {0: {"a": 10, "b": 10}})
    with pytest.raises(PackmairieError, match="sans marge"):
        raked([Group(("a",), 10, 5, 5), Group((ANY,), 10, 5, 5)], {0: {"a": 10}})
    contrary = [Group(("a", "x"), 10, 5, 5), Group(("b", "y"), 10, 5, 5)]
    with pytest.raises(PackmairieError, match="pas d'accord"):
        raked(contrary, {0: {"a": 10, "b": 10}, 1: {"x": 5, "y": 15}}, passes=50)


tables = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(st.integers(0, 9), min_size=columns, max_size=columns), min_size=rows, max_size=rows
        )
    )
)


@settings(max_examples=200)
@given(tables)
def test_no_small_cell_follows_from_the_margins(table):
    """An attacker who solves the margins (Gaussian elimination over the hidden cells) finds no hidden number."""
    rows, columns = [f"r{i}" for i in range(len(table))], [f"c{j}" for j in range(len(table[0]))]
    numbers = {(r, c): table[i][j] for i, r in enumerate(rows) for j, c in enumerate(columns)}
    hidden = hidden_cells(numbers, rows, columns)
    small = {cell for cell, number in numbers.items() if 0 < number < 5}
    assert small <= hidden
    if not small:
        assert hidden == frozenset()
    if len(hidden) == len(numbers) and (len(rows) == 1 or len(columns) == 1):
        return  # nothing is shown: nothing can be computed but by who has one line alone
    order = sorted(hidden)
    system = [[float(cell[0] == row) for cell in order] for row in rows]
    system += [[float(cell[1] == column) for cell in order] for column in columns]
    assert not determined(system, len(order))


def determined(system: list[list[float]], unknowns: int) -> list[int]:
    """Return the unknowns that a linear system (left sides only) fixes, by reduction to row echelon form."""
    matrix = [row[:] for row in system]
    pivot = 0
    for column in range(unknowns):
        best = next((i for i in range(pivot, len(matrix)) if abs(matrix[i][column]) > 1e-9), None)
        if best is None:
            continue
        matrix[pivot], matrix[best] = matrix[best], matrix[pivot]
        scale = matrix[pivot][column]
        matrix[pivot] = [value / scale for value in matrix[pivot]]
        for i in range(len(matrix)):
            if i != pivot and abs(matrix[i][column]) > 1e-9:
                factor = matrix[i][column]
                matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[pivot], strict=True)]
        pivot += 1
    return [row.index(1) for row in matrix if sum(abs(value) > 1e-9 for value in row) == 1 and 1 in row]


def test_the_cheapest_partner_is_hidden():
    numbers = {("a", "oui"): 3, ("a", "non"): 40, ("b", "oui"): 9, ("b", "non"): 50, ("c", "oui"): 20, ("c", "non"): 8}
    hidden = hidden_cells(numbers, ("a", "b", "c"), ("oui", "non"))
    assert hidden == {("a", "oui"), ("a", "non"), ("c", "oui"), ("c", "non")}
