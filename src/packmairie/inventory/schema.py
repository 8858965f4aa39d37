# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Schemas of the files of a pack, for editors to complete and check while a technician types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from packmairie.inventory.atomic import write_file
from packmairie.model.commune import Commune
from packmairie.model.pack import PackFile

SCHEMAS_FOLDER = "schemas"
_MODELS: dict[str, tuple[type[BaseModel], str]] = {
    "pack": (PackFile, "packmairie : pack.yml"),
    "commune": (Commune, "packmairie : fichier d'une commune"),
}


def schema_texts() -> dict[str, str]:
    """Return each JSON Schema (draft 2020-12) as text, by name: ``pack`` and ``commune``."""
    texts = {}
    for name, (model, title) in _MODELS.items():
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            **_for_readers(model.model_json_schema(mode="validation")),
        }
        texts[name] = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
    return texts


def write_schemas(folder: Path) -> list[Path]:
    """Given a folder, write the JSON Schemas there and return their paths. Raise OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in schema_texts().items():
        path = folder / f"{name}.json"
        write_file(path, text)
        paths.append(path)
    return paths


def _for_readers(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop what an editor would show in English: generated titles, and the docstrings of the models."""
    definitions = schema.pop("$defs", {})
    cleaned: dict[str, Any] = _without_titles(schema)
    cleaned.pop("description", None)
    if definitions:
        cleaned["$defs"] = {
            name: {key: value for key, value in _without_titles(definition).items() if key != "description"}
            for name, definition in definitions.items()
        }
    return cleaned


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # Under "properties" the keys are names of fields, one of which may well be "title".
    return {
        key: {name: _without_titles(field) for name, field in value.items()}
        if key == "properties"
        else _without_titles(value)
        for key, value in schema.items()
        if key != "title"
    }
