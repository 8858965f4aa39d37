# SPDX-License-Identifier: GPL-3.0-or-later
"""Many questions asked of a resolver at once: one by one, much of what each costs is to wait and to be woken."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver

from packmairie.model.probe import DnsQuery

TOGETHER_SECONDS = 2.0
"""How long all the answers are waited for."""
AT_ONCE = 60
"""Questions sent before any answer is read: theirs fit in what a socket keeps."""
PAYLOAD = 1232
"""Bytes of an answer by UDP where EDNS announces them; 512 without (RFC 6891 §6.2.3)."""
LONG = frozenset({"TXT"})
"""Types whose answers may be longer than 512 bytes."""


def ask_together(server: str, port: int, queries: Sequence[DnsQuery]) -> dict[DnsQuery, dns.resolver.Answer]:
    """Given a resolver and questions to it, return the records that it found.

    ``server`` is an address. What is absent, cut short, refused or late is not in what is returned: nothing is known
    of it, and it is to be asked for by itself.
    """
    found: dict[DnsQuery, dns.resolver.Answer] = {}
    family = socket.AF_INET6 if ip_address(server).version == 6 else socket.AF_INET
    end = time.monotonic() + TOGETHER_SECONDS
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            # Nobody else's datagrams are then read.
            asking.connect((server, port))
            for start in range(0, len(queries), AT_ONCE):
                _exchange(asking, queries[start : start + AT_ONCE], end, found)
    except OSError:
        # Silence, a closed port: whoever asks for each by itself tells which.
        return found
    return found


def _exchange(
    asking: socket.socket, queries: Sequence[DnsQuery], end: float, found: dict[DnsQuery, dns.resolver.Answer]
) -> None:
    waiting: dict[int, tuple[DnsQuery, dns.message.Message]] = {}
    for query in queries:
        try:
            question = _question(query)
            wire = question.to_wire()
        except (dns.exception.DNSException, ValueError):
            continue
        if question.id not in waiting:
            waiting[question.id] = query, question
            asking.send(wire)
    while waiting and (left := end - time.monotonic()) > 0:
        asking.settimeout(left)
        try:
            reply = dns.message.from_wire(asking.recv(PAYLOAD))
        except (dns.exception.DNSException, ValueError):
            continue
        asked = waiting.get(reply.id)
        if asked is None or not asked[1].is_response(reply):
            continue
        del waiting[reply.id]
        answer = _answer(asked[1], reply)
        if answer is not None:
            found[asked[0]] = answer


def _question(query: DnsQuery) -> dns.message.Message:
    """Return a question whose answer tells whether it was validated (RFC 6840 §5.7)."""
    flags = dns.flags.RD | dns.flags.AD
    if query.type in LONG:
        return dns.message.make_query(query.name, query.type, use_edns=0, payload=PAYLOAD, flags=flags)
    return dns.message.make_query(query.name, query.type, flags=flags)


def _answer(question: dns.message.Message, reply: dns.message.Message) -> dns.resolver.Answer | None:
    whole = reply.rcode() == dns.rcode.NOERROR and not reply.flags & dns.flags.TC
    if not whole or not isinstance(reply, dns.message.QueryMessage):
        return None
    asked = question.question[0]
    try:
        answer = dns.resolver.Answer(asked.name, asked.rdtype, asked.rdclass, reply)
    except dns.exception.DNSException:
        return None
    return answer if answer.rrset else None
