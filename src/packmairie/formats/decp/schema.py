# SPDX-License-Identifier: GPL-3.0-or-later
"""The official JSON schema applied to a document, each refusal said in French at its line."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError

from packmairie.formats.decp.places import Line, place_of
from packmairie.formats.decp.register import COLUMN_OF, CONCESSION_COLUMN_OF
from packmairie.formats.findings import Finding, Path, Report, report

NAME = "schema_decp_v2.0.3.json"
"""File name of the official schema (139bercy/format-commande-publique, tag v2.0.3)."""


def against_schema(document: Any, schema: Any, line: Line) -> Report:
    """Given a document, the official schema and a function that tells the line of a path, return the refusals.

    Raise ValueError when the schema is not one.
    """
    try:
        Draft7Validator.check_schema(schema)
    except SchemaError as refusal:
        raise ValueError(f"schéma DECP inutilisable : {refusal.message}") from refusal
    validator = Draft7Validator(schema)
    findings = []
    for error in validator.iter_errors(document):
        path: Path = tuple(error.absolute_path)
        for below, reason, remedy in _words(error):
            place = (*path, *below)
            findings.append(Finding(line(place), place_of(document, place), reason, remedy))
    return report(findings)


def _words(error: Any) -> Iterator[tuple[Path, str, str]]:
    """Yield (path below the error, reason, remedy) for one refusal of the validator."""
    value, expected = error.instance, error.validator_value
    match error.validator:
        case "required":
            for key in expected:
                if key not in value:
                    yield (), f"« {key} » manque", f"ajouter « {key} »{_column_hint(key)}"
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            for key in value:
                if key not in known:
                    near = get_close_matches(key, known, 1)
                    yield (
                        (key,),
                        f"« {key} » n'existe pas en DECP 2.0.3",
                        _nearest(near),
                    )
        case "enum":
            near = get_close_matches(str(value), [str(item) for item in expected], 1, 0.5)
            choice = f"écrire « {near[0]} »" if near else "écrire l'une de : " + " ; ".join(map(str, expected))
            yield (), f"« {_short(value)} » n'est pas une valeur admise", choice
        case "type":
            yield (), f"« {_short(value)} » n'est pas {_TYPES.get(str(expected), expected)}", _null_hint(value)
        case "pattern":
            yield (), f"« {_short(value)} » n'a pas la forme attendue", _pattern_hint(expected)
        case "minLength" | "minItems":
            yield (), "valeur vide", "la remplir, ou retirer la clé si elle est facultative"
        case "maxLength":
            yield (), f"{len(value)} caractères, {expected} au plus", "raccourcir"
        case "minimum":
            yield (), f"{_short(value)} est plus petit que {expected}", "corriger la valeur"
        case "maximum":
            yield (), f"{_short(value)} est plus grand que {expected}", "écrire une part entre 0 et 1"
        case "uniqueItems":
            yield (), "une valeur est en double", "garder une seule des deux"
        case "anyOf":
            yield (), "ni marché ni concession", "écrire marche ou contrat-concession"
        case _:
            yield (), f"refusé par le schéma ({error.validator})", "comparer avec l'exemple officiel"


_TYPES = {
    "string": "un texte",
    "integer": "un nombre entier",
    "number": "un nombre",
    "boolean": "vrai ou faux",
    "array": "une liste",
    "object": "un objet",
}


def _nearest(near: list[str]) -> str:
    return f"écrire « {near[0]} »" if near else "la retirer"


def _null_hint(value: Any) -> str:
    return "retirer la clé : une valeur absente ne s'écrit pas null" if value is None else "corriger la valeur"


def _pattern_hint(pattern: str) -> str:
    if "{14}" in pattern:
        return "écrire un SIRET : quatorze chiffres"
    if "{8}" in pattern:
        return "écrire un code CPV : huit chiffres, ou 45261900-3"
    return "écrire une date AAAA-MM-JJ"


def _column_hint(key: str) -> str:
    name = COLUMN_OF.get(key) or CONCESSION_COLUMN_OF.get(key)
    return f" (colonne « {name} » du registre)" if name else ""


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
