# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page costs the processor of who asks for it: packmairie, the standard library, urllib3 and httpx, in one run.

    .venv/bin/python bench/http_clients.py [--pages 2000]

One server on the loopback, in a process of its own, answers each request of a connection that stays open with the same
page of 6 kB over TLS; each client verifies its certificate. Only the client's processor is counted.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import urllib3

from packmairie.engines.connections import Connections, Front, Patience
from packmairie.engines.replies import page_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "integration"))
from tls_peers import Authority

NAME, ADDRESS = "www.exemple.fr", "127.0.0.1"
PAGE = b"x" * 6000
HEADERS = (
    b"Content-Type: text/html; charset=utf-8",
    b"Strict-Transport-Security: max-age=31536000",
    b"Content-Security-Policy: default-src 'none'; style-src 'self'",
    b"Referrer-Policy: no-referrer",
    b"X-Content-Type-Options: nosniff",
    b"Cache-Control: public, max-age=300",
)
ANSWER = b"\r\n".join((b"HTTP/1.1 200 OK", *HEADERS, b"Content-Length: %d" % len(PAGE), b"", PAGE))
TURNS = 5
SERVER_SECONDS = 120


Client = tuple[Callable[[], bytes], Callable[[], None]]
"""How a page is asked for, and how the connection is ended."""


def serve(listener: socket.socket, context: ssl.SSLContext, answer: bytes = ANSWER) -> None:
    """Answer one connection until it ends; a request has no body."""
    listener.settimeout(SERVER_SECONDS)
    plain, _address = listener.accept()
    with context.wrap_socket(plain, server_side=True) as secured:
        waiting = b""
        while piece := secured.recv(65_536):
            waiting += piece
            while b"\r\n\r\n" in waiting:
                waiting = waiting.split(b"\r\n\r\n", 1)[1]
                secured.sendall(answer)


def ours(context: ssl.SSLContext, port: int) -> Client:
    """Ask as the checks do."""
    connections = Connections(context)
    front, headers = Front("https", NAME, ADDRESS, port), {"Host": f"{NAME}:{port}"}

    def ask() -> bytes:
        page = page_of(connections.exchange(front, "GET", "/", headers, None, patience=Patience(6, 20)))
        return page.body.encode()

    return ask, connections.end


def by_the_standard_library(context: ssl.SSLContext, port: int) -> Client:
    """Ask by http.client, connected to an address and verified under the name."""
    plain = socket.create_connection((ADDRESS, port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = http.client.HTTPConnection(NAME, port)
    client.sock = context.wrap_socket(plain, server_hostname=NAME)

    def ask() -> bytes:
        client.request("GET", "/", headers={"Host": f"{NAME}:{port}"})
        return client.getresponse().read()

    return ask, client.close


def by_urllib3(context: ssl.SSLContext, port: int) -> Client:
    """Ask an address, verified under the name, redirects not followed."""
    pool = urllib3.HTTPSConnectionPool(
        ADDRESS, port, ssl_context=context, server_hostname=NAME, assert_hostname=NAME, maxsize=1
    )
    headers = {"Host": f"{NAME}:{port}"}
    return (
        lambda: bytes(pool.request("GET", "/", headers=headers, redirect=False, retries=False).data),
        pool.close,
    )


def by_httpx(context: ssl.SSLContext, port: int) -> Client:
    """Ask an address, verified under the name, redirects not followed."""
    client = httpx.Client(verify=context, trust_env=False)
    headers = {"Host": f"{NAME}:{port}"}
    return (
        lambda: client.get(f"https://{ADDRESS}:{port}/", headers=headers, extensions={"sni_hostname": NAME}).content,
        client.close,
    )


CLIENTS = {"packmairie": ours, "http.client": by_the_standard_library, "urllib3": by_urllib3, "httpx": by_httpx}


def cost(ask: Callable[[], bytes], pages: int) -> float:
    """Return the microseconds of this process for one page."""
    before = time.process_time()
    for _page in range(pages):
        if ask() != PAGE:
            sys.exit("another page came")
    return (time.process_time() - before) / pages * 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=2000)
    pages = parser.parse_args().pages // TURNS
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        for name, client in CLIENTS.items():
            context = ssl.create_default_context(cafile=str(authority.root))
            with socket.create_server((ADDRESS, 0)) as listener:
                server = multiprocessing.Process(target=serve, args=(listener, authority.context(NAME)), daemon=True)
                server.start()
                ask, end = client(context, listener.getsockname()[1])
                costs = [cost(ask, pages) for _turn in range(TURNS)]
                end()
                server.join(SERVER_SECONDS)
            median = statistics.median(costs)
            first = first or median
            print(
                f"{name:<12} {min(costs):.0f} – {median:.0f} – {max(costs):.0f} µs a page; {median / first:.1f} times"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
