# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS and HTTP probes against real servers on loopback: what each certificate, refusal and silence is read as."""

from __future__ import annotations

import contextlib
import gzip
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tls_peers import Authority, Dialogue, over_tls, read_head, serving, starting_tls

from packmairie.briques.judging import judge_certificate
from packmairie.engines import replies, web
from packmairie.engines import transport as engine
from packmairie.engines.names import Names
from packmairie.engines.transport import Transport, trust
from packmairie.engines.web import Web
from packmairie.model.preuve import State
from packmairie.model.probe import (
    Absent,
    Answer,
    Certificate,
    DnsAnswer,
    DnsQuery,
    Found,
    HttpChain,
    HttpGet,
    Page,
    TlsHandshake,
    Unanswered,
)
from packmairie.model.problem import PackmairieError

HOST = "mx.pack.example"
GREETING, READY = b"220 mx ESMTP\r\n", b"220 go\r\n"
OFFERED, NOT_OFFERED = b"250-mx\r\n250-STARTTLS\r\n250 8BITMIME\r\n", b"250-mx\r\n250 8BITMIME\r\n"


class Loopback(Names):
    """Names that all lead to this machine, but for those that lead nowhere."""

    def ask(self, query: DnsQuery) -> Answer:
        known = query.type == "A" and not query.name.endswith("inconnu.example")
        return Found(DnsAnswer(("127.0.0.1",))) if known else Absent("rien")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def client(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Transport:
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 2.0)
    monkeypatch.setattr(web, "CONNECT_SECONDS", 2.0)
    return Transport(Loopback(["127.0.0.1"]), str(authority.root))


def web_of(client: Transport) -> Web:
    """Pages by the same names and connections."""
    return Web(client.names, connections=client.connections)


@pytest.fixture
def serve() -> Iterator[Callable[[Dialogue], int]]:
    with contextlib.ExitStack() as stack:
        yield lambda dialogue: stack.enter_context(serving(dialogue))


def certificate(answer: Answer) -> Certificate:
    assert isinstance(answer, Found), answer
    assert isinstance(answer.value, Certificate)
    return answer.value


def state(answer: Answer) -> State:
    return judge_certificate(answer, HOST, "renouveler").state


class TestCertificate:
    def test_valid(self, authority, client, serve):
        answer = client.handshake(TlsHandshake(HOST, serve(over_tls(authority.context(HOST, "mail.pack.example")))))
        found = certificate(answer)
        assert found.trusted
        assert found.names == (HOST, "mail.pack.example")
        assert found.issuer == "AC d'essai"
        assert timedelta(days=59) < found.not_after - datetime.now(UTC) <= timedelta(days=60)
        assert state(answer) is State.CONFORME

    @pytest.mark.parametrize(("days", "expected"), [(15, State.CONFORME), (13, State.NON_CONFORME)])
    def test_nearly_ended(self, authority, client, serve, days, expected):
        answer = client.handshake(TlsHandshake(HOST, serve(over_tls(authority.context(HOST, days=days)))))
        assert certificate(answer).trusted
        assert state(answer) is expected

    def test_expired(self, authority, client, serve):
        answer = client.handshake(TlsHandshake(HOST, serve(over_tls(authority.context(HOST, days=-1)))))
        assert not certificate(answer).trusted
        assert "expired" in certificate(answer).reason
        assert "expiré depuis" in judge_certificate(answer, HOST, "renouveler").measured

    def test_of_another_name(self, authority, client, serve):
        answer = client.handshake(TlsHandshake(HOST, serve(over_tls(authority.context("autre.example")))))
        assert not certificate(answer).trusted
        assert certificate(answer).names == ("autre.example",)
        assert HOST in certificate(answer).reason
        assert state(answer) is State.NON_CONFORME

    def test_of_an_authority_that_nobody_knows(self, client, serve, tmp_path):
        unknown = Authority(tmp_path / "inconnue", "Inconnue")
        answer = client.handshake(TlsHandshake(HOST, serve(over_tls(unknown.context(HOST)))))
        assert not certificate(answer).trusted
        assert certificate(answer).issuer == "Inconnue"
        assert state(answer) is State.NON_CONFORME

    def test_without_the_pack_s_root_it_is_not_trusted(self, authority, serve):
        plain = Transport(Loopback(["127.0.0.1"]))
        answer = plain.handshake(TlsHandshake(HOST, serve(over_tls(authority.context(HOST)))))
        assert not certificate(answer).trusted

    def test_a_root_that_cannot_be_read_is_told(self, tmp_path):
        (tmp_path / "faux.pem").write_text("pas un certificat")
        for path in (tmp_path / "faux.pem", tmp_path / "absent.pem"):
            with pytest.raises(PackmairieError, match=r"acme\.racine"):
                trust(str(path))


