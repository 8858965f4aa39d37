# SPDX-License-Identifier: GPL-3.0-or-later
"""The yearly list of contracts between the two thresholds (25 000 to 40 000 €), published in the first quarter."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from packmairie.formats.decp.rules import is_works, parse_day
from packmairie.formats.decp.thresholds import TABLE, Thresholds, in_force

HEADER = ("Objet", "Montant HT (€)", "Date de notification", "Attributaire", "Nature", "Numéro")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet."""


def split(contracts: Sequence[dict[str, Any]], table: Sequence[Thresholds] = TABLE) -> tuple[list[Any], list[Any]]:
    """Given contracts in DECP form, return (those to publish as essential data, those for a yearly list).

    A contract without readable date or amount stays among the first: verification tells it.
    """
    essential, listed = [], []
    for contract in contracts:
        day, amount = parse_day(contract.get("dateNotification")), contract.get("montant")
        row = in_force(day, table) if day else None
        if row and isinstance(amount, (int, float)) and row.liste <= amount < row.decp:
            listed.append(contract)
        else:
            essential.append(contract)
    return essential, listed


def yearly_lists(contracts: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Given the contracts of the lists, return one CSV (semicolons, UTF-8 with its mark) for each year."""
    years: dict[int, list[dict[str, Any]]] = {}
    for contract in contracts:
        day = parse_day(contract.get("dateNotification"))
        if day:
            years.setdefault(day.year, []).append(contract)
    return {year: _table(rows) for year, rows in sorted(years.items())}


def _table(contracts: Sequence[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    for contract in sorted(contracts, key=lambda item: (str(item.get("dateNotification")), str(item.get("id")))):
        holders = ", ".join(
            f"{item['titulaire']['typeIdentifiant']} {item['titulaire']['id']}"
            for item in contract.get("titulaires", [])
            if isinstance(item, dict) and isinstance(item.get("titulaire"), dict)
        )
        kind = "Travaux" if is_works(contract) else "Fournitures ou services"
        amount = f"{contract['montant']:.2f}".replace(".", ",")
        cells = (contract.get("objet", ""), amount, contract["dateNotification"], holders, kind, contract.get("id", ""))
        writer.writerow([_safe(str(cell)) for cell in cells])
    # The mark of UTF-8, without which a spreadsheet shows « rÃ©fection ».
    return "\ufeff" + stream.getvalue()


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell
