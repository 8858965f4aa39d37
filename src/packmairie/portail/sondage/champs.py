# SPDX-License-Identifier: GPL-3.0-or-later
"""A field for values that JSON can hold, in a table without functions in its schema.

Django's own adds a CHECK with JSON_VALID, which SQLite refuses with ``trusted_schema`` off, as the portal has it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field


class Valeur(_Field):
    """JSON as text; equal values have equal texts, so that they can be looked up."""

    if TYPE_CHECKING:
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any
        _pyi_lookup_exact_type: Any

    def get_internal_type(self) -> str:
        """Say that the column holds text."""
        return "TextField"

    def from_db_value(self, value: str | None, _expression: object, _connection: object) -> Any:
        """Given the text of a row, return its value."""
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Given a value, return its text."""
        return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def to_python(self, value: Any) -> Any:
        """Leave a value as it is."""
        return value
