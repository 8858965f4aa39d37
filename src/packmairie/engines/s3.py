# SPDX-License-Identifier: GPL-3.0-or-later
"""Object stores through boto3: how one is reached, by which key, and what it says; small objects in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from packmairie.engines.names import Names
from packmairie.engines.relay import Relay
from packmairie.model.problem import PackmairieError, fail

PROOF_KEY = "preuves/verrou"
"""The object by which a lock is tried."""
DENIED = frozenset({"AccessDenied", "403", "ObjectLocked", "InvalidRequest", "MethodNotAllowed"})
ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound", "NoSuchVersion"})
CONNECTIONS = 24
"""How many requests a store is asked at once at most."""


@dataclass(frozen=True)
class StoreAddress:
    """Where a store is and how it is spoken to; ``extra_root`` is a certificate to trust beside the machine's."""

    endpoint: str
    region: str
    path_style: bool
    extra_root: str | None = None

    @property
    def host(self) -> str:
        """The host's name."""
        return str(urlsplit(self.endpoint).hostname)

    @property
    def port(self) -> int:
        """The port."""
        parts = urlsplit(self.endpoint)
        return parts.port or (443 if parts.scheme == "https" else 80)


_SESSION_LOCK = Lock()
"""A session makes one client at a time."""


@cache
def _session() -> Any:
    """Return the session that makes every client: reading boto3's model of S3 takes a tenth of a second each time."""
    return boto3.session.Session()


_OTHER_KEY: ContextVar[Credentials | None] = ContextVar("_OTHER_KEY", default=None)
"""The key that signs instead of the store's own, in this thread."""


def _sign_with_other_key(request: Any, **_told: Any) -> None:
    if key := _OTHER_KEY.get():
        request.context.setdefault("signing", {})["request_credentials"] = key


def _refuse_wrong_key(request: Any, **_told: Any) -> None:
    """Stop a request that the store's own key has signed all the same: it would clear a key that was not tried."""
    signed = request.headers.get("Authorization", b"")
    signed = signed.decode() if isinstance(signed, bytes) else signed
    if (key := _OTHER_KEY.get()) and f"Credential={key.access_key}/" not in signed:
        raise RuntimeError("la requête n'est pas signée de la clé à essayer")


class Store:
    """A store opened with one key; its threads share it.

    ``names`` tell where it is, where the machine's own resolvers do not. ``sending`` answers boto3's ``before-send``
    event instead of boto3's own way out.
    """

    def __init__(
        self,
        address: StoreAddress,
        key: Mapping[str, str],
        names: Names | None = None,
        *,
        attempts: int = 3,
        sending: Callable[..., Any] | None = None,
    ) -> None:
        self.address = address
        self._relay = Relay(names, address.host, address.port) if names is not None else None
        config = Config(
            s3={"addressing_style": "path" if address.path_style else "virtual"},
            connect_timeout=8,
            read_timeout=60,
            retries={"max_attempts": attempts, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            # Else boto3 describes the machine and itself anew in each request.
            user_agent="packmairie",
            # Checksums of AWS's own that other stores do not know.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            proxies={"https": self._relay.url} if self._relay else {},
        )
        with _SESSION_LOCK:
            self.client = _session().client(
                "s3",
                endpoint_url=address.endpoint,
                region_name=address.region,
                aws_access_key_id=str(key["identifiant"]),
                aws_secret_access_key=str(key["secret"]),
                verify=address.extra_root or True,
                config=config,
            )
        self.client.meta.events.register("before-sign.s3", _sign_with_other_key)
        self.client.meta.events.register("before-send.s3", _refuse_wrong_key)
        if sending is not None:
            # After what may refuse to send.
            self.client.meta.events.register_last("before-send.s3", sending)

    def close(self) -> None:
        """End what it opened."""
        self.client.close()
        if self._relay:
            self._relay.close()

    def keys_by(self, key: Mapping[str, str], bucket: str, prefix: str) -> tuple[tuple[str, ...], str]:
        """Return the keys that another key finds under a prefix of a bucket, and why it may not; empty when it may."""
        # On the same client: another one costs ten times the request.
        token = _OTHER_KEY.set(Credentials(str(key["identifiant"]), str(key["secret"])))
        try:
            return tuple(self.keys(bucket, prefix)), ""
        except (ClientError, BotoCoreError) as error:
            return (), explain(error)
        finally:
            _OTHER_KEY.reset(token)

    def read_json(self, bucket: str, key: str) -> tuple[dict[str, Any], datetime] | None:
        """Return a small JSON object and when the store received it; None when there is none. Raise ClientError."""
        try:
            answer = self.client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise
        raw = answer["Body"].read(1_000_000)
        try:
            data = json.loads(raw)
        except ValueError:
            data = {}
        return (data if isinstance(data, dict) else {}), answer["LastModified"]

    def write_json(self, bucket: str, key: str, data: Mapping[str, Any]) -> None:
        """Write a small JSON object."""
        body = json.dumps(data, ensure_ascii=False, indent=1).encode()
        self.client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")

    def listing(self, bucket: str, prefix: str) -> tuple[list[str], datetime]:
        """Return the keys under a prefix, and the store's clock (its Date header). Raise ClientError."""
        from email.utils import parsedate_to_datetime  # noqa: PLC0415

        found: list[str] = []
        date = ""
        for page in self._pages(bucket, prefix):
            found += [entry["Key"] for entry in page.get("Contents", ())]
            date = page["ResponseMetadata"]["HTTPHeaders"]["date"]
        return found, parsedate_to_datetime(date)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the keys under a prefix."""
        for page in self._pages(bucket, prefix):
            for entry in page.get("Contents", ()):
                yield entry["Key"]

    def _pages(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        yield from self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)

    def versions(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield every version and delete marker under a prefix; a marker has ``Marker`` true."""
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Versions", ()):
                yield {**entry, "Marker": False}
            for entry in page.get("DeleteMarkers", ()):
                yield {**entry, "Marker": True, "Size": 0}


def code_of(error: ClientError) -> str:
    """Return the store's word for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: Exception) -> str:
    """Return in French why a request failed."""
    if isinstance(error, ClientError):
        code = code_of(error)
        words = {
            "InvalidAccessKeyId": "clé inconnue du stockage",
            "SignatureDoesNotMatch": "secret de la clé refusé",
            "AccessDenied": "accès refusé à cette clé",
            "ExpiredToken": "clé expirée",
            "RequestTimeTooSkewed": "horloge décalée",
            "NoSuchBucket": "le seau n'existe pas",
            "403": "accès refusé à cette clé",
            "404": "absent",
            "502": "le stockage est arrêté (son serveur web répond 502)",
            "503": "le stockage n'est pas prêt (réponse 503)",
        }
        return words.get(code, f"{code} {error.response.get('Error', {}).get('Message', '')}".strip())
    if isinstance(error, SSLError):
        return "certificat du stockage refusé"
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError)):
        return "le stockage ne répond pas"
    return f"{error.__class__.__name__} : {' '.join(str(error).split())[:200]}"


def failed(place: str, error: Exception, remedy: str) -> PackmairieError:
    """Return the error of a store that did not do what was asked."""
    return fail(place, explain(error), remedy)
