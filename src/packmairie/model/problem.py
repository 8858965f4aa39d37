# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, as values: a problem has a place, a reason and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Every exit status of the command line, in one place.

    ``plan`` follows the convention of detailed exit codes: nothing to do is 0,
    changes pending is 2, so that a scheduled job can tell drift from failure.
    """

    SUCCESS = 0
    FAILURE = 1
    CHANGES = 2
    UNAVAILABLE = 3
    """The machine lacks what the command needs (no root, no namespaces …)."""
    NOT_CONFORM = 4
    """``status`` found at least one check that is not conforming."""
    NOT_VERIFIED = 5
    """``status`` found nothing wrong, but could not verify everything."""
    INTERRUPTED = 130


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it.

    ``place`` is ``file:line`` when the problem comes from a file, or the name of
    the host, zone or commune concerned. ``reason`` and ``remedy`` are in French:
    a technician reads them.
    """

    place: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason} → {self.remedy}"


class PackmairieError(Exception):
    """Raised once, with every problem found, when nothing can be done.

    Given problems (at least one) and the exit code that the command line should
    end with. The text of the exception is one line per problem.
    """

    def __init__(self, problems: Iterable[Problem], exit_code: ExitCode = ExitCode.FAILURE) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        if not self.problems:
            raise ValueError("an error without a problem explains nothing")
        self.exit_code = exit_code
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PartialError(PackmairieError):
    """Raised when what belongs to some communes failed, and all the rest was done.

    ``by_commune`` maps an INSEE code to its problems; ``done`` is what was changed all the same.
    """

    def __init__(self, by_commune: Mapping[str, Iterable[Problem]], done: Iterable[Any] = ()) -> None:
        self.by_commune = {code: tuple(problems) for code, problems in by_commune.items()}
        self.done = tuple(done)
        super().__init__(problem for problems in self.by_commune.values() for problem in problems)


def fail(place: str, reason: str, remedy: str, exit_code: ExitCode = ExitCode.FAILURE) -> PackmairieError:
    """Return (not raise) the error made of a single problem."""
    return PackmairieError([Problem(place, reason, remedy)], exit_code)
