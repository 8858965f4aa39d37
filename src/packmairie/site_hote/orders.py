# SPDX-License-Identifier: GPL-3.0-or-later
"""How many certificates may be ordered, and which first: what Let's Encrypt accepts, with room for renewals.

Its limits (letsencrypt.org/docs/rate-limits, as of 12 June 2025): 300 new orders of an account in three hours, 50
certificates of a registered domain in seven days, 5 refused validations of a name in an hour. Each is counted in
rolling windows here too. Renewals and the names that a visitor asks for first are Caddy's own and not counted here: the
policy leaves them a part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

HOUR = 3600.0
WEEK = 7 * 24 * HOUR
LONGEST_PAUSE = 24 * HOUR
FIRST_NAMES = ("www", "", "autoconfig", "mta-sts", "autodiscover")
"""The order of a commune's names: what citizens see, then what mail programs ask for."""


@dataclass(frozen=True)
class Policy:
    """What may be ordered: by the platform in an hour, and for one registered domain in seven days."""

    an_hour: int = 80
    a_domain: int = 40


@dataclass
class Ledger:
    """What is known of the names: those served, each order of the last week, and after a failure, when to try again."""

    served: set[str] = field(default_factory=set)
    orders: list[tuple[float, str]] = field(default_factory=list)
    failures: dict[str, tuple[int, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, kept: Any, names: Collection[str]) -> Ledger:
        """Return the ledger of these names from what was kept, also by an earlier version; broken parts are empty."""
        ledger = cls()
        if isinstance(kept, list):
            ledger.served = {name for name in kept if name in names}
        if not isinstance(kept, dict):
            return ledger
        try:
            ledger.served = {str(name) for name in kept["servis"] if name in names}
            ledger.orders = [(float(moment), str(name)) for moment, name in kept["commandes"]]
            ledger.failures = {
                str(name): (int(times), float(until))
                for name, (times, until) in kept["echecs"].items()
                if name in names
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            return ledger
        return ledger

    def as_dict(self) -> dict[str, Any]:
        """Return what is kept, as JSON."""
        return {
            "servis": sorted(self.served),
            "commandes": [[moment, name] for moment, name in self.orders],
            "echecs": {name: list(failure) for name, failure in self.failures.items()},
        }

    def due(self, names: Iterable[str], now: float) -> list[str]:
        """Return the names to order now, were there no limit: not served, not resting after a failure, sites first."""
        waiting = [name for name in names if name not in self.served and self.failures.get(name, (0, 0.0))[1] <= now]
        return sorted(waiting, key=lambda name: (_rank(name), name))

    def choose(self, names: Sequence[str], policy: Policy, now: float) -> list[str]:
        """Return those of the names that may be ordered now, in the same order."""
        self.orders = [(moment, name) for moment, name in self.orders if now - WEEK < moment <= now]
        left = policy.an_hour - sum(moment > now - HOUR for moment, _name in self.orders)
        domains = Counter(registered_domain(name) for _moment, name in self.orders)
        chosen: list[str] = []
        for name in names:
            domain = registered_domain(name)
            if len(chosen) >= left:
                break
            if domains[domain] < policy.a_domain:
                domains[domain] += 1
                chosen.append(name)
        return chosen

    def order(self, names: Iterable[str], now: float) -> None:
        """Note that these names are ordered."""
        self.orders += [(now, name) for name in names]

    def settle(self, name: str, tries: int, now: float) -> None:
        """Note what became of an order: the number of tries that it took, negative when none succeeded.

        Each further try is an order too. After a failure the name rests for an hour, then twice as long each time.
        """
        self.orders += [(now, name)] * max(0, abs(tries) - 1)
        if tries > 0:
            self.served.add(name)
            self.failures.pop(name, None)
        elif tries < 0:
            times = self.failures.get(name, (0, 0.0))[0] + 1
            self.failures[name] = (times, now + min(LONGEST_PAUSE, HOUR * 2 ** min(times - 1, 10)))


def registered_domain(name: str) -> str:
    """Return the domain by which the authority counts a name: its last two labels.

    For a name under a longer public suffix that is stricter than the authority, never laxer.
    """
    return ".".join(name.split(".")[-2:])


def _rank(name: str) -> int:
    first, _, rest = name.partition(".")
    return FIRST_NAMES.index(first) if first in FIRST_NAMES and "." in rest else 1
