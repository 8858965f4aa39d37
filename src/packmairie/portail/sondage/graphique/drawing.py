# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawing made of lines, boxes, circles and words, written as SVG that says what it shows.

Only presentation attributes are used, no style: the portal's policy allows none.
"""

from __future__ import annotations

from html import escape

WIDTH = 400
"""Units across: narrow, so that words stay readable on a telephone."""
INK, SOFT, GRID, PAPER = "#1d2530", "#566070", "#d5dae0", "#ffffff"
DEGREES = {2: "#12605f", 1: "#79b8b3", -1: "#f2b277", -2: "#a8480f"}
"""From very favourable to very unfavourable; told apart without seeing colours by their place and darkness."""


class Drawing:
    """An SVG of ``WIDTH`` by ``height`` units; ``name`` makes its identifiers unique in the page."""

    def __init__(self, name: str, title: str, description: str, height: float) -> None:
        self._parts: list[str] = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="graphique" viewBox="0 0 {WIDTH} {_n(height)}" role="img" '
            f'aria-labelledby="{name}-titre {name}-desc" font-family="system-ui, sans-serif" font-size="14">'
            f'<title id="{name}-titre">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        ]

    def box(  # noqa: PLR0917 - x, y, width and height are always given in this order
        self, x: float, y: float, width: float, height: float, fill: str, outline: str = "none"
    ) -> None:
        """Draw a rectangle; an outline separates it from its neighbour."""
        if round(width, 1) > 0:
            self._parts.append(
                f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{fill}" '
                f'stroke="{outline}" stroke-width="1"/>'
            )

    def line(  # noqa: PLR0917 - the two ends are always given in this order
        self, x1: float, y1: float, x2: float, y2: float, colour: str = INK, width: float = 1, dash: str = ""
    ) -> None:
        """Draw a line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke="{colour}" '
            f'stroke-width="{_n(width)}"{dashes}/>'
        )

    def whisker(self, low: float, high: float, y: float, half: float = 4, colour: str = INK) -> None:
        """Draw an interval lying along a row."""
        self.line(low, y, high, y, colour, 1.5)
        for end in (low, high):
            self.line(end, y - half, end, y + half, colour, 1.5)

    def circle(self, x: float, y: float, radius: float, fill: str) -> None:
        """Draw a disc."""
        self._parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{fill}"/>')

    def words(
        self, x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, size: float = 14,
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Write a line of text on its baseline."""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" fill="{colour}" font-size="{_n(size)}"{weight}>'
            f"{escape(text)}</text>"
        )

    def svg(self) -> str:
        """Return the drawing."""
        return "".join((*self._parts, "</svg>"))


def short(text: str, most: int = 23) -> str:
    """Return a text that fits beside a figure; the table has it whole."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
