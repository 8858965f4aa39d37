# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request to a store costs the processor of who asks, by packmairie's connections and by boto3's own way.

    .venv/bin/python bench/store_requests.py [--requests 1000]

One server on the loopback, in a process of its own, answers each request with the same listing over TLS. boto3 makes,
signs and reads the requests in both; its own way goes by the relay, as wherever the pack names its resolvers. The two
take turns in one process, of which all the processor is counted, the relay's thread too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from http_clients import ADDRESS, NAME, SERVER_SECONDS, serve

from packmairie.engines.connections import Connections
from packmairie.engines.names import Names
from packmairie.engines.s3 import Store, StoreAddress
from packmairie.engines.s3_sending import sending
from packmairie.engines.transport import trust

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "integration"))
from tls_peers import Authority

LISTING = b"<ListBucketResult><Name>seau</Name><Contents><Key>preuves/verrou</Key></Contents></ListBucketResult>"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(LISTING), LISTING)
KEY = {"identifiant": "CLEDESSAI", "secret": "secret-d-essai"}
TURNS = 7


class Here(Names):
    """Names that all lead to this machine."""

    def addresses(self, host: str, types: Sequence[str] = ("A", "AAAA")) -> list[str]:
        """Return the loopback."""
        return [ADDRESS] if "A" in types else []


def cost(store: Store, requests: int) -> float:
    """Return the microseconds of this process for one request."""
    before = time.process_time()
    for _request in range(requests):
        if list(store.keys("seau", "preuves/")) != ["preuves/verrou"]:
            sys.exit("another listing came")
    return (time.process_time() - before) / requests * 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    requests = max(1, parser.parse_args().requests // TURNS)
    names = Here([ADDRESS])
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        connections = Connections(trust(str(authority.root)))
        stores: dict[str, Store] = {}
        for name in ("packmairie", "boto3"):
            listener = socket.create_server((ADDRESS, 0))
            context = authority.context(NAME)
            multiprocessing.Process(target=serve, args=(listener, context, ANSWER), daemon=True).start()
            address = StoreAddress(f"https://{NAME}:{listener.getsockname()[1]}", "fr", True, str(authority.root))
            by = sending(connections, names) if name == "packmairie" else None
            stores[name] = Store(address, KEY, None if by else names, sending=by)
            listener.close()
            cost(stores[name], 20)
        costs = {name: [0.0] * TURNS for name in stores}
        for turn in range(TURNS):
            for name, store in stores.items():
                costs[name][turn] = cost(store, requests)
        for store in stores.values():
            store.close()
        connections.end()
        for process in multiprocessing.active_children():
            process.join(SERVER_SECONDS)
    first = statistics.median(costs["packmairie"])
    for name, found in costs.items():
        median = statistics.median(found)
        print(f"{name:<12} {min(found):.0f} – {median:.0f} – {max(found):.0f} µs a request; {median / first:.1f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
