# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 connections that serve again: a handshake costs both sides more than several pages.

Names of the world stand at few addresses, and a client that is told addresses takes for one what is at one address.
Here a connection serves only the name under which its certificate was verified. Answers are read by the standard
library: a territory has some thirty thousand pages to ask, and other clients take two to four times its processor for
each (decision 0039).
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import time
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock, local

from packmairie.model.probe import Page

KEEP_SECONDS = 4.0
"""How long a connection waits for its next request; most servers wait five seconds and more."""
KEPT_NAMES = 16
"""Names whose connection a thread keeps; the one that served longest ago goes first."""
PAGE_LIMIT = 1_000_000
"""Bytes read of a page at most."""
PORTS = {"http": 80, "https": 443}
PIECE = 65_536
GZIP = 31
"""The window of zlib that reads gzip (RFC 1952)."""


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


@dataclass(frozen=True)
class Reply:
    """An answer as it came: its content is cut after ``PAGE_LIMIT`` bytes, and ``whole`` is then false."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes
    whole: bool


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
        TimeoutError, SlowError among them) or HTTPException as the world opposes them.
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
        self._stream = _Stream(_opened(front, context, seconds))
        self._client = http.client.HTTPConnection(front.name, front.port)
        # Without an address of ours it would ask the machine for one, and verify nothing.
        self._client.auto_open = 0
        self._client.sock = self._stream  # all that it asks of a socket
        self._served = False
        self._last = time.monotonic()
        self.lasting = True

    @property
    def certificate(self) -> bytes:
        """The certificate shown, in DER."""
        plain = self._stream.socket
        return plain.getpeercert(binary_form=True) or b"" if isinstance(plain, ssl.SSLSocket) else b""

    def alive(self) -> bool:
        """Tell whether it may serve again: what is to be read between two answers is the server's farewell."""
        if time.monotonic() - self._last > KEEP_SECONDS:
            return False
        if not self._served:
            # What a server says of its own after the handshake are its tickets (RFC 8446 §4.6.1).
            return True
        waiting = select.poll()
        waiting.register(self._stream.socket, select.POLLIN)
        return not waiting.poll(0)

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, patience: Patience
    ) -> Reply:
        """See :meth:`Connections.exchange`."""
        self._stream.wait(patience)
        self._client.request(method, target, body, dict(headers))
        answer = self._client.getresponse()
        self._stream.wait(patience)
        content = answer.read(PAGE_LIMIT + 1)
        if answer.length and len(content) <= PAGE_LIMIT:
            raise http.client.IncompleteRead(content, answer.length)
        self.lasting = answer.isclosed() and not answer.will_close
        answer.close()
        self._served, self._last = True, time.monotonic()
        return Reply(answer.status, answer.headers, content, len(content) <= PAGE_LIMIT)

    def close(self) -> None:
        """Close it."""
        self._client.close()
        self._stream.socket.close()


class _Stream:
    """What http.client asks of a socket, with an end to waiting: for the next byte, and for all that is awaited."""

    def __init__(self, plain: socket.socket) -> None:
        self.socket = plain
        self._silence = self._end = 0.0

    def wait(self, patience: Patience) -> None:
        """Wait so long from now."""
        self._silence, self._end = patience.silence, time.monotonic() + patience.whole

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.settimeout(self._silence)
        self.socket.sendall(data)

    def receive(self, buffer: memoryview) -> int:
        """Read what comes. Raise TimeoutError after silence, SlowError after too long."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise SlowError
        self.socket.settimeout(min(left, self._silence))
        try:
            return self.socket.recv_into(buffer)
        except TimeoutError:
            if left < self._silence:
                raise SlowError from None
            raise

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the stream of one answer."""
        return io.BufferedReader(_Reader(self), PIECE)

    def close(self) -> None:
        """Close nothing: http.client says it has done with a socket whose last answer is still to be read from it."""


class _Reader(io.RawIOBase):
    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # always a view, from BufferedReader
        return self._stream.receive(buffer)


def _opened(front: Front, context: ssl.SSLContext, seconds: float) -> socket.socket:
    plain = socket.create_connection((front.address, front.port), timeout=seconds)
    try:
        # A request of two pieces would wait for the acknowledgement of the first.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=front.name) if front.scheme == "https" else plain
    except BaseException:
        plain.close()
        raise


def page_of(reply: Reply) -> Page:
    """Return an answer as the page that it is. Raise ``zlib.error`` where it says that it is compressed, and is not."""
    told, raw = headers_of(reply.headers), reply.content
    if told.get("content-encoding", "").lower() == "gzip":
        # Some servers compress for who does not ask.
        raw = zlib.decompressobj(GZIP).decompress(raw, PAGE_LIMIT + 1)
    return Page(reply.status, told, raw.decode("utf-8", "replace"))


def headers_of(message: http.client.HTTPMessage) -> dict[str, str]:
    """Return headers by name in lower case; those that came several times are joined (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for name, value in message.items():
        text = value if value.isascii() else _readable(value)
        place = name.lower()
        found[place] = f"{found[place]}, {text}" if place in found else text
    return found


def _readable(value: str) -> str:
    """Headers are read as ISO 8859-1, and today's servers write UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
