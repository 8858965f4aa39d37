# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check asks of the world, and what the world may answer.

A brique says which probe it needs and how to judge the answer; engines ask.
Neither knows the other. An answer is one of three: found, absent, or no answer —
which is how a timeout can never be read as "missing".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from packmairie.model.preuve import State


class Probe:
    """A question to the world, as a frozen value: two equal ones are asked once. ``operations.probing`` asks it."""


@dataclass(frozen=True)
class DnsQuery(Probe):
    """Ask for a record set; ``server`` is an address, or ``None`` for the pack's resolvers."""

    name: str
    type: str
    server: str | None = None


@dataclass(frozen=True)
class SpfReview(Probe):
    """Evaluate the SPF policy of a domain as a receiver would (RFC 7208 §4.6.4)."""

    domain: str


@dataclass(frozen=True)
class MxLocation(Probe):
    """Locate the first resolvable mail server of a domain, by the country of its IPv4 addresses."""

    domain: str


@dataclass(frozen=True)
class TlsHandshake(Probe):
    """Open TLS on a port and read the certificate; ``starttls`` names the protocol spoken before."""

    host: str
    port: int
    starttls: Literal["", "smtp", "imap"] = ""


@dataclass(frozen=True)
class HttpGet(Probe):
    """Fetch one page over HTTP(S), redirects not followed."""

    url: str


@dataclass(frozen=True)
class HttpChain(Probe):
    """Fetch a page as a visitor does: at most five redirects are followed, each certificate is verified."""

    url: str


@dataclass(frozen=True)
class HttpPost(Probe):
    """Post a text and read the answer, redirects not followed."""

    url: str
    body: str
    content_type: str = "text/xml; charset=utf-8"


@dataclass(frozen=True)
class SiteVisit(Probe):
    """Fetch a home page with what it loads, and ask for each of its internal links."""

    url: str


@dataclass(frozen=True)
class WebmailVisit(Probe):
    """Log in to the webmail as a technical account, list its inbox, log out.

    ``login`` is the account of the commune; ``secret`` names its password in the commune's vault.
    """

    url: str
    commune: str
    login: str
    secret: str


@dataclass(frozen=True)
class MailRoundTrip(Probe):
    """Send from the witness mailbox to ``address``, find it there, answer, read the witness's verdict.

    ``login`` is the technical account of the commune; ``secret`` names its password in the commune's vault.
    """

    commune: str
    address: str
    login: str
    secret: str


@dataclass(frozen=True)
class HostReading(Probe):
    """Read a few figures on a shared host over SSH: disk, failed units, certificate files, clock."""

    host: str


@dataclass(frozen=True)
class CertificateFile(Probe):
    """Read the end of validity of a certificate file of the pack; ``path`` is absolute or relative to the pack."""

    path: str


@dataclass(frozen=True)
class RegisterReading(Probe):
    """Read a commune's register of contracts as it stands in the pack (value: its rows, and what is wrong with it)."""

    commune: str


@dataclass(frozen=True)
class SpoolReading(Probe):
    """Read what a commune has sent, or has to send, from the journal of its spool."""

    brique: str
    commune: str


@dataclass(frozen=True)
class Found:
    """The world answered; ``value`` has the shape that the probe's kind documents."""

    value: Any


@dataclass(frozen=True)
class Absent:
    """The world answered that there is no such thing (NXDOMAIN, connection refused, 404)."""

    reason: str


@dataclass(frozen=True)
class Unanswered:
    """Nobody answered, or nobody could be asked: nothing is known."""

    reason: str


Answer = Found | Absent | Unanswered


@dataclass(frozen=True)
class DnsAnswer:
    """A record set (value of :class:`DnsQuery`).

    ``values`` are in presentation form, host names lower-case with their final dot, TXT joined and unquoted, sorted.
    ``authenticated`` says that the resolver validated it (AD bit, RFC 4035 §3.2.3).
    """

    values: tuple[str, ...]
    authenticated: bool = False


@dataclass(frozen=True)
class SpfFindings:
    """What an evaluation of SPF found (value of :class:`SpfReview`)."""

    record: str
    lookups: int
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Location:
    """Where a mail server stands (value of :class:`MxLocation`): address → country code, ``""`` when unknown."""

    server: str
    countries: dict[str, str]


@dataclass(frozen=True)
class Certificate:
    """What a handshake tells of the certificate (value of :class:`TlsHandshake`)."""

    names: tuple[str, ...]
    issuer: str
    not_after: datetime
    trusted: bool
    reason: str = ""


