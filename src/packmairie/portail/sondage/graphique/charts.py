# SPDX-License-Identifier: GPL-3.0-or-later
"""The three charts of a result page. Each repeats figures that a table beside it gives in full."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from packmairie.portail.sondage.graphique.drawing import DEGREES, GRID, INK, PAPER, SOFT, WIDTH, Drawing, short
from packmairie.portail.sondage.resultats.compute import Evolution, Priority, Step
from packmairie.portail.sondage.resultats.wording import figure, percent
from packmairie.portail.sondage.statistique.estimates import Share

Scale = Sequence[tuple[str, str, int]]


def diverging_bars(steps: Sequence[Step], scale: Scale) -> str:
    """Draw a bar per step: unfavourable degrees left of the middle line, favourable ones right of it.

    The interval is that of the share of dissatisfied, at the left end. ``scale`` is (code, wording, sense), most
    favourable first.
    """
    row, top, bottom = 60, 62, 28
    height = top + row * len(steps) + bottom
    drawing = Drawing(
        "barres",
        "Satisfaction à chaque étape",
        "Pour chaque étape, barre des insatisfaits à gauche et des satisfaits à droite, avec l'intervalle de confiance "
        "des insatisfaits. Le tableau qui suit donne les mêmes chiffres.",
        height,
    )
    left_end = max((step.insatisfaits.high for step in steps), default=0.1)
    left_end = min(1.0, math.ceil(left_end * 10) / 10)
    unit = (WIDTH - 16) / (1 + left_end)
    zero = 8 + left_end * unit
    _legend(drawing, [(wording, DEGREES[sense]) for _code, wording, sense in sorted(scale, key=lambda s: s[2])])
    for tick in range(-int(left_end * 100) // 20 * 20, 101, 20):
        x = zero + tick / 100 * unit
        if x >= 7:
            drawing.line(x, top - 8, x, height - bottom, GRID)
            drawing.words(
                min(x, WIDTH - 20), height - 8, f"{abs(tick)}\u00a0%", anchor="middle", colour=SOFT, size=12
            )  # fmt: skip
    for index, step in enumerate(steps):
        y = top + index * row
        drawing.words(8, y + 12, short(step.court), bold=True)
        drawing.words(WIDTH - 8, y + 12, f"insatisfaits : {figure(step.insatisfaits)}", anchor="end", size=13)
        for favourable in (True, False):
            x = zero
            inner_first = sorted((s for s in scale if (s[2] > 0) == favourable), key=lambda s: abs(s[2]))
            for code, _wording, sense in inner_first:
                width = step.degres[code].value * unit if code in step.degres else 0.0
                x = x if favourable else x - width
                drawing.box(x, y + 20, width, 22, DEGREES[sense], PAPER)
                if width > 34:
                    dark = abs(sense) == 2
                    drawing.words(
                        x + width / 2, y + 36, percent(step.degres[code].value), anchor="middle", size=13,
                        colour=PAPER if dark else INK,
                    )  # fmt: skip
                x = x + width if favourable else x
        bad = step.insatisfaits
        drawing.whisker(zero - bad.high * unit, zero - bad.low * unit, y + 46)
        drawing.line(zero, y + 18, zero, y + 52, INK, 1.5)
    return drawing.svg()


def priorities_map(points: Sequence[Priority]) -> str:
    """Draw each step by the share that finds it very important (across) and that is dissatisfied (up).

    Arms are the intervals; dashed lines are the means. Numbers are those of the table beside it.
    """
    height, left, right, top, bottom = 420, 52, 14, 30, 46
    drawing = Drawing(
        "carte",
        "Carte des priorités",
        "Chaque étape selon son importance, en abscisse, et l'insatisfaction, en ordonnée. En haut à droite, ce qu'il "
        "faut traiter d'abord. Le tableau qui suit donne les mêmes chiffres.",
        height,
    )
    x_low, x_high = _range([p.importance for p in points])
    y_low, y_high = _range([p.insatisfaits for p in points])

    def x_of(value: float) -> float:
        return left + (value - x_low) / (x_high - x_low) * (WIDTH - left - right)

    def y_of(value: float) -> float:
        return height - bottom - (value - y_low) / (y_high - y_low) * (height - top - bottom)

    for tick in _ticks(x_low, x_high):
        drawing.line(x_of(tick), top, x_of(tick), height - bottom, GRID)
        drawing.words(x_of(tick), height - bottom + 18, percent(tick), anchor="middle", colour=SOFT, size=12)
    for tick in _ticks(y_low, y_high):
        drawing.line(left, y_of(tick), WIDTH - right, y_of(tick), GRID)
        drawing.words(left - 6, y_of(tick) + 4, percent(tick), anchor="end", colour=SOFT, size=12)
    if points:
        across = x_of(sum(p.importance.value for p in points) / len(points))
        up = y_of(sum(p.insatisfaits.value for p in points) / len(points))
        drawing.line(across, top, across, height - bottom, SOFT, 1, "4 3")
        drawing.line(left, up, WIDTH - right, up, SOFT, 1, "4 3")
    drawing.words(WIDTH - right, top + 14, "À traiter d'abord", anchor="end", colour=DEGREES[-2], bold=True)
    drawing.words(left + 6, height - bottom - 8, "Moins urgent", colour=SOFT)
    drawing.words(WIDTH - right, height - bottom - 8, "À préserver", anchor="end", colour=DEGREES[2], bold=True)
    drawing.words(8, 16, "Part d'insatisfaits", colour=SOFT, size=13)
    drawing.words(
        WIDTH - right, height - 8, "Part qui juge l'étape très importante →", anchor="end", colour=SOFT, size=13
    )
    for point in points:
        x, y = x_of(point.importance.value), y_of(point.insatisfaits.value)
        drawing.line(x_of(point.importance.low), y, x_of(point.importance.high), y, SOFT)
        drawing.line(x, y_of(point.insatisfaits.low), x, y_of(point.insatisfaits.high), SOFT)
    for number, point in enumerate(points, start=1):
        x, y = x_of(point.importance.value), y_of(point.insatisfaits.value)
        drawing.circle(x, y, 10, INK)
        drawing.words(x, y + 4.5, str(number), anchor="middle", colour=PAPER, size=13, bold=True)
    return drawing.svg()


def trend(evolutions: Sequence[Evolution]) -> str:
    """Draw the share of dissatisfied of each step over the years, with its interval, one strip per step."""
    row, top = 104, 8
    drawing = Drawing(
        "evolution",
        "Évolution de l'insatisfaction",
        "Pour chaque étape, part d'insatisfaits et intervalle de confiance de chaque année. Le tableau qui suit donne "
        "les mêmes chiffres.",
        top + row * len(evolutions) + 8,
    )
    highest = max([0.1, *(share.high for e in evolutions for _year, share in e.annees)])
    years = sorted({year for e in evolutions for year, _share in e.annees})
    gap = (WIDTH - 120) / max(1, len(years) - 1)
    for index, evolution in enumerate(evolutions):
        y = top + index * row
        base = y + 86
        drawing.words(8, y + 14, evolution.court, bold=True)
        drawing.line(30, base, WIDTH - 30, base, GRID)
        places = [
            (60 + years.index(year) * gap, base - 44 * share.value / highest, year, share)
            for year, share in evolution.annees
        ]
        for (x1, y1, _a, _b), (x2, y2, _c, _d) in pairwise(places):
            drawing.line(x1, y1, x2, y2, DEGREES[2], 2)
        for x, height, year, share in places:
            drawing.line(x, base - 44 * share.low / highest, x, base - 44 * share.high / highest, SOFT, 1.5)
            drawing.circle(x, height, 4.5, DEGREES[2])
            drawing.words(x + 7, height - 7, percent(share.value), size=13)
            drawing.words(x, base + 15, str(year), anchor="middle", colour=SOFT, size=12)
    return drawing.svg()


def _legend(drawing: Drawing, entries: Sequence[tuple[str, str]]) -> None:
    for index, (wording, colour) in enumerate(entries):
        x, y = 8 + index % 2 * WIDTH / 2, 4 + index // 2 * 20
        drawing.box(x, y, 14, 14, colour)
        drawing.words(x + 20, y + 12, wording, size=13)


def _range(shares: Sequence[Share]) -> tuple[float, float]:
    """Return the tens of percent around all intervals, at least one apart."""
    low = min((share.low for share in shares), default=0.0)
    high = max((share.high for share in shares), default=1.0)
    start = min(math.floor(low * 10), 9)
    return max(0, start) / 10, min(10, max(math.ceil(high * 10), start + 1)) / 10


def _ticks(low: float, high: float) -> list[float]:
    step = 0.1 if high - low <= 0.6 else 0.2
    return [low + i * step for i in range(round((high - low) / step) + 1)]
