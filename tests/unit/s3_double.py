# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in memory that keeps versions and holds locks as S3 does: enough of boto3's client for our code."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody


def error(code: str, status: int = 400) -> ClientError:
    """Return the error that boto3 raises for a store's answer."""
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "operation")


class Client:
    """One store; ``now`` moves as the test says."""

    def __init__(self, *, holds_locks: bool = True, tells_locks: bool = True) -> None:
        # Today's: what is locked for days is looked at by the real clock.
        self.now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self.holds_locks, self.tells_locks = holds_locks, tells_locks
        self.buckets: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def _objects(self, bucket: str) -> dict[str, list[dict[str, Any]]]:
        if bucket not in self.buckets:
            raise error("NoSuchBucket", 404)
        found: dict[str, list[dict[str, Any]]] = self.buckets[bucket].setdefault("objects", {})
        return found

    def close(self) -> None:
        """Keep everything: the next one who opens it finds it."""

    def create_bucket(self, Bucket: str, ObjectLockEnabledForBucket: bool = False) -> None:  # noqa: N803
        self.buckets[Bucket] = {"lockable": ObjectLockEnabledForBucket}

    def head_bucket(self, Bucket: str) -> None:  # noqa: N803
        self._objects(Bucket)

    def get_bucket_versioning(self, Bucket: str) -> Any:  # noqa: N803
        return {"Status": self.buckets[Bucket].get("versioning")} if "versioning" in self.buckets[Bucket] else {}

    def put_bucket_versioning(self, Bucket: str, VersioningConfiguration: Any) -> None:  # noqa: N803
        self.buckets[Bucket]["versioning"] = VersioningConfiguration["Status"]

    def _kept(self, bucket: str, name: str, absent: str) -> Any:
        if name not in self.buckets[bucket]:
            raise error(absent, 404)
        return self.buckets[bucket][name]

    def get_object_lock_configuration(self, Bucket: str) -> Any:  # noqa: N803
        return {"ObjectLockConfiguration": self._kept(Bucket, "lock", "ObjectLockConfigurationNotFoundError")}

    def put_object_lock_configuration(self, Bucket: str, ObjectLockConfiguration: Any) -> None:  # noqa: N803
        self.buckets[Bucket]["lock"] = ObjectLockConfiguration

    def get_bucket_lifecycle_configuration(self, Bucket: str) -> Any:  # noqa: N803
        return self._kept(Bucket, "lifecycle", "NoSuchLifecycleConfiguration")

    def put_bucket_lifecycle_configuration(self, Bucket: str, LifecycleConfiguration: Any) -> None:  # noqa: N803
        self.buckets[Bucket]["lifecycle"] = LifecycleConfiguration

    def get_bucket_policy(self, Bucket: str) -> Any:  # noqa: N803
        return {"Policy": self._kept(Bucket, "policy", "NoSuchBucketPolicy")}

    def put_bucket_policy(self, Bucket: str, Policy: str) -> None:  # noqa: N803
        self.buckets[Bucket]["policy"] = Policy

    def put_object(self, Bucket: str, Key: str, Body: bytes, **_more: Any) -> Any:  # noqa: N803
        rule = self.buckets[Bucket].get("lock", {}).get("Rule", {}).get("DefaultRetention", {})
        until = self.now + timedelta(days=rule["Days"]) if rule else None
        version = {
            "VersionId": str(next(self._numbers)),
            "Body": bytes(Body),
            "LastModified": self.now.replace(microsecond=0),
            "Marker": False,
            "until": until,
        }
        self._objects(Bucket).setdefault(Key, []).insert(0, version)
        return {"VersionId": version["VersionId"]}

    def _version(self, bucket: str, key: str, number: str | None) -> dict[str, Any]:
        for version in self._objects(bucket).get(key, []):
            if number in (None, version["VersionId"]):
                if version["Marker"]:
                    break
                return version
        raise error("NoSuchKey", 404)

    def head_object(self, Bucket: str, Key: str, VersionId: str | None = None) -> Any:  # noqa: N803
        version = self._version(Bucket, Key, VersionId)
        answer: dict[str, Any] = {"ContentLength": len(version["Body"]), "VersionId": version["VersionId"]}
        if version["until"] and self.tells_locks:
            answer |= {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": version["until"]}
        return answer

    def get_object(self, Bucket: str, Key: str, VersionId: str | None = None, Range: str = "") -> Any:  # noqa: N803
        version = self._version(Bucket, Key, VersionId)
        body = version["Body"]
        answer: dict[str, Any] = {"LastModified": version["LastModified"]}
        if Range:
            first, _dash, last = Range.removeprefix("bytes=").partition("-")
            total, body = len(body), body[int(first) : int(last) + 1 if last else None]
            answer["ContentRange"] = f"bytes {first}-{int(first) + len(body) - 1}/{total}"
        return {**answer, "ContentLength": len(body), "Body": StreamingBody(io.BytesIO(body), len(body))}

    def delete_object(self, Bucket: str, Key: str, VersionId: str | None = None, **_more: Any) -> None:  # noqa: N803
        versions = self._objects(Bucket).setdefault(Key, [])
        if VersionId is None:
            marker = {"VersionId": str(next(self._numbers)), "LastModified": self.now, "Marker": True, "until": None}
            versions.insert(0, marker)
            return
        version = next((v for v in versions if v["VersionId"] == VersionId), None)
        if version is not None:
            if self.holds_locks and version["until"] and version["until"] > self.now:
                raise error("AccessDenied", 403)
            versions.remove(version)

    def get_object_retention(self, Bucket: str, Key: str, VersionId: str) -> Any:  # noqa: N803
        until = self._version(Bucket, Key, VersionId)["until"]
        if until is None:
            raise error("NoSuchObjectLockConfiguration", 404)
        return {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": until}}

    def put_object_retention(self, Bucket: str, Key: str, VersionId: str, Retention: Any) -> Any:  # noqa: N803
        version = self._version(Bucket, Key, VersionId)
        if version["until"] and Retention["RetainUntilDate"] < version["until"]:
            raise error("AccessDenied", 403)
        version["until"] = Retention["RetainUntilDate"]
        return {}

    def get_paginator(self, name: str) -> Any:
        return _Pages(self, name)


class _Pages:
    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    def paginate(self, Bucket: str, Prefix: str = "") -> Iterator[Any]:  # noqa: N803
        objects = self.client._objects(Bucket)
        for key in sorted(objects):
            if not key.startswith(Prefix) or not objects[key]:
                continue
            newest = objects[key][0]
            if self.name == "list_objects_v2":
                if not newest["Marker"]:
                    yield {"Contents": [{"Key": key, "Size": len(newest["Body"])}]}
                continue
            page: dict[str, list[Any]] = {"Versions": [], "DeleteMarkers": []}
            for version in objects[key]:
                shown = {
                    "Key": key,
                    "VersionId": version["VersionId"],
                    "LastModified": version["LastModified"],
                    "IsLatest": version is newest,
                }
                if version["Marker"]:
                    page["DeleteMarkers"].append(shown)
                else:
                    page["Versions"].append({**shown, "Size": len(version["Body"])})
            yield page


def store(client: Client) -> Any:
    """Return a :class:`packmairie.engines.s3.Store` on this client, without any network."""
    from packmairie.engines.s3 import Store

    made = Store.__new__(Store)
    made.client = client
    made._relay = None
    return made
