# SPDX-License-Identifier: GPL-3.0-or-later
"""Put one small object in a bucket: signature version 4 (AWS, « Authenticating Requests: Authorization Header »)."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
from datetime import datetime
from urllib.parse import quote, urlsplit

from .settings import Depot

SECONDS = 30.0


def signed_headers(depot: Depot, method: str, host: str, path: str, *, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers of a signed request for one path; ``now`` is in UTC."""
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    content = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": content, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join((method, path, "", lines, names, content))
    scope = f"{day}/{depot.region}/s3/aws4_request"
    to_sign = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{depot.key_secret}".encode()
    for part in (day, depot.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"{depot.key_id}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers


def put(depot: Depot, name: str, body: bytes, now: datetime) -> None:
    """Write ``<prefix>/<name>`` in the repository's bucket. Raise OSError with the store's answer."""
    parts = urlsplit(depot.endpoint)
    host = parts.netloc if depot.path_style else f"{depot.bucket}.{parts.netloc}"
    key = quote(f"{depot.prefix}/{name}", safe="/-_.~")
    path = f"/{depot.bucket}/{key}" if depot.path_style else f"/{key}"
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection(host, timeout=SECONDS, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, timeout=SECONDS)
    )
    try:
        connection.request("PUT", path, body, signed_headers(depot, "PUT", host, path, body=body, now=now))
        answer = connection.getresponse()
        said = answer.read(4096).decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise OSError(f"réponse illisible du stockage ({error.__class__.__name__})") from error
    finally:
        connection.close()
    if answer.status >= 300:
        raise OSError(f"le stockage répond {answer.status} {said[:300]}")
