# SPDX-License-Identifier: GPL-3.0-or-later
"""A store asked by the connections of pages, against a real server that speaks TLS: what comes, and what does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from tls_peers import Authority, running

from packmairie.engines import s3_sending
from packmairie.engines.connections import Connections, Patience
from packmairie.engines.names import Names
from packmairie.engines.replies import PAGE_LIMIT
from packmairie.engines.s3 import Store, StoreAddress, explain
from packmairie.engines.s3_sending import sending
from packmairie.engines.transport import trust

NAME = "s3.magasin.example"
KEY = {"identifiant": "CLEMAISON", "secret": "secret-maison"}
LISTING = "<ListBucketResult><Name>seau</Name>{}</ListBucketResult>"
ENTRY = "<Contents><Key>etat/{:06}.json</Key></Contents>"


class Here(Names):
    """Names that all lead to this machine."""

    def addresses(self, host: str, types: Sequence[str] = ("A", "AAAA")) -> list[str]:
        return ["127.0.0.1"] if "A" in types else []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Shop

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers["Host"]))
        bucket = self.path[1:].partition("?")[0].partition("/")[0]
        if bucket == "muet":
            self.server.silence.wait(5)
            self.close_connection = True
            return
        if bucket == "coupe":
            self.close_connection = True
            return
        many = 40_000 if bucket == "long" else 2
        text = LISTING.format("".join(ENTRY.format(number) for number in range(many)))
        if self.path.startswith("/long/objet"):
            text = "{" + " " * (2 * PAGE_LIMIT) + "}"
        if bucket == "absent":
            text = "<Error><Code>NoSuchBucket</Code></Error>"
        body = text.encode()
        if bucket == "arrete":
            body = b""
        self.send_response({"absent": 404, "arrete": 502}.get(bucket, 200))
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 05:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_DELETE = do_GET  # noqa: N815 - the library's names

    def do_PUT(self) -> None:
        self.server.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Shop(ThreadingHTTPServer):
    """Keeps what it saw: the connections, the requests, and what was put."""

    daemon_threads = True

    def __init__(self, authority: Authority) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.names: list[str] = []
        self.asked: list[tuple[str, str, str]] = []
        self.received: list[bytes] = []
        self.silence = threading.Event()
        context = authority.context(NAME)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses the certificate, or leaves, is what some tests are about."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ac")


@pytest.fixture
def shop(authority: Authority) -> Iterator[Shop]:
    server = Shop(authority)
    with running(server):
        yield server
        server.silence.set()


def opened(port: int, root: Path | None, attempts: int = 1) -> Store:
    address = StoreAddress(f"https://{NAME}:{port}", "fr", True, str(root) if root else None)
    connections = Connections(trust(address.extra_root))
    return Store(address, KEY, attempts=attempts, sending=sending(connections, Here(["127.0.0.1"])))


def test_requests_of_a_store_come_by_one_connection_under_its_name(shop: Shop, authority: Authority) -> None:
    store = opened(shop.server_port, authority.root)
    assert list(store.keys("seau", "etat/")) == ["etat/000000.json", "etat/000001.json"]
    store.client.head_object(Bucket="seau", Key="objet")
    store.client.delete_object(Bucket="seau", Key="objet d'essai", VersionId="1")
    store.write_json("seau", "objet", {"é": 1})
    assert shop.names == [NAME]
    assert [(method, path) for method, path, _host in shop.asked[1:]] == [
        ("HEAD", "/seau/objet"),
        ("DELETE", "/seau/objet%20d%27essai?versionId=1"),
    ]
    assert {host for _method, _path, host in shop.asked} == {f"{NAME}:{shop.server_port}"}
    assert [body.decode() for body in shop.received] == ['{\n "é": 1\n}']
    with pytest.raises(ClientError) as told:
        store.listing("absent", "")
    assert explain(told.value) == "le seau n'existe pas"
    with pytest.raises(ClientError) as told:
        store.listing("arrete", "")
    assert explain(told.value) == "le stockage est arrêté (son serveur web répond 502)"


def test_what_is_too_long_is_not_taken_for_all_of_it(shop: Shop, authority: Authority) -> None:
    store = opened(shop.server_port, authority.root)
    with pytest.raises(HTTPClientError, match="trop longue"):
        list(store.keys("long", ""))
    found = store.read_json("long", "objet")
    assert found is not None
    assert found[0] == {}


def test_why_nothing_came_is_told(shop: Shop, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    def trouble(store: Store, bucket: str) -> str:
        with pytest.raises(BotoCoreError) as told:
            list(store.keys(bucket, ""))
        return explain(told.value)

    assert trouble(opened(shop.server_port, None), "seau") == "certificat du stockage refusé"
    assert shop.asked == []
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert trouble(opened(port, authority.root), "seau") == "le stockage ne répond pas"
    nowhere = StoreAddress("https://nulle-part.invalid", "fr", True, str(authority.root))
    asked = Store(nowhere, KEY, attempts=1, sending=sending(Connections(trust(nowhere.extra_root)), None))
    assert trouble(asked, "seau") == "le stockage ne répond pas"
    store = opened(shop.server_port, authority.root)
    assert trouble(store, "coupe").startswith("ConnectionClosedError")
    monkeypatch.setattr(s3_sending, "PATIENCE", Patience(0.3, 0.3))
    assert trouble(store, "muet") == "le stockage ne répond pas"


def test_what_was_cut_is_asked_again(shop: Shop, authority: Authority) -> None:
    with pytest.raises(BotoCoreError):
        list(opened(shop.server_port, authority.root, attempts=3).keys("coupe", ""))
    # Three times more, as boto3 counts.
    assert len(shop.asked) == 4
