# SPDX-License-Identifier: GPL-3.0-or-later
"""The register as a CSV file, as a spreadsheet of a mairie saves it: comma or semicolon, UTF-8 or Windows-1252."""

from __future__ import annotations

import csv
import io
import unicodedata

from packmairie.formats.decp.register import EVERY_COLUMN, Row
from packmairie.formats.findings import Finding, Report, report

MAX_BYTES = 2 * 1024 * 1024
ONLY_YAML = ("sous_traitants", "modifications", "modifications_sous_traitance", "execution")
"""Nested values: a cell of a spreadsheet cannot hold them."""


def read_csv(content: bytes) -> tuple[tuple[Row, ...], Report]:
    """Given the bytes of a CSV file whose first line names the columns, return its rows and what is wrong with it.

    Lists are separated by ``|``. Rows without any value are left out.
    """
    if len(content) > MAX_BYTES:
        return (), _refusal(0, f"dépasse {MAX_BYTES // 1024} Kio", "un registre par commune : retirer le reste")
    text = _decode(content)
    if "\x00" in text:
        return (), _refusal(0, "n'est pas un fichier de texte", "enregistrer le tableau au format CSV")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    rows: list[Row] = []
    findings: list[Finding] = []
    names: list[str] = []
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [_column(cell) for cell in cells]
                findings += _header(names, line)
                continue
            if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                findings.append(
                    Finding(line, "", "plus de cellules que de colonnes", "vérifier le séparateur et les guillemets")
                )
            values = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
            rows.append(Row(values, line))
    except csv.Error as error:
        findings.append(Finding(reader.line_num, "", f"CSV illisible ({error})", "vérifier les guillemets de la ligne"))
    if not names:
        findings.append(Finding(0, "", "le fichier est vide", "la première ligne nomme les colonnes"))
    return tuple(rows), report(findings)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _separator(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    return max(";,\t", key=first.count)


def _column(cell: str) -> str:
    """Return a column's name as the register knows it: ``Durée (mois)`` is not guessed, ``Durée mois`` is."""
    flat = unicodedata.normalize("NFKD", cell.strip().casefold()).encode("ascii", "ignore").decode("ascii")
    return flat.replace(" ", "_").replace("-", "_").replace("'", "_")


def _header(names: list[str], line: int) -> list[Finding]:
    known = ", ".join(name for name in EVERY_COLUMN if name not in ONLY_YAML)
    found = []
    for name in dict.fromkeys(names):
        if names.count(name) > 1 and name:
            found.append(Finding(line, "", f"colonne « {name} » en double", "garder une seule des deux"))
        if name in ONLY_YAML:
            found.append(Finding(line, "", f"« {name} » n'existe pas en CSV", "tenir ce registre en YAML"))
    if "numero" not in names:
        found.append(Finding(line, "", "aucune colonne « numero »", f"la première ligne nomme les colonnes : {known}"))
    return found


def _refusal(line: int, reason: str, remedy: str) -> Report:
    return report([Finding(line, "", reason, remedy)])
