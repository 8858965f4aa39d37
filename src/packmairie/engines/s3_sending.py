# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that boto3 has made and signed, sent by the connections that pages are asked by.

boto3's own way out resolves names as the machine does, hence the relay, and makes a request cost 1.6 times the
processor (``bench/store_requests.py``). Small answers only: each is read whole before boto3 sees it.
"""

from __future__ import annotations

import errno
import io
import socket
import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from packmairie.engines.connections import PORTS, Connections, Front, Patience
from packmairie.engines.names import Names
from packmairie.engines.replies import Reply, ReplyError

PATIENCE = Patience(silence=60.0, whole=60.0, connecting=8.0)
"""As long as boto3's own way out is told to wait."""
UNREACHED = frozenset({errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH})
"""What another address may not oppose."""


def sending(connections: Connections, names: Names | None) -> Callable[..., AWSResponse]:
    """Return what answers boto3's ``before-send`` event, which then sends nothing itself.

    ``names`` tell where the store is; without them, the machine does. What is returned raises botocore's errors, which
    botocore asks again about, and tells, as its own.
    """

    def send(request: AWSPreparedRequest, **_told: Any) -> AWSResponse:
        reply = _reached(connections, names, request)
        if not reply.whole and not request.stream_output:
            # What is streamed is read as far as is wished; of the rest, nothing can be made of a part.
            raise HTTPClientError(error="la réponse est trop longue")
        return AWSResponse(request.url, reply.status, dict(reply.headers), _Content(reply.content))

    return send


def _reached(connections: Connections, names: Names | None, request: AWSPreparedRequest) -> Reply:
    place = urlsplit(request.url)
    name, port = str(place.hostname), place.port or PORTS[place.scheme]
    target = f"{place.path or '/'}?{place.query}" if place.query else place.path or "/"
    headers = {"Host": place.netloc} | {key: _text(value) for key, value in request.headers.items()}
    failure: Exception = OSError("aucune adresse")
    for address in _addresses(names, name):
        try:
            return connections.exchange(
                Front(place.scheme, name, address, port),
                request.method,
                target,
                headers,
                _bytes(request.body),
                patience=PATIENCE,
            )
        except ssl.SSLCertVerificationError as error:
            raise SSLError(endpoint_url=request.url, error=error) from error
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, ReplyError) as error:
            if not (isinstance(error, socket.gaierror) or getattr(error, "errno", None) in UNREACHED):
                raise ConnectionClosedError(endpoint_url=request.url, error=error, request=request) from error
            failure = error
    raise EndpointConnectionError(endpoint_url=request.url, error=failure)


def _addresses(names: Names | None, name: str) -> Iterator[str]:
    if names is None or _is_address(name):
        yield name
        return
    for type_ in ("A", "AAAA"):
        yield from names.addresses(name, (type_,))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _bytes(body: Any) -> bytes | None:
    content = body.read() if hasattr(body, "read") else body
    return content.encode() if isinstance(content, str) else content


class _Content(io.BytesIO):
    """What botocore asks of an answer's content."""

    def stream(self, *_told: Any) -> Iterator[bytes]:
        """Give all that is left."""
        yield self.read()
