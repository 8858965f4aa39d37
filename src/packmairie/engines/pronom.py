# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of file a file is, by the PRONOM registry of the National Archives (UK), offline.

The signatures are those that the library carries: nothing is asked of any server.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Format:
    """A format: its PRONOM identifier (``fmt/18``), name and media type; all empty when nothing matched."""

    puid: str = ""
    name: str = ""
    mime: str = ""
    by_content: bool = False
    """False when only the extension told: an archivist trusts that less."""


class Pronom:
    """Identifies files one after the other; loading the signatures takes about a second, once."""

    def __init__(self) -> None:
        from fido import CONFIG_DIR  # noqa: PLC0415 — a second of loading that only a preparation pays
        from fido.fido import Fido  # noqa: PLC0415

        files = sorted(path.name for path in Path(CONFIG_DIR).glob("formats-v*.xml"))
        if not files:
            raise FileNotFoundError("opf-fido n'a pas apporté ses signatures PRONOM")
        self._found: list[tuple[Any, str]] = []
        self._fido = Fido(quiet=True, handle_matches=self._keep, format_files=(files[-1], "format_extensions.xml"))

    def _keep(self, _name: str, matches: list[Any], _seconds: float, kind: str = "") -> None:
        self._found += [(match[0], kind) for match in matches]

    def identify(self, path: Path) -> Format:
        """Return a file's format. A file that breaks the library has no known format: it never stops a transfer."""
        self._found = []
        try:
            with (
                warnings.catch_warnings(),
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                # The library leaves the closing of each file to the end of its function.
                warnings.simplefilter("ignore", ResourceWarning)
                self._fido.identify_file(str(path))
        except Exception:  # noqa: BLE001 — hostile files make parsers raise anything
            return Format()
        # The first match is the one of highest priority.
        for element, kind in self._found[:1]:
            puid = str(self._fido.get_puid(element))
            if re.fullmatch(r"(x-)?fmt/[0-9]+", puid):
                return Format(puid, _text(element, "name"), _text(element, "mime"), kind != "extension")
        return Format()


def _text(element: Any, name: str) -> str:
    found = element.find(name)
    text = (found.text or "").strip() if found is not None else ""
    # PRONOM may give several media types on one line.
    return text.split(",")[0].strip()
