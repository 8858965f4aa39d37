# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame and the draw as CSV that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.portail.sondage.statistique.draw import Draw
from packmairie.portail.sondage.statistique.frame import VARIABLES, Stratum, Unit

COLUMNS = ("identifiant", "nom", "departement", "population", "adhesion", "epci", "courriel")
MARK = "\ufeff"
"""Byte order mark: without it a spreadsheet takes UTF-8 for something else."""


def write_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV for French spreadsheets: semicolons, decimal commas, UTF-8 mark.

    A text that a spreadsheet would take for a formula is preceded by an apostrophe (OWASP, *CSV Injection*).
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return MARK + out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}".replace(".", ",")
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def write_frame(units: Iterable[Unit]) -> str:
    """Return a frame as CSV."""
    return write_table(COLUMNS, ([getattr(unit, name) for name in COLUMNS] for unit in units))


def read_frame(text: str, place: str) -> tuple[Unit, ...]:
    """Return the units of a frame in CSV (semicolons or commas), ``place`` naming it in messages.

    Raise PackmairieError with every faulty line.
    """
    lines = text.removeprefix(MARK).splitlines()
    if not lines:
        raise fail(place, "base de sondage vide", f"donner les colonnes {', '.join(COLUMNS)}")
    delimiter = ";" if ";" in lines[0] else ","
    reader = csv.DictReader(lines, delimiter=delimiter)
    missing = [name for name in COLUMNS[:-1] if name not in (reader.fieldnames or ())]
    if missing:
        raise fail(place, f"colonnes manquantes : {', '.join(missing)}", f"donner {', '.join(COLUMNS)}")
    units: list[Unit] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for number, row in enumerate(reader, start=2):
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        wrong = _fault(cells, seen)
        if wrong:
            problems.append(Problem(f"{place}:{number}", wrong, "corriger la ligne"))
            continue
        seen.add(cells["identifiant"])
        units.append(
            Unit(
                cells["identifiant"], cells["nom"], cells["departement"], int(cells["population"]), cells["adhesion"],
                cells["epci"], cells["courriel"],
            )
        )  # fmt: skip
    if problems:
        raise PackmairieError(problems)
    if not units:
        raise fail(place, "aucune collectivité", "donner une ligne par collectivité")
    return tuple(units)


def _fault(cells: dict[str, str], seen: set[str]) -> str:
    empty = [name for name in COLUMNS[:-1] if not cells[name]]
    if empty:
        return f"valeur manquante : {', '.join(empty)}"
    if not (cells["population"].isascii() and cells["population"].isdigit() and len(cells["population"]) < 9):
        return f"population illisible : {cells['population'][:20]}"
    if any(len(value) > 120 or "*" in value or not value.isprintable() for value in cells.values()):
        return "texte trop long, étoile ou caractère de contrôle"
    if cells["courriel"] and (cells["courriel"].count("@") != 1 or " " in cells["courriel"]):
        return f"adresse illisible : {cells['courriel'][:60]}"
    return "collectivité déjà présente plus haut" if cells["identifiant"] in seen else ""


def write_deviations(known: Mapping[Stratum, float]) -> str:
    """Return the deviations of a former survey as CSV: one line a group, « * » where a value is not told."""
    rows = ([*label, f"{value:.4f}".replace(".", ",")] for label, value in sorted(known.items()))
    return write_table((*VARIABLES, "ecart"), rows)


def read_deviations(text: str, place: str) -> dict[Stratum, float]:
    """Return the deviations of a CSV made by ``write_deviations``, or by hand; ``place`` names it in messages.

    Raise PackmairieError with every faulty line.
    """
    lines = text.removeprefix(MARK).splitlines()
    wanted = (*VARIABLES, "ecart")
    reader = csv.DictReader(lines, delimiter=";" if lines and ";" in lines[0] else ",")
    missing = [name for name in wanted if name not in (reader.fieldnames or ())]
    if missing:
        raise fail(place, f"colonnes manquantes : {', '.join(missing)}", f"donner {', '.join(wanted)}")
    found: dict[Stratum, float] = {}
    problems = []
    for number, row in enumerate(reader, start=2):
        label = tuple((row[name] or "").strip() for name in VARIABLES)
        written = (row["ecart"] or "").strip().replace(",", ".")
        try:
            value = float(written)
        except ValueError:
            value = -1.0
        if not all(label) or not 0 <= value <= 0.5:
            problems.append(Problem(f"{place}:{number}", "valeur absente, ou écart hors de 0–0,5", "corriger la ligne"))
        found[label] = value
    if problems:
        raise PackmairieError(problems)
    if not found:
        raise fail(place, "aucun écart", "donner une ligne par groupe de strates")
    return found


def write_draw(drawn: Draw) -> str:
    """Return a draw as CSV: who is asked, then the replacements of each stratum in order."""
    header = ("role", "rang", *drawn.variables, "identifiant", "nom", "courriel")
    ordered = sorted(drawn.ordre, key=lambda one: (not one.titulaire, one.strate, one.rang))
    return write_table(
        header,
        (
            ("titulaire" if one.titulaire else "remplacement", one.rang, *one.strate, one.unit.identifiant,
             one.unit.nom, one.unit.courriel)
            for one in ordered
        ),
    )  # fmt: skip
