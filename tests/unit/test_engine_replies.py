# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of web servers, as their bytes come: what they say, where they end, and whether another may follow."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.engines import replies
from packmairie.engines.replies import Reading, ReplyError, headers_of, request_of

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Un: a\r\nX-un: b\r\n\r\npage"
PIECES = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\npa\r\n2;suite\r\nge\r\n0\r\nX-Fin: 1\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


def read(data: bytes, method: str = "GET") -> Reading:
    reading = Reading(method)
    reading.feed(data)
    return reading


@pytest.mark.parametrize("data", [WHOLE, PIECES, EARLY + WHOLE, WHOLE.replace(b"\r\n", b"\n")])
@given(cuts=st.lists(st.integers(1, 80), max_size=6))
def test_an_answer_is_the_same_however_its_bytes_come(data: bytes, cuts: list[int]) -> None:
    reading = Reading("GET")
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for start, end in pairwise(places):
        assert not reading.ended
        reading.feed(data[start:end])
    reply = reading.reply()
    assert (reading.headed, reading.ended, reading.lasting) == (True, True, True)
    assert (reply.status, reply.content, reply.whole) == (200, b"page", True)


def test_headers_keep_their_order_and_are_joined_by_name() -> None:
    reply = read(WHOLE).reply()
    assert reply.headers == (("Content-Length", "4"), ("X-Un", "a"), ("X-un", "b"))
    assert headers_of(reply)["x-un"] == "a, b"


def test_what_a_first_answer_only_announces_is_not_kept() -> None:
    assert "link" not in headers_of(read(EARLY + WHOLE).reply())


@pytest.mark.parametrize(
    ("data", "method", "lasting"),
    [
        (WHOLE.removesuffix(b"page"), "HEAD", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", "GET", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "GET", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", False),
    ],
)
def test_without_content(data: bytes, method: str, lasting: bool) -> None:
    reading = read(data, method)
    assert (reading.ended, reading.lasting, reading.reply().content) == (True, lasting, b"")


@pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\nX-Faux: 1\r\nContent-Length: 1\r\n\r\ny"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_nobody_asked_for_is_not_read_and_nothing_more_is_asked_of_that_server(method: str, more: bytes) -> None:
    reading = read((WHOLE if method == "GET" else WHOLE.removesuffix(b"page")) + more, method)
    assert (reading.ended, reading.lasting) == (True, False)
    reply = reading.reply()
    assert reply.content == (b"page" if method == "GET" else b"")
    assert "x-faux" not in headers_of(reply)


def test_an_answer_without_length_ends_with_the_connection() -> None:
    reading = read(b"HTTP/1.1 200 OK\r\n\r\npa")
    reading.feed(b"ge")
    assert not reading.ended
    reading.close()
    assert (reading.ended, reading.lasting, reading.reply().content) == (True, False, b"page")


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", EARLY, WHOLE[:-1], PIECES[:-2], PIECES[:60]]
)
def test_a_connection_that_ends_too_early_gives_no_answer(data: bytes) -> None:
    reading = read(data) if data else Reading("GET")
    with pytest.raises(ReplyError, match="sans réponse" if not data else "avant sa fin"):
        reading.close()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_what_is_not_an_answer_is_told(data: bytes) -> None:
    with pytest.raises(ReplyError):
        read(data)


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Sans-Fin: x\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Sans-Fin: ", b"xxxxxxxxxxxxxxx"),
        (b"", EARLY),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"xxxxxxxxxxxxxxx"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X-Sans-Fin: x\r\n"),
    ],
    ids=["headers", "one header", "first answers", "about a piece", "after the content"],
)
def test_what_surrounds_a_page_is_not_read_without_end(start: bytes, line: bytes) -> None:
    reading = read(start) if start else Reading("GET")
    for _line in range((replies.HEAD_LIMIT - 100) // len(line)):
        reading.feed(line)
    with pytest.raises(ReplyError, match="trop longs"):
        reading.feed(line * 20)


def test_a_page_may_come_in_small_pieces() -> None:
    reading = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _piece in range(20_000):
        reading.feed(b"a\r\n0123456789\r\n")
    reading.feed(b"0\r\nX-Fin: 1\r\n\r\n")
    assert reading.ended
    reply = reading.reply()
    assert len(reply.content) == 200_000
    assert "x-fin" not in headers_of(reply)


def test_content_without_end_is_cut_and_known_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "PAGE_LIMIT", 10)
    reading = read(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n")
    for _piece in range(3):
        reading.feed(b"x" * 8)
    assert reading.too_long
    reply = reading.reply()
    assert (reply.whole, reply.content) == (False, b"x" * 16)


def test_an_answer_that_was_read_leaves_nothing_to_the_collector() -> None:
    gc.disable()
    try:
        reading = read(WHOLE)
        left = weakref.ref(reading)
        assert reading.reply().content == b"page"
        del reading
        assert left() is None
    finally:
        gc.enable()


class TestRequest:
    def test_is_one_line_the_headers_and_what_is_sent(self) -> None:
        assert request_of("POST", "/a?b=1", {"Host": "www.exemple.fr"}, b"ab") == (
            b"POST /a?b=1 HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: www.exemple.fr\r\nContent-Length: 2\r\n\r\nab"
        )

    def test_a_length_that_is_told_is_told_once(self) -> None:
        assert request_of("PUT", "/", {"content-length": "2"}, b"ab").lower().count(b"content-length") == 1

    @pytest.mark.parametrize("text", ["a\r\nX-Autre: 1", "a\nb", "a\0"])
    def test_nothing_is_added_to_it_by_what_it_is_made_of(self, text: str) -> None:
        for target, headers in ((f"/{text}", {}), ("/", {"Cookie": text}), ("/", {text: "a"})):
            with pytest.raises(ValueError, match="no request"):
                request_of("GET", target, headers, None)

    @pytest.mark.parametrize("target", ["/a b", "/é", "/\t"])
    def test_a_target_is_what_may_stand_in_a_line(self, target: str) -> None:
        with pytest.raises(ValueError, match="no request"):
            request_of("GET", target, {}, None)
