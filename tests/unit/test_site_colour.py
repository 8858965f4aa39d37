# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours that cannot be read are refused, with both figures; derived ones can always be read."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from inventory_samples import RICH, RIENCOURT, make_pack

from packmairie.inventory.loader import load_pack
from packmairie.model.problem import PackmairieError
from packmairie.site_mairie.colour import (
    DEFAULTS,
    PAPER,
    WHITE,
    contrast,
    default_colour,
    palette,
    ratio_text,
    refuse_unreadable,
)

COLOURS = st.tuples(*[st.integers(0, 255)] * 3).map(lambda rgb: "#{:02x}{:02x}{:02x}".format(*rgb))


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.47),
        ("#ffffff", "#ffffff", 1),
    ],
)
def test_contrast_as_wcag_computes_it(first, second, ratio):
    assert contrast(first, second) == pytest.approx(ratio, abs=0.01)
    assert contrast(second, first) == contrast(first, second)


@pytest.mark.parametrize("colour", ["#f2c300", "#777777", "#ffffff", "#e60000"])
def test_unreadable_main_colour_is_refused_with_both_figures(colour):
    if colour == "#e60000":
        refuse_unreadable(colour)
        return
    with pytest.raises(ValueError, match=r"contraste de \d+,\d\d:1 entre .+ il en faut 4,50:1"):
        refuse_unreadable(colour)


def test_unseen_accent_is_refused_with_both_figures():
    with pytest.raises(ValueError, match=r"contraste de 1,\d\d:1 entre #336655 et .+ #2f5d50, il en faut 3,00:1"):
        refuse_unreadable("#2f5d50", "#336655")


def test_figures_are_rounded_down():
    assert ratio_text(4.4999) == "4,49:1"


@given(COLOURS)
def test_whatever_is_accepted_can_be_read(main):
    assume(contrast(main, WHITE) >= 4.5)
    colours = palette(main)
    assert contrast(colours.main, WHITE) >= 4.5
    assert contrast(colours.deep, WHITE) >= 4.5
    assert contrast(colours.accent, colours.main) >= 3
    assert contrast(colours.link, PAPER) >= 4.5
    assert contrast(colours.link, colours.panel) >= 4.5
    assert contrast("#5d5953", colours.panel) >= 4.5


def test_defaults_can_be_read():
    for colour in DEFAULTS:
        palette(colour)
    assert default_colour("62708") in DEFAULTS


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('principale: "#2f5d50"', 'principale: "#f2c300"', "« #f2c300 » ne se lit pas : contraste de 1,6"),
        ('accent: "#f0c75e"', 'accent: "#2f5d51"', "ne se voit pas : contraste de 1,0"),
        ('principale: "#2f5d50"', 'principale: "vert"', "n'est pas une couleur de la forme"),
    ],
)
def test_the_commune_file_is_refused_at_its_line(tmp_path, before, after, told):
    pack = make_pack(tmp_path / "pack", "62708")
    (pack / "communes" / RIENCOURT).write_text(RICH.replace(before, after), encoding="utf-8")
    with pytest.raises(PackmairieError) as error:
        load_pack(pack)
    assert f"{RIENCOURT}:" in str(error.value)
    assert told in str(error.value)
    assert "site.couleurs" in str(error.value)
