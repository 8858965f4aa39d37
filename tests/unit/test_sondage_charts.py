# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts are well-formed, escape what they are told, carry no style, and survive unanimity and odd figures."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.portail.sondage.graphique.charts import diverging_bars, priorities_map, trend
from packmairie.portail.sondage.resultats.compute import Evolution, Priority, Step
from packmairie.portail.sondage.statistique.estimates import Share

SCALE = (("tres", "Très satisfait", 2), ("assez", "Satisfait", 1), ("peu", "Peu", -1), ("pas", "Pas du tout", -2))


@st.composite
def shares(draw):
    low, value, high = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
    return Share(value, (high - low) / 4, low, high, draw(st.integers(5, 10_000)))


@given(st.lists(st.tuples(st.text("Aé<&'\"> ", min_size=1, max_size=30), shares(), shares()), max_size=9))
def test_charts_are_well_formed_whatever_the_figures(rows):
    steps = [
        Step(f"s{i}", name, name, bad.base, 0, {"tres": good, "pas": bad}, good, bad)
        for i, (name, bad, good) in enumerate(rows)
    ]
    points = [Priority(s.code, s.court, s.favorables, s.insatisfaits) for s in steps]
    years = [Evolution(s.code, s.court, ((2025, s.favorables), (2026, s.insatisfaits)), None) for s in steps]
    for svg in (diverging_bars(steps, SCALE), priorities_map(points), trend(years)):
        assert "style=" not in svg
        assert "nan" not in svg
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        names = {element.get("id") for element in root.iter() if element.get("id")}
        assert names == set((root.get("aria-labelledby") or "").split())
        for element in root.iter("{http://www.w3.org/2000/svg}rect"):
            assert float(element.get("width") or 0) > 0


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_unanimity_is_drawn(value):
    one = Share(value, 0.0, value, value, 8)
    assert priorities_map([Priority("a", "A", one, one)]).endswith("</svg>")


def test_markup_is_told_and_not_obeyed():
    one = Share(0.1, 0.01, 0.05, 0.2, 50)
    svg = diverging_bars([Step("a", "x", "<script>&", 50, 0, {}, one, one)], SCALE)
    assert "<script>" not in svg
    assert "&lt;script&gt;&amp;" in svg
