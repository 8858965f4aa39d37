# SPDX-License-Identifier: GPL-3.0-or-later
"""A problem that knows its file and line as values, until every problem has been gathered and sorted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packmairie.model.problem import PackmairieError, Problem


@dataclass(frozen=True, order=True)
class Located:
    """One thing wrong at a line of a file (``line`` 0 when the file as a whole is concerned)."""

    file: str
    line: int
    reason: str
    remedy: str

    def problem(self) -> Problem:
        """Return the problem as it is shown, its place being ``file:line``."""
        return Problem(f"{self.file}:{self.line}" if self.line else self.file, self.reason, self.remedy)


def error_from(problems: Iterable[Located]) -> PackmairieError:
    """Given located problems, return (not raise) the error that tells them all, by file and line."""
    return PackmairieError(found.problem() for found in sorted(set(problems)))
