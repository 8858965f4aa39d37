# SPDX-License-Identifier: GPL-3.0-or-later
"""How often something may be done, counted in the memory of the process: nothing about visitors is stored."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

MOST_KEYS = 20_000


class Cadence:
    """At most ``most`` times in ``seconds`` for one key; the keys least recently seen are forgotten first."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, key: str) -> bool:
        """Given a key, count one more time and tell whether it is allowed. What is refused is not counted."""
        now = self._clock()
        with self._lock:
            times = self._seen.setdefault(key, deque())
            self._seen.move_to_end(key)
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return False
            times.append(now)
            while len(self._seen) > MOST_KEYS:
                self._seen.popitem(last=False)
            return True

    def forget(self, key: str | None = None) -> None:
        """Given a key, start counting it afresh; without one, all of them."""
        with self._lock:
            if key is None:
                self._seen.clear()
            else:
                self._seen.pop(key, None)
