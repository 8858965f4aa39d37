# SPDX-License-Identifier: GPL-3.0-or-later
"""Object stores through boto3: buckets that lock what they hold, and what a store really supports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, SSLError

from packmairie.engines.names import Names
from packmairie.engines.relay import Relay
from packmairie.model.probes_sauvegarde import Capabilities, LockTrial
from packmairie.model.problem import PackmairieError, fail

PROOF_KEY = "preuves/verrou"
"""The object by which a lock is tried."""
DENIED = frozenset({"AccessDenied", "403", "ObjectLocked", "InvalidRequest", "MethodNotAllowed"})
ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound", "NoSuchVersion"})
CONNECTIONS = 24
"""How many requests a store is asked at once at most."""
POLICY_ACCOUNT = "000000000000"
"""The account of SeaweedFS's identities in the names that policies use."""


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


@dataclass(frozen=True)
class BucketWish:
    """A bucket and how it protects what it holds.

    ``users`` are the names of the keys that may add to it, ``keepers`` of those that may also make locks longer.
    """

    name: str
    locked: bool
    days: int
    users: tuple[str, ...] = ()
    keepers: tuple[str, ...] = ()


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
    """A store opened with one key; its threads share it."""

    def __init__(
        self, address: StoreAddress, key: Mapping[str, str], names: Names | None = None, *, attempts: int = 3
    ) -> None:
        self.address = address
        self._relay = Relay(names, address.host, address.port) if names is not None else None
        config = Config(
            s3={"addressing_style": "path" if address.path_style else "virtual"},
            connect_timeout=8,
            read_timeout=60,
            retries={"max_attempts": attempts, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
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

    def close(self) -> None:
        """End what it opened."""
        self.client.close()
        if self._relay:
            self._relay.close()

    def key_trouble(self, key: Mapping[str, str], bucket: str, prefix: str) -> str:
        """Return why another key cannot list what is under a prefix of a bucket; empty when it can."""
        # On the same client: another one costs ten times the request.
        token = _OTHER_KEY.set(Credentials(str(key["identifiant"]), str(key["secret"])))
        try:
            self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except (ClientError, BotoCoreError) as error:
            return explain(error)
        finally:
            _OTHER_KEY.reset(token)
        return ""

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

    def clock(self, bucket: str) -> datetime:
        """Return the store's clock (its Date header)."""
        from email.utils import parsedate_to_datetime  # noqa: PLC0415

        answer = self.client.head_bucket(Bucket=bucket)
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the keys under a prefix."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                yield entry["Key"]

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
        }
        return words.get(code, f"{code} {error.response.get('Error', {}).get('Message', '')}".strip())
    if isinstance(error, SSLError):
        return "certificat du stockage refusé"
    if isinstance(error, EndpointConnectionError):
        return "le stockage ne répond pas"
    return f"{error.__class__.__name__} : {' '.join(str(error).split())[:200]}"


DESTROYING = (
    "s3:DeleteObjectVersion",
    "s3:PutLifecycleConfiguration",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketVersioning",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:DeleteBucket",
    "s3:BypassGovernanceRetention",
)
"""What destroys, or opens the way to it; a lock in compliance mode can only be made longer."""


def bucket_policy(wish: BucketWish) -> dict[str, Any]:
    """Return the policy that keeps keys to adding: what is theirs to hide is not theirs to destroy.

    It matters once a lock has ended. The operator's key is not named, and keeps what it needs.
    """
    longer = tuple(action for action in DESTROYING if action != "s3:PutObjectRetention")
    statements = (
        ("AjouterSansDetruire", wish.users, DESTROYING),
        ("EntretenirSansDetruire", wish.keepers, longer),
    )
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": name,
                "Effect": "Deny",
                "Principal": {"AWS": [f"arn:aws:iam::{POLICY_ACCOUNT}:user/{user}" for user in users]},
                "Action": list(actions),
                "Resource": [f"arn:aws:s3:::{wish.name}", f"arn:aws:s3:::{wish.name}/*"],
            }
            for name, users, actions in statements
            if users
        ],
    }


