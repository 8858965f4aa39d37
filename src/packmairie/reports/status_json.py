# SPDX-License-Identifier: GPL-3.0-or-later
"""Preuves as JSON, and back: what ``status --json`` writes, ``status --since`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from packmairie.model.preuve import Preuve
from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.reports.status_report import preuve_order

SHOWN_PROBLEMS = 10
"""A file of another kind has thousands of wrong lines; the first ten say it."""

_REMEDY = "donnez un fichier écrit par « packmairie status --json »"
_OWN_RULE = "value_error"


def preuve_dict(preuve: Preuve) -> dict[str, Any]:
    """Given a preuve, return its published object; ``rpnt`` is present only where the check is a criterion."""
    data = preuve.as_dict()
    if data["rpnt"] is None:
        del data["rpnt"]
    return data


def render_json(preuves: Iterable[Preuve]) -> str:
    """Given preuves, return a JSON list of objects (UTF-8, one final line break), in stable order."""
    objects = [preuve_dict(preuve) for preuve in sorted(preuves, key=preuve_order)]
    return json.dumps(objects, ensure_ascii=False, indent=2) + "\n"


def read_preuves(path: Path) -> tuple[Preuve, ...]:
    """Given a file written by ``render_json``, return its preuves in the file's order.

    Raise PackmairieError when the file cannot be read, is not JSON, or holds anything else than preuves,
    with the place of each thing that is wrong.
    """
    return parse_preuves(_read(path), str(path))


def parse_preuves(text: str, place: str) -> tuple[Preuve, ...]:
    """Given JSON text and the name of where it comes from, return its preuves. Raise as ``read_preuves`` does."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise fail(f"{place}:{error.lineno}", "n'est pas du JSON valable", _REMEDY) from error
    except (RecursionError, ValueError) as error:
        raise fail(place, "n'est pas du JSON lisible", _REMEDY) from error
    if not isinstance(data, list):
        raise fail(place, "ne contient pas une liste de preuves", _REMEDY)
    preuves: list[Preuve] = []
    problems: list[Problem] = []
    for number, item in enumerate(data, start=1):
        try:
            preuves.append(Preuve.model_validate(item))
        except ValidationError as error:
            problems.append(Problem(f"{place}: preuve n° {number}", _reason(error), _REMEDY))
        if len(problems) == SHOWN_PROBLEMS:
            break
    if problems:
        raise PackmairieError(problems)
    return tuple(preuves)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise fail(str(path), "n'est pas un texte en UTF-8", _REMEDY) from error
    except OSError as error:
        raise fail(str(path), "ne peut pas être lu", f"vérifiez le chemin et les droits ({error.strerror})") from error


def _reason(error: ValidationError) -> str:
    """Say in French what pydantic found: which keys are missing, unknown or wrong."""
    words = {"missing": "manque", "extra_forbidden": "est inconnu"}
    reasons = []
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"])
        if key:
            reasons.append(f"« {key} » {words.get(detail['type'], 'a une valeur inattendue')}")
        elif detail["type"] == _OWN_RULE:
            reasons.append("dit « non conforme » ou « non vérifié » sans « remedy »")
        else:
            reasons.append("n'est pas un objet")
    return ", ".join(reasons)
