# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the machine's own tools, with a bound on time and failures told as problems."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from packmairie.model.problem import fail


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float = 60,
    text_input: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it said, whatever its exit status.

    Given its arguments, a bound in seconds, text for its standard input and
    variables to add to the environment. Raise `PackmairieError` when the program
    is absent or does not end in time.
    """
    words = [str(word) for word in argv]
    try:
        return subprocess.run(  # noqa: S603 - a list of arguments, no shell
            words,
            input=text_input,
            stdin=subprocess.DEVNULL if text_input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError as error:
        raise fail(words[0], "commande introuvable sur cette machine", "lancer « packmairie lab doctor »") from error
    except subprocess.TimeoutExpired as error:
        raise fail(
            words[0],
            f"la commande ne s'est pas terminée en {timeout:.0f} s : {' '.join(words)[:200]}",
            "vérifier la charge de la machine puis recommencer",
        ) from error


def must(
    argv: Sequence[str | Path],
    *,
    timeout: float = 60,
    text_input: str | None = None,
    environment: Mapping[str, str] | None = None,
    place: str | None = None,
) -> str:
    """Run a program as `run` does and return its standard output.

    Raise `PackmairieError` with the last lines that it said when it fails.
    """
    result = run(argv, timeout=timeout, text_input=text_input, environment=environment)
    if result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()[-5:]
        raise fail(
            place or Path(str(argv[0])).name,
            f"« {' '.join(str(word) for word in argv)[:200]} » a échoué ({result.returncode}) : " + " | ".join(said),
            "corriger la cause indiquée puis recommencer",
        )
    return result.stdout
