# SPDX-License-Identifier: GPL-3.0-or-later
"""What a coat of arms may be: a small PNG, JPEG or WebP. SVG is refused, because it may hold active content."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_OCTETS = 12_000
MAX_SIDE = 1200
_JPEG_SIZES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


@dataclass(frozen=True)
class Picture:
    """An image that was recognised: its extension, its width and height in pixels."""

    extension: str
    width: int
    height: int


def recognise(data: bytes) -> Picture:
    """Given the content of a file, return what image it is. Raise ValueError with a reason that follows its name."""
    if len(data) > MAX_OCTETS:
        raise ValueError(f"pèse {len(data)} octets, plus que {MAX_OCTETS} : le réduire à 200 pixels de côté")
    picture = _png(data) or _webp(data) or _jpeg(data)
    if picture is None:
        raise ValueError("n'est pas une image PNG, JPEG ou WebP (le SVG n'est pas accepté)")
    if not (16 <= picture.width <= MAX_SIDE and 16 <= picture.height <= MAX_SIDE):
        raise ValueError(f"mesure {picture.width} × {picture.height} pixels : il faut de 16 à {MAX_SIDE} de côté")
    return picture


def _png(data: bytes) -> Picture | None:
    if len(data) < 33 or data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return Picture("png", width, height)


def _webp(data: bytes) -> Picture | None:
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return Picture("webp", 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Picture("webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return Picture("webp", width & 0x3FFF, height & 0x3FFF)
    return None


def _jpeg(data: bytes) -> Picture | None:
    if data[:3] != b"\xff\xd8\xff":
        return None
    position = 2
    while position + 9 < len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return Picture("jpg", width, height)
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None
