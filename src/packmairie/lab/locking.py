# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time: a lock on a file, that the end of its process opens again."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from packmairie.model.problem import fail

LOCK_SECONDS = 900


@contextmanager
def held(path: Path, progress: Callable[[str], None], seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock of a file while the block works; wait for whoever has it, and say so once.

    Raise PackmairieError when it is still taken after that many seconds.
    """
    with path.open("w") as file:
        deadline, told = time.monotonic() + seconds, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise fail(
                        str(path), "une autre commande du labo travaille encore", "attendre sa fin, ou l'interrompre"
                    ) from None
                if not told:
                    progress("une autre commande du labo travaille : attente…")
                    told = True
                time.sleep(0.3)
        yield