def lifecycle(days: int) -> dict[str, Any]:
    """Return the rule by which versions that nothing shows any more go away, once no lock can hold them."""
    return {
        "Rules": [
            {
                "ID": "versions-perimees",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": days + 1},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            }
        ]
    }


def bucket_gaps(store: Store, wish: BucketWish) -> list[str]:
    """Return what a bucket lacks of its wish, in order of doing: ``seau``, ``versions``, ``verrou`` …"""
    client = store.client
    try:
        client.head_bucket(Bucket=wish.name)
    except ClientError as error:
        if code_of(error) not in ABSENT:
            raise
        return ["seau", "versions", *(["verrou"] if wish.locked else []), "cycle", *(["regle"] if wish.users else [])]
    gaps = []
    if client.get_bucket_versioning(Bucket=wish.name).get("Status") != "Enabled":
        gaps.append("versions")
    if wish.locked and default_lock(store, wish.name) != wish.days:
        gaps.append("verrou")
    if _current(lambda: client.get_bucket_lifecycle_configuration(Bucket=wish.name)["Rules"]) != _days(wish.days + 1):
        gaps.append("cycle")
    if wish.users:
        known = _raw(lambda: json.loads(client.get_bucket_policy(Bucket=wish.name)["Policy"]))
        if known != bucket_policy(wish):
            gaps.append("regle")
    return gaps


def _days(days: int) -> list[tuple[str, int]]:
    return [("Enabled", days)]


def _current(read: Any) -> list[tuple[str, int]] | None:
    rules = _raw(read)
    if rules is None:
        return None
    return [
        (rule.get("Status"), rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", 0)) for rule in rules
    ]


def _raw(read: Any) -> Any:
    try:
        return read()
    except ClientError as error:
        if code_of(error).startswith("NoSuch") or code_of(error) in {*ABSENT, "NotImplemented"}:
            return None
        raise


def default_lock(store: Store, bucket: str) -> int:
    """Return the days of a bucket's default retention in compliance mode; 0 when it has none."""
    try:
        found = store.client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except ClientError as error:
        if code_of(error) in {"ObjectLockConfigurationNotFoundError", "NotImplemented", *ABSENT}:
            return 0
        raise
    rule = found.get("Rule", {}).get("DefaultRetention", {})
    if rule.get("Mode") != "COMPLIANCE":
        return 0
    return int(rule.get("Days") or rule.get("Years", 0) * 365)


def close_gaps(store: Store, wish: BucketWish, gaps: list[str]) -> None:
    """Do to a bucket what it lacks. Raise ClientError where the store refuses."""
    client = store.client
    for gap in gaps:
        if gap == "seau":
            client.create_bucket(Bucket=wish.name, ObjectLockEnabledForBucket=wish.locked)
        elif gap == "versions":
            client.put_bucket_versioning(Bucket=wish.name, VersioningConfiguration={"Status": "Enabled"})
        elif gap == "verrou":
            rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": wish.days}}
            client.put_object_lock_configuration(
                Bucket=wish.name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
            )
        elif gap == "cycle":
            client.put_bucket_lifecycle_configuration(Bucket=wish.name, LifecycleConfiguration=lifecycle(wish.days))
        elif gap == "regle":
            client.put_bucket_policy(Bucket=wish.name, Policy=json.dumps(bucket_policy(wish)))
    if wish.locked and "seau" in gaps:
        client.put_object(Bucket=wish.name, Key=PROOF_KEY, Body=b"Objet d'essai du verrou.\n")


def try_lock(store: Store, bucket: str) -> LockTrial:
    """Try to destroy the newest version of the test object of a bucket, and tell what the store answered."""
    newest = None
    for version in store.versions(bucket, PROOF_KEY):
        if not version["Marker"] and (newest is None or version["LastModified"] > newest["LastModified"]):
            newest = version
    if newest is None:
        return LockTrial("none", "aucun objet d'essai")
    name, number = newest["Key"], newest["VersionId"]
    until = None
    with suppress(ClientError):
        retention = store.client.get_object_retention(Bucket=bucket, Key=name, VersionId=number)["Retention"]
        if retention.get("Mode") == "COMPLIANCE":
            until = retention["RetainUntilDate"]
    if until is None or until <= datetime.now(UTC):
        return LockTrial(
            "none", "l'objet d'essai n'est plus verrouillé" if until else "l'objet d'essai n'est pas verrouillé", until
        )
    try:
        store.client.delete_object(Bucket=bucket, Key=name, VersionId=number)
    except ClientError as error:
        if code_of(error) not in DENIED:
            raise
    with suppress(ClientError):
        # A store that says no and does it all the same, or says yes and does not: only what is left counts.
        store.client.head_object(Bucket=bucket, Key=name, VersionId=number)
        return LockTrial("refused", "", until)
    return LockTrial("destroyed", f"version {number} détruite avant le {until:%d/%m/%Y}", until)


def try_abilities(store: Store, bucket: str, moment: datetime) -> Capabilities:
    """Try what a store supports on a scratch bucket, made when it is missing; ``moment`` makes the trial's key unique.

    What is left of a trial stays locked for one day.
    """
    client, abilities, details = store.client, {}, {}
    names = ("versions", "verrou", "suppression cachée", "règles d'accès", "cycle de vie")
    key = f"essai/{moment:%Y%m%dT%H%M%S%f}"

    def attempt(name: str, action: Any) -> Any:
        try:
            value = action()
        except (ClientError, BotoCoreError) as error:
            abilities[name] = False
            details[name] = explain(error)
            return None
        abilities[name] = True
        return value

    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if code_of(error) not in ABSENT:
            raise
        try:
            client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        except ClientError:
            client.create_bucket(Bucket=bucket)
    attempt(
        "versions", lambda: client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    )
    put = client.put_object(Bucket=bucket, Key=key, Body=b"essai\n")
    version = put.get("VersionId")
    if not version or version == "null":
        abilities["versions"] = False
        details["versions"] = "l'objet déposé n'a pas de version"
    else:
        until = datetime.now(UTC) + timedelta(days=1)
        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        where = {"Bucket": bucket, "Key": key, "VersionId": version}
        attempt("verrou", lambda: client.put_object_retention(**where, Retention=retention))
        if abilities["verrou"]:
            with suppress(ClientError):
                client.delete_object(**where)
            attempt("verrou", lambda: client.head_object(**where))
            if not abilities["verrou"]:
                details["verrou"] = "accepté, mais la version verrouillée a été détruite"
            client.delete_object(Bucket=bucket, Key=key)
            attempt("suppression cachée", lambda: client.head_object(**where))
    wish = BucketWish(bucket, locked=True, days=1, users=("personne",))
    attempt("règles d'accès", lambda: client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(bucket_policy(wish))))
    attempt(
        "cycle de vie",
        lambda: client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=lifecycle(1)),
    )
    return Capabilities({name: abilities.get(name, False) for name in names}, details)


def failed(place: str, error: Exception, remedy: str) -> PackmairieError:
    """Return the error of a store that did not do what was asked."""
    return fail(place, explain(error), remedy)