class TestNoCertificate:
    def test_refused(self, client, closed_port):
        answer = client.handshake(TlsHandshake(HOST, closed_port))
        assert isinstance(answer, Absent)
        assert "refuse la connexion" in answer.reason

    @pytest.mark.parametrize("protocol", ["", "smtp", "imap"])
    def test_silent(self, client, silent_port, protocol, monkeypatch):
        monkeypatch.setattr(engine, "CONNECT_SECONDS", 0.5)
        started = time.monotonic()
        answer = client.handshake(TlsHandshake(HOST, silent_port, protocol))
        assert isinstance(answer, Unanswered)
        assert state(answer) is State.NON_VERIFIE
        assert time.monotonic() - started < 5

    def test_no_tls_spoken_there(self, client, serve):
        answer = client.handshake(TlsHandshake(HOST, serve(lambda taken: taken.sendall(b"HTTP/1.0 400 non\r\n\r\n"))))
        assert isinstance(answer, Absent)
        assert "TLS" in answer.reason

    def test_a_name_without_address(self, client):
        answer = client.handshake(TlsHandshake("mx.inconnu.example", 25))
        assert isinstance(answer, Unanswered)


class TestStartTls:
    def ask(self, client, serve, dialogue, protocol="smtp"):
        return client.handshake(TlsHandshake(HOST, serve(dialogue), protocol))

    def test_smtp(self, authority, client, serve):
        talk = starting_tls(authority.context(HOST), GREETING, OFFERED, b"STARTTLS", READY)
        assert certificate(self.ask(client, serve, talk)).trusted

    def test_imap(self, authority, client, serve):
        talk = starting_tls(authority.context(HOST), b"* OK pret\r\n", b"a BAD\r\n", b"STARTTLS", b"a OK\r\n")
        assert certificate(self.ask(client, serve, talk, "imap")).trusted

    def test_an_expired_certificate_behind_it(self, authority, client, serve):
        talk = starting_tls(authority.context(HOST, days=-1), GREETING, OFFERED, b"STARTTLS", READY)
        assert "expired" in certificate(self.ask(client, serve, talk)).reason

    def test_not_offered_is_a_fault_and_not_a_silence(self, client, serve):
        answer = self.ask(client, serve, starting_tls(None, GREETING, NOT_OFFERED, b"JAMAIS", READY))
        assert isinstance(answer, Absent)
        assert "STARTTLS n'est pas proposé" in answer.reason
        assert state(answer) is State.NON_CONFORME

    @pytest.mark.parametrize(
        "dialogue",
        [
            starting_tls(None, b"554 pas de service\r\n", OFFERED, b"JAMAIS", READY),
            starting_tls(None, GREETING, OFFERED, b"STARTTLS", b"454 TLS indisponible\r\n"),
        ],
    )
    def test_refused_words(self, client, serve, dialogue):
        answer = self.ask(client, serve, dialogue)
        assert isinstance(answer, Absent)
        assert "réponse inattendue" in answer.reason

    def test_hanging_up_says_nothing(self, client, serve):
        assert isinstance(self.ask(client, serve, lambda _taken: None), Unanswered)


