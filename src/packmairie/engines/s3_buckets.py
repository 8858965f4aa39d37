# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets that lock what they hold: how one is wished, what it lacks, and what a store really supports."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.engines.s3 import ABSENT, DENIED, PROOF_KEY, Store, code_of, explain
from packmairie.model.probes_sauvegarde import Capabilities, LockTrial

POLICY_ACCOUNT = "000000000000"
"""The account of SeaweedFS's identities in the names that policies use."""


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
        locked = ["verrou", "essai"] if wish.locked else []
        return ["seau", "versions", *locked, "cycle", *(["regle"] if wish.users else [])]
    gaps = []
    if client.get_bucket_versioning(Bucket=wish.name).get("Status") != "Enabled":
        gaps.append("versions")
    if wish.locked and default_lock(store, wish.name) != wish.days:
        gaps.append("verrou")
    if wish.locked and not _has_proof(store, wish.name):
        gaps.append("essai")
    if _current(lambda: client.get_bucket_lifecycle_configuration(Bucket=wish.name)["Rules"]) != _days(wish.days + 1):
        gaps.append("cycle")
    if wish.users:
        known = _raw(lambda: json.loads(client.get_bucket_policy(Bucket=wish.name)["Policy"]))
        if known != bucket_policy(wish):
            gaps.append("regle")
    return gaps


def _has_proof(store: Store, bucket: str) -> bool:
    """Tell whether a bucket has the object by which its lock is tried; a run may have ended before it was written."""
    try:
        store.client.head_object(Bucket=bucket, Key=PROOF_KEY)
    except ClientError as error:
        if code_of(error) in ABSENT:
            return False
        raise
    return True


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


def make_bucket(store: Store, wish: BucketWish) -> None:
    """Make a bucket that is missing. Raise ClientError where the store refuses.

    Nothing may get its first object meanwhile: SeaweedFS' master, up to 4.48 at least, then waits for itself for ever
    (``Topology.ListCollections`` takes its lock for reading twice).
    """
    store.client.create_bucket(Bucket=wish.name, ObjectLockEnabledForBucket=wish.locked)


def bring_bucket(store: Store, wish: BucketWish) -> list[str]:
    """Bring one bucket to the wish, where no other is made meanwhile; return what it lacked. Raise ClientError."""
    gaps = bucket_gaps(store, wish)
    if "seau" in gaps:
        make_bucket(store, wish)
    close_gaps(store, wish, gaps)
    return gaps


def close_gaps(store: Store, wish: BucketWish, gaps: list[str]) -> None:
    """Do to a bucket that is there what it lacks else. Raise ClientError where the store refuses."""
    client = store.client
    for gap in gaps:
        if gap == "versions":
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
    # Last, once the lock that it tries is there.
    if "essai" in gaps:
        client.put_object(Bucket=wish.name, Key=PROOF_KEY, Body=b"Objet d'essai du verrou.\n")


def try_lock(store: Store, bucket: str) -> LockTrial:
    """Try to destroy the newest version of the test object of a bucket, and tell what the store answered."""
    found = _shown_proof(store, bucket) or _newest_proof(store, bucket)
    if found is None:
        return LockTrial("none", "aucun objet d'essai")
    name, number, until = found
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


def _shown_proof(store: Store, bucket: str) -> tuple[str, str, datetime] | None:
    """Return the key, the version and the end of the lock of the test object; None when one request does not tell.

    What shows is the newest version, unless it was hidden since; not every store tells its lock with it.
    """
    try:
        head = store.client.head_object(Bucket=bucket, Key=PROOF_KEY)
    except ClientError as error:
        if code_of(error) in {*ABSENT, *DENIED}:
            return None
        raise
    number, until = head.get("VersionId"), head.get("ObjectLockRetainUntilDate")
    if number and until and head.get("ObjectLockMode") == "COMPLIANCE":
        return PROOF_KEY, number, until
    return None


def _newest_proof(store: Store, bucket: str) -> tuple[str, str, datetime | None] | None:
    """Return the key, the version and the end of the lock of the newest version of the test object, hidden or not."""
    newest = None
    for version in store.versions(bucket, PROOF_KEY):
        if not version["Marker"] and (newest is None or version["LastModified"] > newest["LastModified"]):
            newest = version
    if newest is None:
        return None
    name, number = newest["Key"], newest["VersionId"]
    with suppress(ClientError):
        retention = store.client.get_object_retention(Bucket=bucket, Key=name, VersionId=number)["Retention"]
        if retention.get("Mode") == "COMPLIANCE":
            return name, number, retention["RetainUntilDate"]
    return name, number, None


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
