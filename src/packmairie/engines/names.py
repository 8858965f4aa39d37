# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the DNS, as the world sees it: through the pack's resolvers, or one server directly."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from packmairie.engines.questions import PAYLOAD, ask_together
from packmairie.model.probe import (
    Absent,
    Answer,
    DnsAnswer,
    DnsQuery,
    Found,
    Location,
    MxLocation,
    SpfFindings,
    SpfReview,
    Unanswered,
)

LIFETIME_SECONDS = 5.0
SHARED = frozenset({"TXT"})
"""Types that are asked for by who is given the resolver, too."""


class Names:
    """Questions to the DNS. ``resolvers`` are addresses; none means those of the machine.

    With ``remembering``, an answer serves again for as long as its TTL says: for one run of many questions about the
    same names, not for waiting until something changes.
    """

    def __init__(
        self, resolvers: Sequence[str] = (), country_base: str | None = None, *, remembering: bool = False
    ) -> None:
        self.resolver = dns.resolver.Resolver(configure=not resolvers)
        # Beside the resolver's own memory, which serves who is given it, keeps absences, and costs more to look at.
        self._found: dict[DnsQuery, tuple[float, Found]] | None = {} if remembering else None
        if remembering:
            self.resolver.cache = dns.resolver.LRUCache()
        if resolvers:
            self.resolver.nameservers = list(resolvers)
        self.resolver.lifetime = LIFETIME_SECONDS
        # The AD bit asks whether the answer was validated, and tells it (RFC 6840 §5.7). The DO bit would have the
        # signatures themselves come, which nothing here reads.
        self.resolver.use_edns(0, 0, PAYLOAD)
        self.resolver.set_flags(dns.flags.RD | dns.flags.AD)
        self.country_base = country_base

    def ask(self, query: DnsQuery) -> Answer:
        """Return the record set, its absence, or the reason why nothing is known."""
        if query.server is not None:
            return self._ask_server(query, query.server)
        if self._found is None:
            return self._resolve(query)[0]
        until, known = self._found.get(query, (0.0, None))
        if known is not None and until > time.time():
            return known
        answer, until = self._resolve(query)
        if isinstance(answer, Found):
            self._found[query] = (until, answer)
        return answer

    def ask_ahead(self, queries: Iterable[DnsQuery]) -> None:
        """Ask resolvers at once what will be asked: what they find is remembered, the rest is asked for in its time.

        Does nothing where answers are not remembered.
        """
        server = self.resolver.nameservers[0] if self.resolver.nameservers else None
        if self._found is None or not isinstance(server, str):
            return
        now = time.time()
        unknown = [
            query
            for query in dict.fromkeys(queries)
            if not query.server and self._found.get(query, (now, None))[0] <= now
        ]
        for query, answer in ask_together(server, self.resolver.port, unknown).items():
            if answer.rrset:
                self._found[query] = answer.expiration, _told(answer.rrset, answer)
            if self.resolver.cache and query.type in SHARED:
                self.resolver.cache.put((answer.qname, answer.rdtype, answer.rdclass), answer)

    def _resolve(self, query: DnsQuery) -> tuple[Answer, float]:
        """Return what resolvers tell, and until when (seconds since 1970) that may be told again."""
        try:
            answer = self.resolver.resolve(query.name, query.type, raise_on_no_answer=True)
        except dns.resolver.NXDOMAIN:
            return Absent(f"{query.name} n'existe pas dans le DNS"), 0.0
        except dns.resolver.NoAnswer:
            return Absent(f"{query.name} n'a pas d'enregistrement {query.type}"), 0.0
        except dns.resolver.NoNameservers as error:
            return Unanswered(f"le résolveur ne sait pas répondre pour {query.name} ({_rcode(error)})"), 0.0
        except dns.exception.Timeout:
            return Unanswered(f"pas de réponse du DNS pour {query.name} en {LIFETIME_SECONDS:.0f} s"), 0.0
        except (dns.exception.DNSException, OSError) as error:
            return Unanswered(f"question DNS impossible : {error}"), 0.0
        if not answer.rrset:
            return Absent("réponse vide"), 0.0
        return _told(answer.rrset, answer), answer.expiration

    def _ask_server(self, query: DnsQuery, server: str) -> Answer:
        message = dns.message.make_query(query.name, query.type)
        message.flags &= ~dns.flags.RD
        try:
            reply, _over_tcp = dns.query.udp_with_fallback(message, server, timeout=LIFETIME_SECONDS)
        except dns.exception.Timeout:
            return Unanswered(f"le serveur {server} n'a pas répondu en {LIFETIME_SECONDS:.0f} s")
        except (dns.exception.DNSException, OSError) as error:
            return Unanswered(f"le serveur {server} n'est pas joignable ({error})")
        if reply.rcode() == dns.rcode.NXDOMAIN:
            return Absent(f"{query.name} n'existe pas sur {server}")
        if reply.rcode() != dns.rcode.NOERROR:
            return Absent(f"{server} répond {dns.rcode.to_text(reply.rcode())} pour {query.name}")
        for rrset in reply.answer:
            if rrset.rdtype == dns.rdatatype.from_text(query.type):
                return Found(DnsAnswer(values_of(rrset)))
        return Absent(f"{query.name} n'a pas d'enregistrement {query.type} sur {server}")

    def addresses(self, host: str, types: Sequence[str] = ("A", "AAAA")) -> list[str]:
        """Return the addresses of a host, those found; an empty list when there is none or nobody answers."""
        found: list[str] = []
        for type_ in types:
            answer = self.ask(DnsQuery(host, type_))
            if isinstance(answer, Found):
                found += answer.value.values
        return found

    def address(self, host: str) -> str | None:
        """Return the first address of a host, an IPv6 one only where there is no other; None as ``addresses``."""
        return next((found[0] for type_ in ("A", "AAAA") if (found := self.addresses(host, (type_,)))), None)

    def review_sender_policy(self, review: SpfReview) -> Answer:
        """Evaluate SPF with checkdmarc, through the same resolvers."""
        import checkdmarc.spf  # noqa: PLC0415 — a second of imports that only this probe needs

        try:
            outcome = checkdmarc.spf.check_spf(review.domain, resolver=self.resolver, timeout=LIFETIME_SECONDS)
        except (dns.exception.Timeout, dns.resolver.NoNameservers, OSError) as error:
            return Unanswered(f"évaluation SPF impossible : {error}")
        record = str(outcome.get("record") or "")
        fault = str(outcome.get("error") or "")
        if "timed out" in fault or "SERVFAIL" in fault:
            return Unanswered(f"évaluation SPF impossible : {fault}")
        return Found(
            SpfFindings(
                record,
                int(outcome.get("dns_lookups") or 0),
                fault,
                tuple(str(text) for text in outcome.get("warnings") or ()),
            )
        )

    def locate_exchange(self, query: MxLocation) -> Answer:
        """Return the countries of the first mail server that has an IPv4 address, by preference."""
        answer = self.ask(DnsQuery(query.domain, "MX"))
        if not isinstance(answer, Found):
            return answer
        servers = sorted((int(text.split()[0]), text.split()[1].rstrip(".")) for text in answer.value.values)
        for _preference, server in servers:
            found = self.ask(DnsQuery(server, "A"))
            if isinstance(found, Found):
                return Found(Location(server, {address: self._country(address) for address in found.value.values}))
            if isinstance(found, Unanswered):
                # Nothing is known of the preferred server: judging the next one could clear or accuse wrongly.
                return found
        return Absent(f"aucun serveur de {query.domain} n'a d'adresse IPv4 connue")

    def _country(self, address: str) -> str:
        """Return the ISO code of an address by the configured base, or ``""``."""
        if not self.country_base or not Path(self.country_base).is_file():
            return ""
        import maxminddb  # noqa: PLC0415 — only with a base

        with maxminddb.open_database(self.country_base) as base:
            entry = base.get(address)
        country = entry.get("country") if isinstance(entry, dict) else None
        return str(country.get("iso_code") or "") if isinstance(country, dict) else ""


def _told(rrset: dns.rrset.RRset, answer: dns.resolver.Answer) -> Found:
    return Found(DnsAnswer(values_of(rrset), bool(answer.response.flags & dns.flags.AD)))


def values_of(rrset: dns.rrset.RRset) -> tuple[str, ...]:
    """Return a record set as texts: TXT joined and unquoted, names lower-case, sorted."""
    values = []
    for rdata in rrset:
        if rrset.rdtype == dns.rdatatype.TXT:
            values.append(b"".join(rdata.strings).decode("utf-8", "replace"))
        else:
            text = rdata.to_text()
            values.append(text if rrset.rdtype == dns.rdatatype.CAA else text.lower())
    return tuple(sorted(values))


def _rcode(error: dns.resolver.NoNameservers) -> str:
    for attempt in error.kwargs.get("errors", ()):
        return str(attempt[3])
    return "échec"