class TestFetch:
    PATH = "/.well-known/mta-sts.txt"

    def page(self, *lines: bytes, body: bytes = b"") -> bytes:
        return b"\r\n".join([*lines, b"Connection: close", b"Content-Length: %d" % len(body), b"", body])

    def fetch(self, client, port) -> Answer:
        return web_of(client).fetch(HttpGet(f"https://{HOST}:{port}{self.PATH}"))

    def test_asks_for_the_name_that_it_means(self, authority, client, serve):
        context = authority.context(HOST)
        seen: dict[str, Any] = {}
        context.sni_callback = lambda _socket, name, _context: seen.update(sni=name)

        def talk(taken):
            with context.wrap_socket(taken, server_side=True) as secured:
                seen["head"] = read_head(secured).decode()
                secured.sendall(self.page(b"HTTP/1.1 200 OK", b"Content-Type: text/plain", body=b"version: STSv1\r\n"))

        port = serve(talk)
        answer = self.fetch(client, port)
        assert isinstance(answer, Found)
        assert answer.value == Page(200, answer.value.headers, "version: STSv1\r\n")
        assert answer.value.headers["content-type"] == "text/plain"
        assert seen["sni"] == HOST
        assert f"Host: {HOST}:{port}\r\n" in seen["head"]
        assert seen["head"].startswith(f"GET {self.PATH} HTTP/1.1\r\n")

    @pytest.mark.parametrize("status", [b"404 Absent", b"301 Ailleurs", b"500 Erreur"])
    def test_other_statuses_are_answers(self, authority, client, serve, status):
        reply = self.page(b"HTTP/1.1 " + status, b"Location: https://ailleurs.example/")
        answer = self.fetch(client, serve(over_tls(authority.context(HOST), reply)))
        assert isinstance(answer, Found)
        assert answer.value.status == int(status[:3])

    @pytest.mark.parametrize(("names", "days"), [(("autre.example",), 60), ((HOST,), -1)])
    def test_a_certificate_refused_is_a_fault(self, authority, client, serve, names, days):
        answer = self.fetch(client, serve(over_tls(authority.context(*names, days=days), b"x")))
        assert isinstance(answer, Absent)
        assert "certificat refusé" in answer.reason

    def test_refused(self, client, closed_port):
        assert isinstance(self.fetch(client, closed_port), Absent)

    def test_silent(self, client, silent_port, monkeypatch):
        monkeypatch.setattr(web, "CONNECT_SECONDS", 0.5)
        assert isinstance(self.fetch(client, silent_port), Unanswered)

    def test_hanging_up(self, authority, client, serve):
        assert isinstance(self.fetch(client, serve(over_tls(authority.context(HOST)))), Unanswered)

    def test_a_name_without_address(self, client):
        assert isinstance(web_of(client).fetch(HttpGet("https://inconnu.example/")), Unanswered)

    def test_a_page_without_end_is_cut(self, authority, client, serve, monkeypatch):
        monkeypatch.setattr(replies, "PAGE_LIMIT", 10_000)
        reply = self.page(b"HTTP/1.1 200 OK", body=b"x" * 5_000_000)
        answer = self.fetch(client, serve(over_tls(authority.context(HOST), reply)))
        assert isinstance(answer, Found)
        assert 10_000 < len(answer.value.body) < 1_000_000

    def test_headers_that_trickle_do_not_hold_a_run(self, authority, client, serve, monkeypatch):
        monkeypatch.setattr(web, "PAGE_SECONDS", 1.0)
        context = authority.context(HOST)

        def trickle(taken):
            with context.wrap_socket(taken, server_side=True) as secured, contextlib.suppress(OSError):
                secured.sendall(b"HTTP/1.1 200 OK\r\nX-Lent: ")
                for _number in range(50):
                    secured.sendall(b"x")
                    time.sleep(0.1)

        started = time.monotonic()
        answer = self.fetch(client, serve(trickle))
        assert isinstance(answer, Unanswered)
        assert "pas fini de répondre" in answer.reason
        assert time.monotonic() - started < 3

    def test_a_body_that_trickles_holds_neither_a_fetch_nor_a_visitor(self, authority, client, serve, monkeypatch):
        monkeypatch.setattr(web, "PAGE_SECONDS", 1.0)
        monkeypatch.setattr(web, "TIMEOUT_SECONDS", 1.0)
        context = authority.context(HOST)

        def trickle(taken):
            with context.wrap_socket(taken, server_side=True) as secured, contextlib.suppress(OSError):
                read_head(secured)
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
                for _number in range(50):
                    secured.sendall(b"x")
                    time.sleep(0.1)

        asked = web_of(client)
        for ask, probe in ((asked.fetch, HttpGet), (asked.follow, HttpChain)):
            started = time.monotonic()
            answer = ask(probe(f"https://{HOST}:{serve(trickle)}{self.PATH}"))
            assert isinstance(answer, Unanswered)
            assert "pas fini de répondre en 1 s" in answer.reason
            assert time.monotonic() - started < 3

    @pytest.mark.parametrize(
        "reply",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nle debut",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nle debut",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nrien",
            b"pas du HTTP\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        ],
    )
    def test_what_is_not_a_whole_page_says_nothing(self, authority, client, serve, reply):
        assert isinstance(self.fetch(client, serve(over_tls(authority.context(HOST), reply))), Unanswered)

    def test_a_body_in_pieces(self, authority, client, serve):
        reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nver\r\n4\r\nsion\r\n0\r\n\r\n"
        assert self.fetch(client, serve(over_tls(authority.context(HOST), reply))).value.body == "version"

    def test_what_was_compressed_all_the_same_is_read_and_a_bomb_is_cut(self, authority, client, serve, monkeypatch):
        monkeypatch.setattr(replies, "PAGE_LIMIT", 10_000)
        for body, length in ((b"version: STSv1", 14), (b"x" * 5_000_000, 10_001)):
            reply = self.page(b"HTTP/1.1 200 OK", b"Content-Encoding: gzip", body=gzip.compress(body))
            assert len(self.fetch(client, serve(over_tls(authority.context(HOST), reply))).value.body) == length

    def test_headers_that_came_twice_or_in_utf_8(self, authority, client, serve):
        reply = self.page(b"HTTP/1.1 200 OK", b"X-Un: a", b"x-un: b", "Location: /été".encode(), b"X-Latin: \xe9")
        headers = self.fetch(client, serve(over_tls(authority.context(HOST), reply))).value.headers
        assert (headers["x-un"], headers["location"], headers["x-latin"]) == ("a, b", "/été", "é")

    def test_a_proxy_of_the_machine_is_not_asked(self, authority, client, serve, closed_port, monkeypatch):
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
        reply = self.page(b"HTTP/1.1 200 OK", body=b"x")
        assert isinstance(self.fetch(client, serve(over_tls(authority.context(HOST), reply))), Found)
