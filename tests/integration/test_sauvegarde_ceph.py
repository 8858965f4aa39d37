# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in a store of somebody else: Ceph's gateway, tried, locked, attacked, restored; its old versions go away."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from ceph_gateway import CephGateway, missing, started

from packmairie.engines.restic import Restic
from packmairie.engines.restic_bridge import Repository
from packmairie.engines.s3 import Store
from packmairie.engines.s3_buckets import BucketWish, bring_bucket, bucket_gaps, default_lock, try_abilities, try_lock

BUCKET, PASSWORD = "essai-62708", "mot-de-passe-d-essai"


@pytest.fixture(scope="module")
def ceph() -> Iterator[CephGateway]:
    """The gateway; skip, saying why, where Ceph is not installed."""
    if absent := missing():
        pytest.skip(
            f"{', '.join(absent)} : scripts/install-test-tools (root) ou apt-get install radosgw ceph-mon ceph-osd"
        )
    # The path of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="ceph-") as folder:
        gateway = started(Path(folder))
        try:
            yield gateway
        finally:
            gateway.stop()


@pytest.fixture(scope="module")
def store(ceph: CephGateway) -> Store:
    """The gateway, opened with its only key."""
    return ceph.store


@pytest.fixture(scope="module")
def bucket(store: Store) -> BucketWish:
    """A commune's bucket, made as the brique wishes it."""
    wish = BucketWish(BUCKET, True, 35)
    bring_bucket(store, wish)
    return wish


def test_a_bucket_is_made_once_and_its_lock_is_in_force(store: Store, bucket: BucketWish) -> None:
    assert bucket_gaps(store, bucket) == []
    assert default_lock(store, bucket.name) == 35
    tried = try_lock(store, bucket.name)
    assert (tried.outcome, tried.detail) == ("refused", "")
    found = try_abilities(store, "essai-capacites", datetime.now(UTC))
    assert found.details == {}
    assert all(found.abilities.values())


def test_what_was_overwritten_and_hidden_is_restored_as_it_was(
    store: Store, bucket: BucketWish, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(20):
        (source / f"acte {number}.odt").write_bytes(os.urandom(5000))
    restic = Restic(Repository(store, bucket.name, "plateforme", writable=True), PASSWORD)
    restic.must(["init"])
    restic.must(["backup", str(source)])
    time.sleep(1.2)
    moment = datetime.now(UTC)
    time.sleep(1.2)
    for key in list(store.keys(bucket.name, "plateforme/")):
        store.client.put_object(Bucket=bucket.name, Key=key, Body=b"payez")
        store.client.delete_object(Bucket=bucket.name, Key=key)
    for version in list(store.versions(bucket.name, "plateforme/")):
        if not version["Marker"]:
            with pytest.raises(ClientError):
                store.client.delete_object(Bucket=bucket.name, Key=version["Key"], VersionId=version["VersionId"])
    assert list(store.keys(bucket.name, "plateforme/")) == []
    before = Restic(Repository(store, bucket.name, "plateforme", moment), PASSWORD)
    [snapshot] = before.snapshots()
    before.must(["restore", snapshot.id, "--target", str(tmp_path / "retour")])
    for path in source.iterdir():
        assert (tmp_path / "retour" / path.relative_to("/")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("locked", [False, True])
def test_versions_expire_after_their_days_and_never_under_a_lock(ceph: CephGateway, store: Store, locked: bool) -> None:
    """The rule that the brique lays, where a day of it lasts a second; a lock of a day lasts a day."""
    wish = BucketWish("essai-verrouille" if locked else "essai-expire", locked, 1)
    store.client.create_bucket(Bucket=wish.name, ObjectLockEnabledForBucket=locked)
    store.client.put_bucket_versioning(Bucket=wish.name, VersioningConfiguration={"Status": "Enabled"})

    def put(key: str) -> None:
        for number in range(3):
            store.client.put_object(Bucket=wish.name, Key=key, Body=b"%d" % number)

    def left() -> dict[str, int]:
        return {key: len(list(store.versions(wish.name, key))) for key in ("avant", "depuis")}

    # What was put before the bucket locks is what tells that the rule was applied beside what it may not touch.
    put("avant")
    bring_bucket(store, wish)
    put("depuis")
    expected = {"avant": 1, "depuis": 3 if locked else 1}
    assert left() == {"avant": 3, "depuis": 3}
    limit = time.monotonic() + 60
    while left() != expected and time.monotonic() < limit:
        time.sleep(3)
        ceph.expire(wish.name)
    assert left() == expected
    assert store.client.get_object(Bucket=wish.name, Key="avant")["Body"].read() == b"2"
