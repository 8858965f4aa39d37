# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell quickly that a zone is served exactly as wished: one transfer (AXFR, RFC 5936), read without what signs it.

octoDNS compares every zone after dnspython has parsed all of it, two thirds of which are signatures: 28 ms of processor
for each commune, and most zones have not changed. Here only the records that octoDNS would manage are parsed. What is
told is "exactly as wished", or nothing: whatever else happens is left to octoDNS (decision 0036).
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig

from packmairie.model.record import Record, Zone, txt_strings

MADE_BY_THE_SERVER = frozenset(
    {
        dns.rdatatype.SOA,
        dns.rdatatype.RRSIG,
        dns.rdatatype.NSEC,
        dns.rdatatype.NSEC3,
        dns.rdatatype.NSEC3PARAM,
        dns.rdatatype.DNSKEY,
        dns.rdatatype.CDS,
        dns.rdatatype.CDNSKEY,
    }
)
"""Types that Knot writes by itself in a signed zone, and that no wish holds."""
HEADER = struct.Struct("!HHHHHH")
FIXED = struct.Struct("!HHIH")
_Found = tuple[bytes, int, int, bytes]
"""Owner (lower case, in wire form), type, time to live and canonical data of one record."""


@dataclass(frozen=True)
class _Entry:
    owner: dns.name.Name
    start: int
    type: int
    ttl: int
    data: int
    length: int


def served_as_wished(zone: Zone, address: str, port: int, key: dns.tsig.Key, seconds: float) -> bool:
    """Given a wished zone and its primary, tell whether that server has exactly its records; False when unsure."""
    try:
        query = dns.message.make_query(dns.name.from_text(zone.name), dns.rdatatype.AXFR)
        query.use_tsig({key.name: key}, keyname=key.name)
        sent = query.to_wire()
        answer = _exchange(sent, address, port, seconds)
        return _read(answer, query, key) == wished(zone)
    except (OSError, EOFError, ValueError, struct.error, dns.exception.DNSException):
        return False


def wished(zone: Zone) -> frozenset[_Found]:
    """Return the records of a zone as a server would send them."""
    origin = dns.name.from_text(zone.name)
    return frozenset(found for record in zone.records for found in _wire(record, zone, origin))


def _wire(record: Record, zone: Zone, origin: dns.name.Name) -> Iterator[_Found]:
    owner = _owner(dns.name.from_text(record.owner(zone.name)))
    kind = dns.rdatatype.from_text(record.type)
    for value in record.values:
        text = txt_strings(value) if record.type == "TXT" else value
        data = dns.rdata.from_text(dns.rdataclass.IN, kind, text, origin, relativize=False)
        yield owner, int(kind), record.ttl, data.to_digestable()


def _exchange(sent: bytes, address: str, port: int, seconds: float) -> bytes:
    """Send a query over TCP and return the first message of the answer."""
    with socket.create_connection((address, port), seconds) as connection:
        connection.settimeout(seconds)
        connection.sendall(struct.pack("!H", len(sent)) + sent)
        with connection.makefile("rb") as stream:
            (length,) = struct.unpack("!H", _exactly(stream.read(2), 2))
            return _exactly(stream.read(length), length)


def _exactly(read: bytes, length: int) -> bytes:
    if len(read) != length:
        raise EOFError
    return read


def _read(answer: bytes, query: dns.message.QueryMessage, key: dns.tsig.Key) -> frozenset[_Found] | None:
    """Return the managed records of a whole signed transfer of one message; None when it is anything else."""
    identity, flags, questions, answers, authorities, extras = HEADER.unpack_from(answer)
    if identity != query.id or flags & 0xF != dns.rcode.NOERROR or not answers or authorities or not extras:
        return None
    place = HEADER.size
    for _number in range(questions):
        _name, used = dns.name.from_wire(answer, place)
        place += used + 4
    entries = []
    for _number in range(answers + extras):
        name, used = dns.name.from_wire(answer, place)
        kind, _class, ttl, length = FIXED.unpack_from(answer, place + used)
        entries.append(_Entry(name, place, kind, ttl, place + used + FIXED.size, length))
        place = entries[-1].data + length
    records, last = entries[:answers], entries[-1]
    # A transfer is whole between two records of authority; the signature is over all of it, and the last of all.
    whole = len(records) > 1 and records[0].type == records[-1].type == dns.rdatatype.SOA
    if not whole or last.type != dns.rdatatype.TSIG or place != len(answer):
        return None
    _verify(answer, last, query, key)
    found = [
        (_owner(entry.owner), entry.type, entry.ttl, _canonical(answer, entry))
        for entry in records
        if entry.type not in MADE_BY_THE_SERVER
    ]
    return frozenset(found) if len(set(found)) == len(found) else None


def _verify(answer: bytes, signature: _Entry, query: dns.message.QueryMessage, key: dns.tsig.Key) -> None:
    """Raise DNSException when the answer is not signed by the key that the query was signed with (RFC 8945)."""
    rdata = dns.rdata.from_wire(dns.rdataclass.ANY, dns.rdatatype.TSIG, answer, signature.data, signature.length)
    if signature.owner != key.name:
        raise dns.tsig.BadKey
    dns.tsig.validate(answer, key, signature.owner, rdata, int(time.time()), query.mac, signature.start)  # type: ignore[no-untyped-call]


def _owner(name: dns.name.Name) -> bytes:
    return name.to_digestable()


def _canonical(answer: bytes, entry: _Entry) -> bytes:
    kind = dns.rdatatype.RdataType.make(entry.type)
    return dns.rdata.from_wire(dns.rdataclass.IN, kind, answer, entry.data, entry.length).to_digestable()
