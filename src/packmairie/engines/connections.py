# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 connections that serve again: a handshake costs both sides more than several pages.

Names of the world stand at few addresses, and a client that is told addresses takes for one what is at one address.
Here a connection serves only the name under which its certificate was verified: a territory has some thirty thousand
pages to ask, and clients made for a few take several times the processor for each (decisions 0039 and 0041).
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock, local

from packmairie.engines.replies import Reading, Reply, request_of

KEEP_SECONDS = 4.0
"""How long a connection waits for its next request; most servers wait five seconds and more."""
KEPT_NAMES = 16
"""Names whose connection a thread keeps; the one that served longest ago goes first."""
PORTS = {"http": 80, "https": 443}
PIECE = 16_384
"""Bytes asked of a socket at once: TLS gives no more (RFC 8446 §5.1)."""


@dataclass(frozen=True)
class Front:
    """Where a name is reached: the scheme (``http`` or ``https``), the name, its address, the port."""

    scheme: str
    name: str
    address: str
    port: int


@dataclass(frozen=True)
class Patience:
    """How long a server may say nothing, and how long the headers may take to be whole, then the body; in seconds.

    ``connecting`` is how long it may take to accept, where that is not as long as it may say nothing. A server that
    trickles bytes for ever must not hold a run.
    """

    silence: float
    whole: float
    connecting: float | None = None


class SlowError(TimeoutError):
    """A server speaks, and does not finish."""


class Connections:
    """Given to any number of askers, in any number of threads: each thread has connections of its own."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._mine = local()
        self._everyone: list[OrderedDict[Front, _Connection]] = []
        self._joining = Lock()

    def exchange(
        self,
        front: Front,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        patience: Patience,
    ) -> Reply:
        """Send one request and return the answer as it came.

        Given where, the method, the target (path and query, RFC 9112 §3.2.1), the headers, what is sent, and how long
        the server is waited for. The certificate is verified under the front's name. Raise OSError (SSLError,
        TimeoutError, SlowError among them) or ReplyError as the world opposes them.
        """
        connection = self._take(front, patience.connecting or patience.silence)
        try:
            reply = connection.ask(method, target, headers, body, patience)
        except BaseException:
            connection.close()
            raise
        if connection.lasting:
            self._keep(front, connection)
        else:
            connection.close()
        return reply

    def certificate(self, front: Front, seconds: float) -> bytes:
        """Return the certificate (DER) that a name shows, verified; the connection then serves requests."""
        connection = self._take(front, seconds)
        self._keep(front, connection)
        return connection.certificate

    def end(self) -> None:
        """Close the connections of all threads, which ask nothing more."""
        with self._joining:
            for kept in self._everyone:
                while kept:
                    kept.popitem()[1].close()

    def _take(self, front: Front, seconds: float) -> _Connection:
        connection = self._kept().pop(front, None)
        if connection is not None:
            if connection.alive():
                return connection
            connection.close()
        return _Connection(front, self.context, seconds)

    def _keep(self, front: Front, connection: _Connection) -> None:
        kept = self._kept()
        if len(kept) >= KEPT_NAMES:
            kept.popitem(last=False)[1].close()
        kept[front] = connection

    def _kept(self) -> OrderedDict[Front, _Connection]:
        kept: OrderedDict[Front, _Connection] | None = getattr(self._mine, "kept", None)
        if kept is None:
            kept = self._mine.kept = OrderedDict()
            with self._joining:
                self._everyone.append(kept)
        return kept


class _Connection:
    """One connection, and when it last served."""

    def __init__(self, front: Front, context: ssl.SSLContext, seconds: float) -> None:
        self._socket = _opened(front, context, seconds)
        self._served = False
        self._last = time.monotonic()
        self.lasting = True

    @property
    def certificate(self) -> bytes:
        """The certificate shown, in DER."""
        shown = self._socket.getpeercert(binary_form=True) if isinstance(self._socket, ssl.SSLSocket) else None
        return shown or b""

    def alive(self) -> bool:
        """Tell whether it may serve again: what is to be read between two answers is the server's farewell."""
        if time.monotonic() - self._last > KEEP_SECONDS:
            return False
        if not self._served:
            # What a server says of its own after the handshake are its tickets (RFC 8446 §4.6.1).
            return True
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not waiting.poll(0)

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, patience: Patience
    ) -> Reply:
        """See :meth:`Connections.exchange`."""
        self._socket.settimeout(patience.silence)
        self._socket.sendall(request_of(method, target, headers, body))
        reading = Reading(method)
        end = time.monotonic() + patience.whole
        while not reading.headed:
            self._read(reading, patience.silence, end)
        end = time.monotonic() + patience.whole
        while not (reading.ended or reading.too_long):
            self._read(reading, patience.silence, end)
        self.lasting = reading.ended and reading.lasting
        self._served, self._last = True, time.monotonic()
        return reading.reply()

    def _read(self, reading: Reading, silence: float, end: float) -> None:
        """Read what comes. Raise TimeoutError after silence, SlowError after too long, ReplyError for no answer."""
        left = end - time.monotonic()
        if left <= 0:
            raise SlowError
        self._socket.settimeout(min(left, silence))
        try:
            data = self._socket.recv(PIECE)
        except TimeoutError:
            if left < silence:
                raise SlowError from None
            raise
        if data:
            reading.feed(data)
        else:
            reading.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _opened(front: Front, context: ssl.SSLContext, seconds: float) -> socket.socket:
    plain = socket.create_connection((front.address, front.port), timeout=seconds)
    try:
        # A request of two pieces would wait for the acknowledgement of the first.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=front.name) if front.scheme == "https" else plain
    except BaseException:
        plain.close()
        raise
