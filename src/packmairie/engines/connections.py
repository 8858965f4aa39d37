# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP connections that serve again: a handshake costs both sides more than several pages.

Names of the world stand at few addresses, and a client that is told addresses takes for one what is at one address.
Here a connection serves only the name under which its certificate was verified.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from threading import Lock, local

import httpx

KEEP_SECONDS = 1.0
"""How long a connection waits for its next request; servers that close early do so after two seconds."""
KEPT_NAMES = 16
"""Names whose connection a thread keeps; the one that served longest ago goes first."""


class Connections(httpx.BaseTransport):
    """Given to any number of clients, in any number of threads: each thread has connections of its own.

    A client that ends closes none of them; ``end`` does, for every thread.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._mine = local()
        self._everyone: list[OrderedDict[tuple[str, str], httpx.HTTPTransport]] = []
        self._joining = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request by a connection of the name that it asks for (``sni_hostname``), verified under that name."""
        name = request.extensions.get("sni_hostname") or request.url.host
        return self._of(name, request.url.host).handle_request(request)

    def _of(self, name: str, address: str) -> httpx.HTTPTransport:
        kept: OrderedDict[tuple[str, str], httpx.HTTPTransport] | None = getattr(self._mine, "kept", None)
        if kept is None:
            kept = self._mine.kept = OrderedDict()
            with self._joining:
                self._everyone.append(kept)
        transport = kept.pop((name, address), None)
        if transport is None:
            limits = httpx.Limits(max_keepalive_connections=1, keepalive_expiry=KEEP_SECONDS)
            transport = httpx.HTTPTransport(verify=self.context, trust_env=False, limits=limits)
            if len(kept) >= KEPT_NAMES:
                kept.popitem(last=False)[1].close()
        kept[name, address] = transport
        return transport

    def close(self) -> None:
        """Close nothing: the next client may want it."""

    def end(self) -> None:
        """Close the connections of all threads, which ask nothing more."""
        with self._joining:
            for kept in self._everyone:
                while kept:
                    kept.popitem()[1].close()
