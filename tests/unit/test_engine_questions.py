# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions asked of a resolver at once, over real datagrams: only what it found is kept, and only its own answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from packmairie.engines import questions
from packmairie.engines.names import Names
from packmairie.model.probe import Absent, DnsAnswer, DnsQuery, Found, SpfReview

HERE = "127.0.0.1"
Answering = Callable[[dns.message.Message], list[bytes]]
"""What is sent back to a question: any datagrams, in order."""
SPF = '"v=spf1 ip4:192.0.2.1 -all"'


def found(question: dns.message.Message, *values: str, flags: int = dns.flags.AD) -> bytes:
    """Return an answer with these values."""
    asked = question.question[0]
    reply = dns.message.make_response(question)
    reply.flags |= flags
    reply.answer = [dns.rrset.from_text(asked.name, 300, "IN", asked.rdtype, *values)] if values else []
    return reply.to_wire()


class Resolver:
    """Datagrams on the loopback; keeps what was asked."""

    def __init__(self, answering: Answering) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HERE, 0))
        self.port: int = self.socket.getsockname()[1]
        self.asked: list[str] = []
        self._answering = answering
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(4096)
            if not data:
                return
            question = dns.message.from_wire(data)
            asked = question.question[0]
            self.asked.append(f"{asked.name.to_text(omit_final_dot=True)} {asked.rdtype.name}")
            for datagram in self._answering(question):
                self.socket.sendto(datagram, sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", (HERE, self.port))
        self._thread.join(5)
        self.socket.close()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answering], Resolver]]:
    monkeypatch.setattr(questions, "TOGETHER_SECONDS", 0.3)
    started: list[Resolver] = []

    def start(answering: Answering) -> Resolver:
        started.append(Resolver(answering))
        return started[-1]

    yield start
    for one in started:
        one.close()


def remembering(port: int) -> Names:
    names = Names([HERE], remembering=True)
    names.resolver.port = port
    return names


def failed(question: dns.message.Message) -> bytes:
    """Return an answer that says at once that it failed, and what it found."""
    reply = dns.message.from_wire(found(question, "192.0.2.66"))
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply.to_wire()


def addressed(question: dns.message.Message) -> list[bytes]:
    return [found(question, SPF if question.question[0].rdtype.name == "TXT" else "192.0.2.7")]


def test_what_was_asked_at_once_is_not_asked_again(resolver: Callable[[Answering], Resolver]) -> None:
    server = resolver(addressed)
    names = remembering(server.port)
    wanted = [DnsQuery(f"n{number}.exemple.fr", "A") for number in range(2 * questions.AT_ONCE + 5)]
    names.ask_ahead([*wanted, wanted[0], DnsQuery("ailleurs.exemple.fr", "A", "192.0.2.1")])
    assert sorted(server.asked) == sorted(f"{query.name} A" for query in wanted)
    assert all(names.ask(query) == Found(DnsAnswer(("192.0.2.7",), True)) for query in wanted)
    names.ask_ahead(wanted)
    assert len(server.asked) == len(wanted)


def test_the_policy_of_senders_is_read_in_what_was_found(resolver: Callable[[Answering], Resolver]) -> None:
    server = resolver(
        lambda question: addressed(question) if question.question[0].rdtype.name == "TXT" else [found(question)]
    )
    names = remembering(server.port)
    names.ask_ahead([DnsQuery("exemple.fr", "TXT")])
    reviewed = names.review_sender_policy(SpfReview("exemple.fr"))
    assert reviewed.value.record == SPF.strip('"')  # type: ignore[union-attr]
    assert server.asked.count("exemple.fr TXT") == 1


