# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that help to mend and tell nothing about anybody."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path


class Discretion(logging.Filter):
    """Remove from a record everything that may come from a person: arguments, request, message of an exception.

    What is left of an exception is its type and where it was raised. The text of an exception may quote a value
    of a form or of a row.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Given a record, rewrite it in place and keep it."""
        if record.__dict__.setdefault("discret", False):
            return True
        record.discret = True
        if record.exc_info:
            kind, error, _trace = record.exc_info
            frames = traceback.extract_tb(error.__traceback__) if error is not None else []
            where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-6:]))
            record.msg = f"{kind.__name__ if kind else 'erreur'} ({where})"
        elif record.name.startswith("django"):
            record.msg = f"{record.name} {getattr(record, 'status_code', '')}".strip()
        record.args = None
        record.exc_info = None
        record.exc_text = None
        record.stack_info = None
        for name in ("request", "sql", "params"):
            record.__dict__.pop(name, None)
        return True


class SoberFormatter(logging.Formatter):
    """One line: level, logger, message; the journal adds the date."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")
