# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 requests as bytes, and answers read as their bytes come (RFC 9112), by llhttp.

The standard library reads headers with its parser of mail, which costs more than all the rest of a page (decision
0041).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from packmairie.model.probe import Page

PAGE_LIMIT = 1_000_000
"""Bytes kept of a page at most."""
HEAD_LIMIT = 65_536
"""Bytes of headers at most; what surrounds the pieces of a page may be as long as the page besides."""
GZIP = 31
"""The window of zlib that reads gzip (RFC 1952)."""
_NOT_IN_TARGET = re.compile(r"[^\x21-\x7e]")
_NOT_IN_HEADER = re.compile(r"[\r\n\0]")
_LENGTHS = frozenset({"content-length", "transfer-encoding"})


class ReplyError(Exception):
    """What a server sent is not an answer, or not a whole one."""


@dataclass(frozen=True)
class Reply:
    """An answer as it came: its content is cut after ``PAGE_LIMIT`` bytes, and ``whole`` is then false.

    ``headers`` are in the order in which they came, their values read as ISO 8859-1.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes
    whole: bool


def request_of(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return the bytes of a request: the method, the target (RFC 9112 §3.2.1), the headers, what is sent.

    Raise ValueError where the target or a header would end before its end.
    """
    told = {"Accept-Encoding": "identity"} | dict(headers)
    if body is not None and not any(name.lower() == "content-length" for name in told):
        told["Content-Length"] = str(len(body))
    lines = [f"{name}: {value}" for name, value in told.items()]
    if _NOT_IN_TARGET.search(target) or any(map(_NOT_IN_HEADER.search, lines)):
        raise ValueError(f"no request can be made of {target!r} and these headers")
    head = "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "", ""))
    return head.encode("latin-1") + (body or b"")


class Reading:
    """One answer to a request of this method, to which bytes are given as they come.

    ``headed`` tells that its headers have come, ``ended`` that it is whole, ``lasting`` that another may follow on the
    same connection.
    """

    def __init__(self, method: str) -> None:
        self.headed = self.ended = self.lasting = False
        self.status = 0
        self._bodiless = method == "HEAD"
        self._until_closed = self._passing = False
        self._received = self._kept = 0
        self._headers: list[tuple[str, str]] = []
        self._pieces: list[bytes] = []
        self._parser = HttpResponseParser(self)
        # As browsers do: some servers end lines as Unix does (RFC 9112 §2.2).
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)

    @property
    def too_long(self) -> bool:
        """Tell whether more has come than is kept of a page."""
        return self._kept > PAGE_LIMIT

    def feed(self, data: bytes) -> None:
        """Read what came. Raise ReplyError where it is not an answer."""
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise ReplyError("le serveur change de protocole sans qu'on le demande") from None
        except HttpParserError as error:
            if not self.ended:
                raise ReplyError(f"réponse illisible ({error})") from None
            # What follows an answer is not part of it.
            self.lasting = False
        if not self.ended and self._received > HEAD_LIMIT + 2 * self._kept:
            raise ReplyError("en-têtes trop longs")

    def close(self) -> None:
        """Read that the server closed, by which some answers end (RFC 9112 §6.3). Raise ReplyError for the others."""
        if not self._received:
            raise ReplyError("connexion fermée sans réponse")
        if not self.ended and not (self.headed and self._until_closed):
            raise ReplyError("la réponse s'arrête avant sa fin")
        self.ended, self.lasting = True, False

    def reply(self) -> Reply:
        """Return the answer, after which nothing more is fed."""
        # It holds this object, which holds it: thousands of pages would wait for the collector.
        del self._parser
        return Reply(self.status, tuple(self._headers), b"".join(self._pieces), not self.too_long)

    def on_message_begin(self) -> None:
        """Called by the parser: another answer, to which there was no question, may follow."""
        self.lasting = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser; what is told after the content is not what a page is judged by (RFC 9110 §6.5.1)."""
        if not (self.headed or self.ended):
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        if self.ended:
            return
        self.status = self._parser.get_status_code()
        # Told while the answer is prepared (RFC 9110 §15.2).
        self._passing = self.status < 200
        if self._passing:
            self._headers.clear()
            return
        self.headed, self.ended = True, self._bodiless
        self._until_closed = not any(name.lower() in _LENGTHS for name, _value in self._headers)
        self.lasting = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        if self.ended:
            self.lasting = False
        elif not self.too_long:
            self._pieces.append(data)
            self._kept += len(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.ended = self.ended or not self._passing


def page_of(reply: Reply) -> Page:
    """Return an answer as the page that it is. Raise ``zlib.error`` where it says that it is compressed, and is not."""
    told, raw = headers_of(reply), reply.content
    if told.get("content-encoding", "").lower() == "gzip":
        # Some servers compress for who does not ask.
        raw = zlib.decompressobj(GZIP).decompress(raw, PAGE_LIMIT + 1)
    return Page(reply.status, told, raw.decode("utf-8", "replace"))


def headers_of(reply: Reply) -> dict[str, str]:
    """Return headers by name in lower case; those that came several times are joined (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for name, value in reply.headers:
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
