# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON read with the line of every value, so that a refusal can say where: the standard reader forgets positions."""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from packmairie.formats.findings import Path

MAX_BYTES = 50 * 1024 * 1024
MAX_DEPTH = 40
_BLANK = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def read_json(content: bytes) -> tuple[Any, dict[Path, int]]:
    """Given the bytes of a JSON document, return its value, and the line of each of its values by path.

    Raise ValueError, with the line, for what is not JSON, repeats a key, or is nested beyond reason.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"dépasse {MAX_BYTES // 1024 // 1024} Mio")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"n'est pas en UTF-8 (octet {error.start})") from None
    reader = _Reader(text)
    value, end = reader.value(reader.skip(0), (), 0)
    if reader.skip(end) != len(text):
        raise ValueError(f"ligne {reader.line(reader.skip(end))} : texte après la fin du document")
    return value, reader.lines


class _Reader:
    """A recursive reader; the depth is bounded, and positions only grow, so lines are counted once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[Path, int] = {}
        self._at, self._line = 0, 1

    def line(self, position: int) -> int:
        """Return the line of a position not before the last one asked."""
        if position >= self._at:
            self._line += self.text.count("\n", self._at, position)
            self._at = position
        return self._line

    def skip(self, position: int) -> int:
        found = _BLANK.match(self.text, position)
        return found.end() if found else position

    def value(self, position: int, path: Path, depth: int) -> tuple[Any, int]:
        self.lines[path] = self.line(position)
        if depth > MAX_DEPTH:
            raise ValueError(f"ligne {self.line(position)} : plus de {MAX_DEPTH} niveaux imbriqués")
        head = self.text[position : position + 1]
        if head == "{":
            return self._members(position + 1, path, depth)
        if head == "[":
            return self._items(position + 1, path, depth)
        if head == '"':
            return self._string(position)
        found = _SCALAR.match(self.text, position)
        if not found:
            raise self._fault(position)
        return json.loads(found.group()), found.end()

    def _string(self, position: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self.text, position + 1, True)
        except ValueError:
            raise self._fault(position) from None
        return text, end

    def _members(self, position: int, path: Path, depth: int) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        position = self.skip(position)
        if self.text[position : position + 1] == "}":
            return result, position + 1
        while True:
            if self.text[position : position + 1] != '"':
                raise self._fault(position)
            key, position = self._string(position)
            if key in result:
                raise ValueError(f"ligne {self.line(position)} : clé « {key} » en double")
            position = self.skip(position)
            if self.text[position : position + 1] != ":":
                raise self._fault(position)
            result[key], position = self.value(self.skip(position + 1), (*path, key), depth + 1)
            position = self.skip(position)
            mark = self.text[position : position + 1]
            position = self.skip(position + 1)
            if mark == "}":
                return result, position
            if mark != ",":
                raise self._fault(position - 1)

    def _items(self, position: int, path: Path, depth: int) -> tuple[list[Any], int]:
        result: list[Any] = []
        position = self.skip(position)
        if self.text[position : position + 1] == "]":
            return result, position + 1
        while True:
            item, position = self.value(position, (*path, len(result)), depth + 1)
            result.append(item)
            position = self.skip(position)
            mark = self.text[position : position + 1]
            position = self.skip(position + 1)
            if mark == "]":
                return result, position
            if mark != ",":
                raise self._fault(position - 1)

    def _fault(self, position: int) -> ValueError:
        return ValueError(f"ligne {self.line(max(position, self._at))} : JSON mal formé")
