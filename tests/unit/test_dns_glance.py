# SPDX-License-Identifier: GPL-3.0-or-later
"""A zone is told to be as wished only when its primary, by its key, serves exactly that; a server here plays it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest

from packmairie.engines.dns_glance import served_as_wished, wished
from packmairie.model.record import Record, Zone

NAME = "riencourt.example"
KEY = dns.tsig.Key("packmairie.", "c2VjcmV0IGRlIGxhYm8gZGUgdHJlbnRlLWRldXggb2N0ZXRz", "hmac-sha256")
OTHER = dns.tsig.Key("packmairie.", "YXV0cmUgc2VjcmV0IGRlIHRyZW50ZS1kZXV4IG9jdGV0cyE=", "hmac-sha256")
ZONE = Zone(
    NAME,
    (
        Record("", "MX", ("10 mail.pack.example.",), 3600, "courrier"),
        Record("", "TXT", ("v=spf1 mx -all", "un texte « accentué » " + "x" * 300), 3600, "SPF"),
        Record("www", "A", ("192.0.2.1", "192.0.2.2"), 300, "site"),
        Record("_imaps._tcp", "SRV", ("0 1 993 imap.pack.example.",), 300, "boîtes"),
    ),
    "62708",
    True,
)
SOA = ("@", 3600, "SOA", "ns1.pack.example. hostmaster.pack.example. 1 2 3 4 5")
SERVED = [
    ("@", 3600, "MX", "10 MAIL.pack.example."),
    ("@", 3600, "TXT", '"v=spf1 mx -all"'),
    ("www", 300, "A", "192.0.2.2", "192.0.2.1"),
    ("_IMAPS._tcp", 300, "SRV", "0 1 993 imap.PACK.example."),
    ("www", 300, "RRSIG", f"A 13 3 300 20300101000000 20200101000000 1 {NAME}. AAAA"),
    ("@", 3600, "DNSKEY", "257 3 13 AAAA"),
]


def long_text() -> tuple[str, int, str, str, str]:
    """Return the two texts of the zone as its server would write them."""
    (texts,) = [one for one in wished(ZONE) if one[1] == dns.rdatatype.TXT and len(one[3]) > 100] or [None]
    assert texts is not None
    rest, strings = texts[3], []
    while rest:
        strings.append(rest[1 : 1 + rest[0]])
        rest = rest[1 + rest[0] :]
    quoted = " ".join('"' + "".join(f"\\{octet:03d}" for octet in string) + '"' for string in strings)
    return ("@", 3600, "TXT", '"v=spf1 mx -all"', quoted)


def records(*changes: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Return what the server has: the wished zone, and these sets in the place of those of their name and type."""
    changed: list[tuple[object, ...]] = [*changes]
    names = {(one[0], one[2]) for one in changed}
    base = [one for one in [*SERVED[:1], long_text(), *SERVED[2:]] if (one[0], one[2]) not in names]
    return [SOA, *base, *changed, SOA]


def reply(served: list[tuple[object, ...]], key: dns.tsig.Key | None = KEY) -> Callable[[bytes], list[bytes]]:
    """Return how the server answers a transfer with these sets."""

    def answer(sent: bytes) -> list[bytes]:
        query = dns.message.from_wire(sent, keyring={KEY.name: KEY})
        response = dns.message.make_response(query)
        if key is None:
            response.tsig = None
        else:
            response.use_tsig({key.name: key}, keyname=key.name)
            response.request_mac = query.mac
        origin = dns.name.from_text(NAME)
        for owner, ttl, kind, *values in served:
            name = dns.name.from_text(str(owner), origin)
            response.answer.append(
                dns.rrset.from_text_list(name, ttl, "IN", kind, values, origin=origin, relativize=False)
            )
        return [response.to_wire()]

    return answer


@contextmanager
def server(answer: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """Answer one query on the loopback; yield the port."""
    faults: list[Exception] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            try:
                connection, _address = listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                (length,) = struct.unpack("!H", stream.read(2))
                asked = stream.read(length)
                try:
                    messages = answer(asked)
                except Exception as error:  # noqa: BLE001 — told by the test itself
                    faults.append(error)
                    return
                for message in messages:
                    connection.sendall(struct.pack("!H", len(message)) + message)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            thread.join()
    assert faults == []


def asked(answer: Callable[[bytes], list[bytes]], key: dns.tsig.Key = KEY) -> bool:
    """Return what is told of the zone by a server that answers so."""
    with server(answer) as port:
        return served_as_wished(ZONE, "127.0.0.1", port, key, 5)


def test_the_same_records_are_the_wish_whatever_signs_them() -> None:
    assert asked(reply(records()))


@pytest.mark.parametrize(
    "change",
    [
        ("www", 300, "A", "192.0.2.1"),
        ("www", 300, "A", "192.0.2.1", "192.0.2.2", "192.0.2.3"),
        ("www", 301, "A", "192.0.2.1", "192.0.2.2"),
        ("@", 3600, "MX", "10 ailleurs.example."),
        ("intrus", 300, "A", "192.0.2.9"),
        ("@", 3600, "TXT", '"v=spf1 mx ~all"'),
        ("@", 3600, "CAA", '0 issue "ailleurs.example"'),
    ],
)
def test_any_difference_is_left_to_octodns(change: tuple[str, ...]) -> None:
    assert not asked(reply(records(change)))


def test_an_answer_that_the_key_did_not_sign_is_not_believed() -> None:
    assert not asked(reply(records(), OTHER))
    assert not asked(reply(records(), None))


def test_a_transfer_that_is_not_whole_is_not_believed() -> None:
    assert not asked(reply(records()[:-1]))
    assert not asked(lambda sent: [reply(records())(sent)[0][:-7]])
    assert not asked(lambda sent: [])


def test_an_altered_octet_is_seen() -> None:
    def altered(sent: bytes) -> list[bytes]:
        (message,) = reply(records(("www", 300, "A", "192.0.2.1", "192.0.2.3")))(sent)
        return [message.replace(socket.inet_aton("192.0.2.3"), socket.inet_aton("192.0.2.2"))]

    assert not asked(altered)


def test_a_refusal_and_a_closed_port_are_left_to_octodns() -> None:
    def refused(sent: bytes) -> list[bytes]:
        response = dns.message.make_response(dns.message.from_wire(sent, keyring={KEY.name: KEY}))
        response.set_rcode(dns.rcode.NOTAUTH)
        return [response.to_wire()]

    assert not asked(refused)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not served_as_wished(ZONE, "127.0.0.1", port, KEY, 1)
