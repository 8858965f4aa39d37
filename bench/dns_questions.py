# SPDX-License-Identifier: GPL-3.0-or-later
"""What a question to the DNS costs the processor of who asks: those of a commune together, or one by one, in one run.

    .venv/bin/python bench/dns_questions.py [--communes 60]

A resolver on the loopback, in a process of its own, answers each question with one record. Both ways bring the same
answers, and take turns; of this process all the processor is counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import sys
import time

import dns.message
import dns.rrset

from packmairie.engines.names import Names
from packmairie.model.probe import DnsQuery, Found

ADDRESS = "127.0.0.1"
TYPES = {"A": 9, "TXT": 6, "MX": 1, "SRV": 2, "CAA": 1, "NS": 1, "SOA": 1}
"""About what a commune's checks ask, by type."""
RECORDS = {
    "A": "192.0.2.1",
    "TXT": '"v=spf1 include:_spf.pack.example -all"',
    "MX": "10 mail.pack.example.",
    "SRV": "0 1 993 mail.pack.example.",
    "CAA": '0 issue "ac.example"',
    "NS": "ns1.pack.example.",
    "SOA": "ns1.pack.example. exploitation.pack.example. 1 3600 600 1209600 300",
}
TURNS = 5


def serve(listener: socket.socket) -> None:
    """Answer until this process is ended."""
    while True:
        data, sender = listener.recvfrom(4096)
        reply = dns.message.make_response(dns.message.from_wire(data))
        asked = reply.question[0]
        reply.answer = [dns.rrset.from_text(asked.name, 300, "IN", asked.rdtype, RECORDS[asked.rdtype.name])]
        listener.sendto(reply.to_wire(), sender)


def questions(turn: str, communes: int) -> list[list[DnsQuery]]:
    """Return the questions of each commune; those of a turn are asked in no other."""
    return [
        [
            DnsQuery(f"n{number}.c{commune}.{turn}.example", type_)
            for type_, count in TYPES.items()
            for number in range(count)
        ]
        for commune in range(communes)
    ]


def cost(port: int, ahead: bool, asked: list[list[DnsQuery]]) -> float:
    """Return the microseconds of this process for one question."""
    names = Names([ADDRESS], remembering=True)
    names.resolver.port = port
    before = time.process_time()
    for commune in asked:
        if ahead:
            names.ask_ahead(commune)
        if not all(isinstance(names.ask(query), Found) for query in commune):
            sys.exit("an answer did not come")
    return (time.process_time() - before) / sum(map(len, asked)) * 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--communes", type=int, default=60)
    communes = parser.parse_args().communes
    ways: dict[str, bool] = {"together": True, "one by one": False}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((ADDRESS, 0))
        server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
        server.start()
        port = listener.getsockname()[1]
        costs: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(TURNS):
            for number, (name, ahead) in enumerate(ways.items()):
                costs[name].append(cost(port, ahead, questions(f"t{turn}-{number}", communes)))
        server.terminate()
        server.join()
    first = statistics.median(costs["together"])
    for name, found in costs.items():
        median = statistics.median(found)
        print(
            f"{name:<12} {min(found):.0f} – {median:.0f} – {max(found):.0f} µs a question; {median / first:.1f} times"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
