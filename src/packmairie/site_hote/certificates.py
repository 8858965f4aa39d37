# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the certificate of each new name ordered before its first visitor comes, who would wait for it.

Caddy orders a certificate at the first connection that names a host. This makes that connection, from the host
itself, for the names that already lead here: an order for any other would fail, and failures are counted by the
authority.
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
from pathlib import Path

from packmairie.site_mairie.files import write_whole

from .places import Places

HOSTS = Path("/srv/communes")
MAX_ORDERS = 100
"""Names asked for in one run. The run is hourly: Let's Encrypt takes 300 orders of an account in three hours."""
BUDGET_SECONDS = 150
HANDSHAKE_SECONDS = 40
WORKERS = 3
ATTEMPTS = 3
KNOWN = "certificats.json"


def warm_up(places: Places, hosts: Path, addresses: frozenset[str]) -> tuple[list[str], list[str]]:
    """Given the folders of the host names and the platform's addresses, return the names served now, and the silent.

    A name that was served once is not asked again: Caddy renews by itself.
    """
    names = {folder.name for root in (hosts, places.sites) for folder in root.iterdir() if folder.name[:1] != "."}
    known = _known(places.state / KNOWN) & names
    deadline = time.monotonic() + BUDGET_SECONDS
    waiting = list(_leading_here(sorted(names - known), addresses, deadline))[:MAX_ORDERS]
    with ThreadPoolExecutor(WORKERS) as pool:
        answers = dict(zip(waiting, pool.map(lambda name: _served(name, deadline), waiting), strict=True))
    served = [name for name, answered in answers.items() if answered]
    text = json.dumps(sorted(known | set(served)), indent=0)
    write_whole(places.state / KNOWN, text.encode())
    return served, [name for name, answered in answers.items() if not answered]


def _known(path: Path) -> set[str]:
    try:
        return set(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return set()


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


def _served(name: str, deadline: float) -> bool:
    """Open TLS with this host's Caddy for a name; its certificate is judged by ``packmairie status``, not here.

    Caddy sometimes refuses the first of several names that come at once: a refusal is asked again.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for attempt in range(ATTEMPTS):
        left = min(HANDSHAKE_SECONDS, deadline - time.monotonic())
        if left <= 0:
            return False
        try:
            with (
                socket.create_connection(("127.0.0.1", 443), timeout=left) as plain,
                context.wrap_socket(plain, server_hostname=name),
            ):
                return True
        except TimeoutError:
            return False
        except OSError:
            time.sleep(attempt + 1)
    return False


def main() -> int:
    """Warm up, and say what was ordered; a name that stays silent is told and is not a failure of the unit."""
    addresses = frozenset(os.environ.get("PACKMAIRIE_ADRESSES", "").split())
    served, silent = warm_up(Places(), HOSTS, addresses)
    if served:
        sys.stdout.write(f"certificats : {', '.join(served)}\n")
    if silent:
        sys.stderr.write(f"pas encore de certificat : {', '.join(silent)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
