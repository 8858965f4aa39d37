# SPDX-License-Identifier: GPL-3.0-or-later
"""Preuves as CSV: the keys of ``status --json`` as columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from packmairie.model.preuve import Preuve
from packmairie.reports.status_json import preuve_dict
from packmairie.reports.status_report import preuve_order

COLUMNS = ("commune", "brique", "check", "state", "measured", "expected", "remedy", "at", "rpnt")
BYTE_ORDER_MARK = "\ufeff"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render_csv(preuves: Iterable[Preuve], *, for_spreadsheet: bool = False) -> str:
    """Given preuves, return CSV as RFC 4180 describes (comma, CRLF, header), in stable order, to write as UTF-8.

    ``for_spreadsheet`` writes what a French spreadsheet opens by a double click: semicolons and a byte order mark.
    A cell that a spreadsheet would run as a formula (it may come from a stranger's DNS) is preceded by an
    apostrophe, as OWASP advises; exact values are in the JSON.
    """
    output = io.StringIO()
    if for_spreadsheet:
        output.write(BYTE_ORDER_MARK)
    writer = csv.writer(output, delimiter=";" if for_spreadsheet else ",")
    writer.writerow(COLUMNS)
    for preuve in sorted(preuves, key=preuve_order):
        data = preuve_dict(preuve)
        writer.writerow([inert(str(data.get(column, ""))) for column in COLUMNS])
    return output.getvalue()


def inert(cell: str) -> str:
    """Return a cell that no spreadsheet runs."""
    text = cell.replace("\0", "\ufffd")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
