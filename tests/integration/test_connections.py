# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that serve again, against a real server: fewer handshakes, each name verified for itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tls_peers import Authority, running

from packmairie.engines import connections as engine
from packmairie.engines import transport
from packmairie.engines.names import Names
from packmairie.engines.web import Web
from packmairie.model.probe import (
    Absent,
    Answer,
    DnsAnswer,
    DnsQuery,
    Found,
    HttpChain,
    HttpPost,
    Obstacle,
    TlsHandshake,
)

GOOD, OTHER, BAD = "www.bon.example", "aide.bon.example", "www.mauvais.example"


class Loopback(Names):
    """Every name stands at one address, as behind one front."""

    def ask(self, query: DnsQuery) -> Answer:
        return Found(DnsAnswer(("127.0.0.1",))) if query.type == "A" else Absent("rien")


class Server(ThreadingHTTPServer):
    """Keeps what it saw: connections (under which name), and each request's cookie."""

    daemon_threads = True

    def __init__(self, authority: Authority) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.names: list[str] = []
        self.cookies: list[str] = []
        self.ended = threading.Semaphore(0)
        self.closing = False
        context = authority.context(GOOD, OTHER)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses the certificate is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.cookies.append(self.headers.get("Cookie", ""))
        port = self.server.server_address[1]
        self.send_response(302 if self.path == "/ailleurs" else 200)
        if self.path == "/ailleurs":
            self.send_header("Location", f"https://{BAD}:{port}/")
        self.send_header("Set-Cookie", "visite=1; Path=/")
        if self.path == "/adieu":
            self.send_header("Connection", "close")
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.path == "/adieu":
            time.sleep(0.2)
        self.wfile.write(b"ok")
        # Closed without a word, as a server does whose patience ends.
        self.close_connection = self.close_connection or self.server.closing

    do_POST = do_GET  # noqa: N815 - the library's names

    def finish(self) -> None:
        super().finish()
        self.server.ended.release()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ac")


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    server = Server(authority)
    with running(server):
        yield server


@pytest.fixture
def web(authority: Authority) -> Iterator[Web]:
    found = Web(Loopback(["127.0.0.1"]), str(authority.root))
    yield found
    found.connections.end()


def place(server: Server, name: str, path: str = "/") -> str:
    return f"https://{name}:{server.server_address[1]}{path}"


def test_pages_of_one_name_come_by_one_connection_and_visitors_share_no_cookie(web: Web, server: Server) -> None:
    session = web.visitor()
    for _page in range(3):
        assert session.request("GET", place(server, GOOD)).status == 200
    session = web.visitor()
    assert session.request("GET", place(server, GOOD)).status == 200
    assert isinstance(web.post(HttpPost(place(server, GOOD), "x")), Found)
    assert server.names == [GOOD]
    assert server.cookies == ["", "visite=1", "visite=1", "", ""]


def test_another_name_at_the_same_address_is_verified_for_itself(web: Web, server: Server) -> None:
    for name in (GOOD, OTHER):
        assert web.follow(HttpChain(place(server, name))).value.page.status == 200  # type: ignore[union-attr]
    chain = web.follow(HttpChain(place(server, BAD))).value  # type: ignore[union-attr]
    assert chain.obstacle is Obstacle.CERTIFICATE
    assert server.names == [GOOD, OTHER, BAD]


def test_a_redirect_to_a_name_whose_certificate_is_wrong_is_not_followed_by_the_same_connection(
    web: Web, server: Server
) -> None:
    chain = web.follow(HttpChain(place(server, GOOD, "/ailleurs"))).value  # type: ignore[union-attr]
    assert [hop.status for hop in chain.hops] == [302]
    assert chain.obstacle is Obstacle.CERTIFICATE


def test_a_connection_that_the_server_closed_is_not_used_again(web: Web, server: Server) -> None:
    server.closing = True
    for _page in range(5):
        assert isinstance(web.follow(HttpChain(place(server, GOOD))), Found)
        assert server.ended.acquire(timeout=5)
    assert server.names == [GOOD] * 5


def test_a_page_is_read_to_its_end_where_the_server_then_closes(web: Web, server: Server) -> None:
    session = web.visitor()
    for _page in range(2):
        assert session.request("GET", place(server, GOOD, "/adieu")).body == "ok"
        assert server.ended.acquire(timeout=5)
    assert server.names == [GOOD, GOOD]


def test_a_certificate_that_was_read_leaves_its_connection_to_the_pages(
    web: Web, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HTTPS_PORT", server.server_address[1])
    client = transport.Transport(web.names, connections=web.connections)
    for _time in range(2):
        read = client.handshake(TlsHandshake(GOOD, server.server_address[1])).value  # type: ignore[union-attr]
        assert read.trusted
        assert set(read.names) == {GOOD, OTHER}
        assert isinstance(web.follow(HttpChain(place(server, GOOD))), Found)
    assert server.names == [GOOD]
    refused = client.handshake(TlsHandshake(BAD, server.server_address[1])).value  # type: ignore[union-attr]
    assert not refused.trusted


def test_of_other_ports_nothing_is_kept(web: Web, server: Server) -> None:
    client = transport.Transport(web.names, connections=web.connections)
    for _time in range(2):
        assert isinstance(client.handshake(TlsHandshake(GOOD, server.server_address[1])), Found)
        assert server.ended.acquire(timeout=5)
    assert server.names == [GOOD, GOOD]


def test_each_thread_has_its_own_and_all_are_closed_at_the_end(web: Web, server: Server) -> None:
    def ask() -> None:
        assert isinstance(web.follow(HttpChain(place(server, GOOD))), Found)

    threads = [threading.Thread(target=ask) for _number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert server.names == [GOOD] * 3
    assert not server.ended.acquire(timeout=0.2)
    web.connections.end()
    assert all(server.ended.acquire(timeout=5) for _thread in threads)


def test_the_name_that_served_longest_ago_is_left_first(
    web: Web, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "KEPT_NAMES", 1)
    for name in (GOOD, OTHER, GOOD):
        assert isinstance(web.follow(HttpChain(place(server, name))), Found)
    assert server.names == [GOOD, OTHER, GOOD]
    assert all(server.ended.acquire(timeout=5) for _name in range(2))
