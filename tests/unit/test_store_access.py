# SPDX-License-Identifier: GPL-3.0-or-later
"""How a store is reached: by boto3's own way, the relay or our connections, by the key that is tried."""

from __future__ import annotations

import os
import resource
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from packmairie.engines.connections import Connections
from packmairie.engines.names import Names
from packmairie.engines.relay import Relay
from packmairie.engines.s3 import Store, StoreAddress
from packmairie.engines.s3_sending import sending

KEY = {"identifiant": "CLEMAISON", "secret": "secret-maison"}
OTHER = {"identifiant": "CLEAUTRE", "secret": "secret-autre"}
LISTING = b"""<?xml version="1.0"?><ListBucketResult><Name>seau</Name><KeyCount>1</KeyCount>
<Contents><Key>depot/etat</Key></Contents></ListBucketResult>"""
REFUSAL = b"""<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>non</Message></Error>"""


class Here(Names):
    """Names that all lead to this machine."""

    def addresses(self, host: str, types: Sequence[str] = ("A", "AAAA")) -> list[str]:
        return ["127.0.0.1"]


class Bucket(BaseHTTPRequestHandler):
    """Lists for the store's own key, and refuses every other."""

    seen: list[str]

    def do_GET(self) -> None:
        signed = self.headers["Authorization"]
        self.seen.append(signed.partition("Credential=")[2].partition("/")[0])
        mine = self.seen[-1] == KEY["identifiant"]
        body = LISTING if mine else REFUSAL
        self.send_response(200 if mine else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_told: Any) -> None:
        """Say nothing."""


@pytest.fixture(params=["boto3", "connections"])
def bucket(request: pytest.FixtureRequest) -> Iterator[tuple[Store, list[str]]]:
    seen: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Seen", (Bucket,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = StoreAddress(f"http://magasin.example:{server.server_port}", "fr", path_style=True)
    connections = Connections(ssl.create_default_context())
    if request.param == "boto3":
        address = StoreAddress(f"http://127.0.0.1:{server.server_port}", "fr", path_style=True)
        store = Store(address, KEY, attempts=1)
    else:
        store = Store(address, KEY, attempts=1, sending=sending(connections, Here(["127.0.0.1"])))
    try:
        yield store, seen
    finally:
        store.close()
        connections.end()
        server.shutdown()
        thread.join()
        server.server_close()


def test_another_key_signs_only_its_own_trial(bucket: tuple[Store, list[str]]) -> None:
    store, seen = bucket
    assert store.keys_by(OTHER, "seau", "depot/") == ((), "accès refusé à cette clé")
    assert store.keys_by(KEY, "seau", "depot/") == (("depot/etat",), "")
    assert list(store.keys("seau", "depot/")) == ["depot/etat"]
    assert seen == [OTHER["identifiant"], KEY["identifiant"], KEY["identifiant"]]


def test_a_trial_that_the_store_s_own_key_signed_clears_nothing(
    bucket: tuple[Store, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would be with a library that does not know how to sign by another key."""
    store, seen = bucket
    store.client.meta.events.register_last(
        "before-sign.s3", lambda request, **_told: request.context["signing"].pop("request_credentials", None)
    )
    with pytest.raises(RuntimeError, match="clé à essayer"):
        store.keys_by(OTHER, "seau", "depot/")
    assert seen == []


@pytest.fixture
def echo() -> Iterator[int]:
    """Answer on the loopback with what comes; give the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            with client:
                while data := client.recv(1000):
                    client.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


def through(relay: Relay, port: int, said: bytes) -> bytes:
    """Return what comes back through the relay."""
    with socket.create_connection(("127.0.0.1", int(relay.url.rpartition(":")[2])), 5) as client:
        client.sendall(f"CONNECT magasin.example:{port} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(said)
        return client.recv(1000)


def test_a_relay_that_is_closed_leaves_no_thread(echo: int) -> None:
    before = threading.active_count()
    for number in range(5):
        with Relay(Here(["127.0.0.1"]), "magasin.example", echo) as relay:
            assert through(relay, echo, b"%d" % number) == b"%d" % number
    for thread in threading.enumerate():
        if thread.daemon and "_relay" in thread.name:
            thread.join(5)
    # Those of earlier tests may have ended meanwhile.
    assert threading.active_count() <= before


def test_a_relay_carries_where_a_thousand_files_are_open(echo: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        with ExitStack() as opened:
            for _number in range(1100):
                opened.callback(os.close, os.open("/dev/null", os.O_RDONLY))
            with Relay(Here(["127.0.0.1"]), "magasin.example", echo) as relay:
                assert through(relay, echo, b"bonjour") == b"bonjour"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