@dataclass(frozen=True)
class Page:
    """What a fetch tells (value of :class:`HttpGet` and :class:`HttpPost`); header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: str


class Obstacle(StrEnum):
    """Why a chain of requests stopped before a page."""

    CERTIFICATE = "certificat refusé"
    REFUSED = "connexion refusée"
    LOOP = "plus de cinq redirections"
    ADDRESS = "adresse de redirection inutilisable"


@dataclass(frozen=True)
class Hop:
    """One request of a chain: its address and the status of the answer."""

    url: str
    status: int


@dataclass(frozen=True)
class Chain:
    """What following redirects tells (value of :class:`HttpChain`).

    ``hops`` are the answers in order; ``page`` is the last one, None when an ``obstacle`` stopped the chain, which
    ``reason`` explains. The address that could not be asked is ``stopped_at``.
    """

    hops: tuple[Hop, ...]
    page: Page | None
    obstacle: Obstacle | None = None
    reason: str = ""
    stopped_at: str = ""


@dataclass(frozen=True)
class Visit:
    """What a visit of a home page tells (value of :class:`SiteVisit`).

    ``octets`` counts the page and what it loads, as transferred without compression; ``resources`` is how many files
    that is. ``broken`` maps an internal address to why it does not answer; ``foreign`` are the files loaded from
    other hosts.
    """

    page: Page
    octets: int
    resources: int
    links: int
    broken: dict[str, str]
    foreign: tuple[str, ...]


@dataclass(frozen=True)
class WebmailSession:
    """What a log-in to the webmail tells (value of :class:`WebmailVisit`), step by step as :class:`RoundTrip`.

    ``title`` is the title of the page shown after log-in.
    """

    steps: dict[str, float]
    failed: str = ""
    reason: str = ""
    title: str = ""


@dataclass(frozen=True)
class RoundTrip:
    """What a mail round trip tells: the step reached and the verdicts read at the witness's end.

    ``steps`` maps each step's French name to its duration in seconds. ``failed`` is the step that failed, with
    ``reason``. ``authentication`` maps ``spf``, ``dkim``, ``dmarc`` to the witness's word (``pass``, ``fail`` …).
    """

    steps: dict[str, float]
    failed: str = ""
    reason: str = ""
    authentication: dict[str, str] | None = None


@dataclass(frozen=True)
class HostFacts:
    """What a host says of itself (value of :class:`HostReading`).

    ``disks`` maps a mount point to (free bytes, total bytes). ``units`` maps the units asked about to their
    state (``active``, ``failed`` …).
    """

    disks: dict[str, tuple[int, int]]
    units: dict[str, str]
    failed_units: tuple[str, ...]
    reboot_required: bool = False


@dataclass(frozen=True)
class SentItem:
    """One thing in a spool: its identifier, each step that it reached with when (UTC) and what was told, in order."""

    name: str
    steps: tuple[tuple[str, datetime, dict[str, Any]], ...]

    def step(self, name: str) -> tuple[datetime, dict[str, Any]] | None:
        """Return when a step was last reached and what it told, None when it was not."""
        found = [(at, data) for step, at, data in self.steps if step == name]
        return found[-1] if found else None


@dataclass(frozen=True)
class Verdict:
    """What a judge concludes from an answer; :class:`packmairie.model.preuve.Preuve` without its identity."""

    state: State
    measured: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to prove: its identity, what it asks, and how the answers are judged.

    ``judge`` is pure; it receives the answers in the order of ``probes``. ``title`` names the check to a mayor.
    """

    brique: str
    name: str
    expected: str
    probes: tuple[Probe, ...]
    judge: Callable[[tuple[Answer, ...]], Verdict]
    rpnt: str | None = None
    title: str = ""


def conforme(measured: str) -> Verdict:
    """Return the verdict that all is as expected."""
    return Verdict(State.CONFORME, measured)


def non_conforme(measured: str, remedy: str) -> Verdict:
    """Return the verdict that something is wrong, with its mend."""
    return Verdict(State.NON_CONFORME, measured, remedy)


def non_verifie(reason: str, remedy: str = "Relancer la vérification ; si cela dure, vérifier le réseau.") -> Verdict:
    """Return the verdict that nothing could be established."""
    return Verdict(State.NON_VERIFIE, reason, remedy)
