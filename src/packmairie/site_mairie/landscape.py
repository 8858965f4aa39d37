# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawing under a commune's name, and its favicon: SVG made from its colour and its code, always the same.

Rolling fields, poplars, a few roofs and sometimes a mill: no emblem of the State nor of any faith.
"""

from __future__ import annotations

import hashlib
import math
from html import escape
from itertools import pairwise

from .colour import PAPER, WHITE, Palette, mix

WIDTH, HEIGHT = 1440, 190


class _Dice:
    """Numbers that look random and depend on the seed alone."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.count = 0

    def roll(self, low: float, high: float) -> float:
        """Return a number between two others."""
        self.count += 1
        digest = hashlib.sha256(f"{self.seed}/{self.count}".encode()).digest()
        return low + (high - low) * int.from_bytes(digest[:4], "big") / 0xFFFFFFFF


class _Hill:
    """A smooth line across the drawing."""

    def __init__(self, dice: _Dice, base: float, swell: float) -> None:
        self.base = base
        self.waves = [
            (swell * share, dice.roll(0.6, 1.5) * rank, dice.roll(0, 6.28)) for rank, share in ((1, 0.65), (2, 0.35))
        ]

    def at(self, x: float) -> float:
        """Return the height of the line, in pixels from the top."""
        turn = 2 * math.pi * x / WIDTH
        return self.base + sum(swell * math.sin(turn * pace + phase) for swell, pace, phase in self.waves)

    def path(self, start: int = 0, end: int = WIDTH, step: int = 60) -> str:
        """Return the line as the beginning of an SVG path."""
        points = [(x, self.at(x)) for x in range(start, end + 1, step)]
        text = f"M{points[0][0]} {points[0][1]:.0f}"
        for (x1, y1), (x2, y2) in pairwise(points):
            middle = (x1 + x2) / 2
            text += f"C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2} {y2:.0f}"
        return text


def landscape(insee: str, colours: Palette) -> str:
    """Given a code and a palette, return the drawing as SVG of about 4 kB, its foot of the colour of the paper."""
    dice = _Dice(insee)
    main = colours.main
    sky = mix(main, WHITE, 0.10)
    far, middle, near = (mix(main, WHITE, share) for share in (0.2, 0.36, 0.62))
    sun_x = dice.roll(900, 1250)
    hills = [_Hill(dice, 98, 11), _Hill(dice, 122, 12), _Hill(dice, 152, 9), _Hill(dice, 178, 5)]
    parts = [
        f'<circle cx="{sun_x:.0f}" cy="90" r="25" fill="{mix(main, colours.accent, 0.55)}"/>',
        f'<circle cx="{sun_x:.0f}" cy="90" r="35" fill="none" stroke="{sky}" stroke-width="2"/>',
        _ground(hills[0], far),
        _village(dice, hills[0], dice.roll(180, 460), mix(main, WHITE, 0.3), mix(main, WHITE, 0.08)),
        _ground(hills[1], middle),
        _furrows(hills[1], hills[2], mix(main, WHITE, 0.42), dice),
        _mill(hills[1], dice.roll(620, 800), mix(main, "#000000", 0.12), mix(main, WHITE, 0.3)),
        _poplars(dice, hills[1], dice.roll(980, 1180), mix(main, "#000000", 0.1)),
        _ground(hills[2], near),
        _furrows(hills[2], hills[3], mix(main, WHITE, 0.7), dice),
        _poplars(dice, hills[2], dice.roll(60, 200), mix(main, WHITE, 0.24)),
        _ground(hills[3], PAPER),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' preserveAspectRatio="xMidYMax slice">' + "".join(parts) + "</svg>\n"
    )


def _ground(hill: _Hill, colour: str) -> str:
    return f'<path d="{hill.path()}V{HEIGHT}H0z" fill="{colour}"/>'


def _furrows(above: _Hill, below: _Hill, colour: str, dice: _Dice) -> str:
    """Return lines of ploughing in one field between two hills."""
    start = int(dice.roll(100, 900) // 60 * 60)
    end = start + 420
    lines = []
    for rank in range(1, 5):
        share = rank / 5
        points = [(x, above.at(x) + (below.at(x) - above.at(x)) * share) for x in range(start, end + 1, 60)]
        text = f"M{points[0][0]} {points[0][1]:.0f}"
        for (x1, y1), (x2, y2) in pairwise(points):
            text += f"C{(x1 + x2) / 2:.0f} {y1:.0f} {(x1 + x2) / 2:.0f} {y2:.0f} {x2} {y2:.0f}"
        lines.append(text)
    return f'<path d="{"".join(lines)}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linecap="round"/>'


def _village(dice: _Dice, hill: _Hill, x: float, wall: str, roof: str) -> str:
    shapes = ""
    for _house in range(5):
        width, height = dice.roll(26, 42), dice.roll(12, 17)
        ground = hill.at(x + width / 2) + 6
        top = ground - height
        shapes += f'<path d="M{x:.0f} {ground:.0f}V{top:.0f}h{width:.0f}V{ground:.0f}z" fill="{wall}"/>'
        shapes += (
            f'<path d="M{x - 3:.0f} {top:.0f}l8-{dice.roll(10, 15):.0f}h{width - 10:.0f}'
            f'L{x + width + 3:.0f} {top:.0f}z"'
            f' fill="{roof}"/>'
        )
        x += width + dice.roll(5, 22)
    return shapes


def _poplars(dice: _Dice, hill: _Hill, x: float, colour: str) -> str:
    shapes = ""
    for _tree in range(5):
        height = dice.roll(26, 44)
        ground = hill.at(x) + 3
        shapes += (
            f'<ellipse cx="{x:.0f}" cy="{ground - height / 2 - 3:.0f}" rx="{height / 6.5:.1f}" ry="{height / 2:.1f}"/>'
        )
        shapes += f'<path d="M{x - 1:.0f} {ground:.0f}v-8h2v8z"/>'
        x += dice.roll(17, 30)
    return f'<g fill="{colour}">{shapes}</g>'


def _mill(hill: _Hill, x: float, colour: str, cap: str) -> str:
    ground = hill.at(x) + 4
    top = ground - 34
    sails = "".join(
        f'<path d="M0 0L{26 * math.cos(angle):.1f} {26 * math.sin(angle):.1f}"/>'
        for angle in (math.pi / 4 + quarter * math.pi / 2 for quarter in range(4))
    )
    return (
        f'<path d="M{x - 10:.0f} {ground:.0f}L{x - 6:.0f} {top:.0f}h12L{x + 10:.0f} {ground:.0f}z" fill="{colour}"/>'
        f'<path d="M{x - 8:.0f} {top:.0f}q8-13 16 0z" fill="{colour}"/>'
        f'<g transform="translate({x:.0f} {top:.0f})" stroke="{colour}" stroke-width="3"'
        f' stroke-linecap="round">{sails}</g>'
        f'<circle cx="{x:.0f}" cy="{top:.0f}" r="2.5" fill="{cap}"/>'
    )


def favicon(name: str, colours: Palette) -> str:
    """Given the commune's name, return its initial on its colour as SVG."""
    initial = name[:1].upper()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="14" fill="{colours.main}"/>'
        f'<path d="M0 52q16-9 32-3t32-4v5a14 14 0 0 1-14 14H14A14 14 0 0 1 0 50z"'
        f' fill="{mix(colours.main, WHITE, 0.3)}"/>'
        f'<text x="32" y="43" text-anchor="middle" font-family="Georgia,serif" font-size="38" font-weight="700"'
        f' fill="{WHITE}">{escape(initial)}</text></svg>\n'
    )
