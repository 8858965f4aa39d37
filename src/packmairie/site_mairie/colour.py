# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of a site: the ones derived from the commune's, and whether they can be read (WCAG 2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

TEXT_CONTRAST = 4.5
"""Least contrast of text with its background (WCAG 2.2, criterion 1.4.3, level AA)."""
MARK_CONTRAST = 3.0
"""Least contrast of a mark that carries meaning, such as the current page or the focus (criterion 1.4.11)."""

WHITE = "#ffffff"
PAPER = "#fbfaf7"
INK = "#23211e"
DEFAULTS = ("#2f5d50", "#7a3b2e", "#3d4f6b", "#6b3f5b", "#56602b", "#2b5f6b", "#75501f", "#4a4a63")
"""Colours of communes that have chosen none; neighbours in the register get different ones."""

_HEX = re.compile(r"#[0-9a-f]{6}")


def parse_colour(colour: str) -> tuple[int, int, int]:
    """Given ``#rrggbb`` in lower case, return its components, 0 to 255. Raise ValueError."""
    if not _HEX.fullmatch(colour):
        raise ValueError("n'est pas une couleur de la forme #1f5c4a")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    channels = []
    for value in parse_colour(colour):
        share = value / 255
        channels.append(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(colour: str, other: str, share: float) -> str:
    """Return a colour with a share (0 to 1) of another mixed in."""
    pairs = zip(parse_colour(colour), parse_colour(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def ratio_text(ratio: float) -> str:
    """Return a contrast as it is written in French, rounded down so that a failure never reads as a success."""
    return f"{int(ratio * 100) / 100:.2f}:1".replace(".", ",")


@dataclass(frozen=True)
class Palette:
    """Every colour of the stylesheet and of the drawings."""

    main: str
    """Header and footer, under white text."""
    accent: str
    """Marks on the header."""
    link: str
    """Text of links on paper and on panels."""
    deep: str
    panel: str
    line: str


def refuse_unreadable(main: str, accent: str | None = None) -> None:
    """Given the colours that a commune chose, raise ValueError naming both colours when one cannot be read."""
    found = contrast(main, WHITE)
    if found < TEXT_CONTRAST:
        raise ValueError(
            f"ne se lit pas : contraste de {ratio_text(found)} entre {main} et le texte blanc {WHITE},"
            f" il en faut {ratio_text(TEXT_CONTRAST)} (choisir une couleur plus foncée)"
        )
    if accent is None:
        return
    found = contrast(accent, main)
    if found < MARK_CONTRAST:
        raise ValueError(
            f"ne se voit pas : contraste de {ratio_text(found)} entre {accent} et la couleur principale {main},"
            f" il en faut {ratio_text(MARK_CONTRAST)} (choisir une couleur plus claire)"
        )


def palette(main: str, accent: str | None = None) -> Palette:
    """Given a commune's colours, return the whole palette, readable by construction. Raise ValueError."""
    refuse_unreadable(main, accent)
    panel = mix(PAPER, main, 0.06)
    link = main
    while contrast(link, panel) < TEXT_CONTRAST + 0.5:
        link = mix(link, "#000000", 0.08)
    return Palette(
        main=main,
        accent=accent or _light_accent(main),
        link=link,
        deep=mix(main, "#000000", 0.28),
        panel=panel,
        line=mix(PAPER, main, 0.2),
    )


def _light_accent(main: str) -> str:
    """Return a warm light colour that can be seen on the main one."""
    accent = mix(mix(main, "#f6dfa4", 0.72), WHITE, 0.1)
    while contrast(accent, main) < MARK_CONTRAST:
        accent = mix(accent, WHITE, 0.2)
    return accent


def default_colour(insee: str) -> str:
    """Given an INSEE code, return the colour of a commune that has chosen none."""
    return DEFAULTS[sum(map(ord, insee)) * 7 % len(DEFAULTS)]