@pytest.mark.parametrize(
    "first",
    [
        lambda question: [],
        lambda question: [b"", b"\0" * 11, b"\xff" * 60],
        lambda question: [found(question, "192.0.2.66", flags=dns.flags.TC)],
        lambda question: [found(dns.message.make_query("exemple.fr", "A"), "192.0.2.66")],
        lambda question: [found(dns.message.make_query("autre.exemple.fr", "A", id=question.id), "192.0.2.66")],
        lambda question: [question.to_wire()],
        lambda question: [found(question)],
        lambda question: [dns.message.make_response(question).to_wire()[:2] + b"\x81\x82" + b"\0" * 8],
        lambda question: [failed(question)],
    ],
    ids=[
        "silence",
        "no message",
        "cut short",
        "another number",
        "another question",
        "itself",
        "nothing",
        "failure",
        "failure and records",
    ],
)
def test_what_is_not_a_plain_answer_is_asked_by_itself(
    resolver: Callable[[Answering], Resolver], first: Answering
) -> None:
    turns = iter([first, addressed, addressed])
    server = resolver(lambda question: next(turns)(question))  # noqa: PLW0108 — each question has its turn
    names = remembering(server.port)
    query = DnsQuery("exemple.fr", "A")
    names.ask_ahead([query])
    assert names.ask(query) == Found(DnsAnswer(("192.0.2.7",), True))
    assert server.asked == ["exemple.fr A"] * 2


def test_the_right_answer_is_awaited_behind_others(resolver: Callable[[Answering], Resolver]) -> None:
    other = dns.message.make_query("autre.exemple.fr", "A")
    server = resolver(lambda question: [b"rien", found(other, "192.0.2.66"), found(question, "192.0.2.7")])
    names = remembering(server.port)
    names.ask_ahead([DnsQuery("exemple.fr", "A")])
    assert names.ask(DnsQuery("exemple.fr", "A")) == Found(DnsAnswer(("192.0.2.7",), True))
    assert server.asked == ["exemple.fr A"]


def test_absence_is_asked_for_again_and_a_name_that_is_none_hides_no_other(
    resolver: Callable[[Answering], Resolver],
) -> None:
    def answering(question: dns.message.Message) -> list[bytes]:
        reply = dns.message.make_response(question)
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return [reply.to_wire()] if "rien" in str(question.question[0].name) else addressed(question)

    server = resolver(answering)
    names = remembering(server.port)
    names.ask_ahead([DnsQuery("a" * 70 + ".fr", "A"), DnsQuery("rien.fr", "A"), DnsQuery("exemple.fr", "A")])
    assert isinstance(names.ask(DnsQuery("rien.fr", "A")), Absent)
    assert isinstance(names.ask(DnsQuery("exemple.fr", "A")), Found)
    assert server.asked == ["rien.fr A", "exemple.fr A", "rien.fr A"]


def test_silence_and_a_closed_port_hold_nobody(resolver: Callable[[Answering], Resolver]) -> None:
    server = resolver(lambda question: [])
    wanted = [DnsQuery(f"n{number}.exemple.fr", "A") for number in range(200)]
    started = time.monotonic()
    assert questions.ask_together(HERE, server.port, wanted) == {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind((HERE, 0))
        port = closed.getsockname()[1]
    assert questions.ask_together(HERE, port, wanted) == {}
    assert time.monotonic() - started < 2


def test_a_resolver_that_never_stops_talking_holds_nobody(resolver: Callable[[Answering], Resolver]) -> None:
    def answering(question: dns.message.Message) -> Iterator[bytes]:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            yield b"rien"

    server = resolver(answering)  # type: ignore[arg-type]  # as long as it is listened to
    started = time.monotonic()
    assert questions.ask_together(HERE, server.port, [DnsQuery("exemple.fr", "A")]) == {}
    assert time.monotonic() - started < 1.5


def test_who_does_not_remember_asks_nothing_ahead(resolver: Callable[[Answering], Resolver]) -> None:
    server = resolver(addressed)
    names = Names([HERE])
    names.resolver.port = server.port
    names.ask_ahead([DnsQuery("exemple.fr", "A")])
    assert server.asked == []
