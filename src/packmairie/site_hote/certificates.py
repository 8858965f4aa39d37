# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the certificate of each new name ordered before its first visitor comes, who would wait for it.

Caddy orders a certificate at the first connection that names a host. This makes that connection, from the host
itself, for the names that already lead here: an order for any other would fail, and failures are counted by the
authority. How many, and when, is decided by ``orders.py``; the timer takes up what is left.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packmairie.site_mairie.files import write_whole

from .orders import Ledger, Policy
from .places import Places

HOSTS = Path("/srv/communes")
BUDGET_SECONDS = 150
HANDSHAKE_SECONDS = 40
WORKERS = 3
ATTEMPTS = 3
KNOWN = "certificats.json"


@dataclass(frozen=True)
class Outcome:
    """What a run did: the names served now, those that stayed silent, and how many wait for the authority's limits."""

    served: list[str]
    silent: list[str]
    waiting: int


def warm_up(places: Places, hosts: Path, addresses: frozenset[str], policy: Policy) -> Outcome:
    """Given the folders of the host names, the platform's addresses and how much may be ordered, order what is due.

    A name that was served once is not asked again: Caddy renews by itself.
    """
    names = {folder.name for root in (hosts, places.sites) for folder in root.iterdir() if folder.name[:1] != "."}
    ledger = Ledger.read(_known(places.state / KNOWN), names)
    deadline = time.monotonic() + BUDGET_SECONDS
    now = time.time()
    leading = list(_leading_here(ledger.due(names, now), addresses, deadline))
    chosen = ledger.choose(leading, policy, now)
    # Written before the orders are made: a run that is killed has ordered all the same.
    ledger.order(chosen, now)
    _keep(places, ledger)
    # The first order is made alone: it makes Caddy's account with the authority, kept in two files. Orders that meet
    # without one each make theirs, and may leave the number of one with the key of another: all is refused then.
    tries = {name: _served(name, deadline) for name in chosen[:1]}
    with ThreadPoolExecutor(WORKERS) as pool:
        tries |= zip(chosen[1:], pool.map(lambda name: _served(name, deadline), chosen[1:]), strict=True)
    for name, tried in tries.items():
        ledger.settle(name, tried, now)
    _keep(places, ledger)
    served = [name for name, tried in tries.items() if tried > 0]
    return Outcome(served, [name for name in chosen if name not in served], len(leading) - len(chosen))


def _keep(places: Places, ledger: Ledger) -> None:
    write_whole(places.state / KNOWN, json.dumps(ledger.as_dict(), indent=0, sort_keys=True).encode())


def _known(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _leading_here(names: Iterable[str], addresses: frozenset[str], deadline: float) -> Iterator[str]:
    """Yield the names all of whose addresses are the platform's."""
    for name in names:
        if time.monotonic() > deadline:
            return
        try:
            found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)}
        except OSError:
            continue
        if found and found <= addresses:
            yield name


def _served(name: str, deadline: float) -> int:
    """Open TLS with this host's Caddy for a name, and return at which try it answered; minus the tries when it did not.

    Its certificate is judged by ``packmairie status``, not here. Caddy sometimes refuses the first of several names
    that come at once: a refusal is asked again.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for attempt in range(1, ATTEMPTS + 1):
        left = min(HANDSHAKE_SECONDS, deadline - time.monotonic())
        if left <= 0:
            return 1 - attempt
        try:
            with (
                socket.create_connection(("127.0.0.1", 443), timeout=left) as plain,
                context.wrap_socket(plain, server_hostname=name),
            ):
                return attempt
        except TimeoutError:
            return -attempt
        except OSError:
            time.sleep(attempt)
    return -ATTEMPTS


def main() -> int:
    """Warm up, and say what was ordered; a name that stays silent is told and is not a failure of the unit."""
    addresses = frozenset(os.environ.get("PACKMAIRIE_ADRESSES", "").split())
    done = warm_up(Places(), HOSTS, addresses, Policy(int(os.environ["PACKMAIRIE_COMMANDES_PAR_HEURE"])))
    if done.served:
        sys.stdout.write(f"certificats : {', '.join(done.served)}\n")
    if done.waiting:
        sys.stdout.write(f"commandes remises à plus tard, selon les limites de l'autorité : {done.waiting}\n")
    if done.silent:
        sys.stderr.write(f"pas encore de certificat : {', '.join(done.silent)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
