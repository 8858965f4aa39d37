# SPDX-License-Identifier: GPL-3.0-or-later
"""The store itself, on the loopback: what the platform's key may not do, and versions that really go away."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from core_samples import commune
from test_sauvegarde_brique import sample

from packmairie.briques.sauvegarde import PLANNED_KEY, Sauvegarde
from packmairie.engines.connections import Connections
from packmairie.engines.names import Names
from packmairie.engines.s3 import Store
from packmairie.engines.s3_buckets import BucketWish, bring_bucket, bucket_gaps, bucket_policy, lifecycle
from packmairie.engines.s3_sending import sending
from packmairie.inventory.vault import Vault
from packmairie.lab.own_store import KEY as OWNERS_KEY
from packmairie.lab.own_store import OwnStore, own_store
from packmairie.model.probe import Absent, Found
from packmairie.model.probes_sauvegarde import BackupFacts, BackupReading
from packmairie.model.problem import PackmairieError
from packmairie.operations.desired import offline_secrets
from packmairie.operations.sauvegarde_buckets import wishes
from packmairie.operations.sauvegarde_store import read_backups
from packmairie.operations.sauvegarde_upkeep import extend_locks

KEY = {"identifiant": "CLEPLANIFIEE00000000", "secret": "secret-planifie-sur-la-boucle-locale-00000"}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bucket() -> BucketWish:
    """The bucket that the pack wishes for a commune."""
    one = commune()
    return wishes(sample(one), frozenset())[0][1]


@pytest.fixture(scope="module")
def opened() -> Iterator[OwnStore]:
    """The store, where the platform's key is as the brique gives it."""
    one = commune()
    wished = sample(one)
    secrets = dict(offline_secrets(wished)("plateforme")) | {PLANNED_KEY: KEY}
    tree = next(tree for tree in Sauvegarde().platform_tenant(wished, secrets) if tree.name == "stockage")
    planned = next(entry for entry in json.loads(tree.files[0].text()) if entry["name"] == "entretien-plateforme")
    try:
        with own_store(others=(planned,)) as found:
            yield found
    except PackmairieError as error:
        pytest.skip(f"SeaweedFS n'a pas pu être téléchargé : {error}")


def test_the_platforms_key_adds_hides_and_locks_longer_and_destroys_nothing(
    opened: OwnStore, bucket: BucketWish
) -> None:
    store, name = opened.store, bucket.name
    bring_bucket(store, bucket)
    assert bucket_gaps(store, bucket) == []
    version = store.client.put_object(Bucket=name, Key="plateforme/data/x", Body=b"x")["VersionId"]
    where = {"Bucket": name, "Key": "plateforme/data/x", "VersionId": version}
    planned = Store(store.address, KEY)
    client = planned.client
    soon, late = datetime.now(UTC) + timedelta(seconds=2), datetime.now(UTC) + timedelta(days=bucket.days + 10)
    refused: dict[str, Callable[[], Any]] = {
        "shorten": lambda: client.put_object_retention(
            **where, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": soon}
        ),
        "destroy": lambda: client.delete_object(**where),
        "bucket": lambda: client.delete_bucket(Bucket=name),
        "versions": lambda: client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"}),
        "lifecycle": lambda: client.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration=lifecycle(1)
        ),
        "no lifecycle": lambda: client.delete_bucket_lifecycle(Bucket=name),
        "policy": lambda: client.put_bucket_policy(Bucket=name, Policy=json.dumps(bucket_policy(bucket))),
        "no policy": lambda: client.delete_bucket_policy(Bucket=name),
        "lock": lambda: client.put_object_lock_configuration(
            Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        ),
        "another": lambda: client.create_bucket(Bucket="un-autre"),
    }
    for what, action in refused.items():
        with pytest.raises(ClientError) as told:
            action()
        assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, what
    client.put_object_retention(**where, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": late})
    client.put_object(Bucket=name, Key="preuves/entretien/x.json", Body=b"{}")
    client.delete_object(Bucket=name, Key="plateforme/data/x")
    assert list(planned.keys(name, "plateforme/")) == []
    assert store.client.get_object(**where)["Body"].read() == b"x"
    # Once half of its time has run, what shows is locked again, by that key.
    client.put_object(Bucket=name, Key="plateforme/data/y", Body=b"y")
    later = datetime.now(UTC) + timedelta(days=bucket.days * 0.6)
    assert extend_locks(planned, name, "plateforme", bucket.days, later) == 1
    planned.close()


def test_the_platforms_key_destroys_no_version_that_is_not_locked_either(opened: OwnStore, bucket: BucketWish) -> None:
    wish = BucketWish("sans-verrou", False, 1, bucket.users, bucket.keepers)
    bring_bucket(opened.store, wish)
    version = opened.store.client.put_object(Bucket=wish.name, Key="plateforme/x", Body=b"x")["VersionId"]
    planned = Store(opened.store.address, KEY)
    with pytest.raises(ClientError):
        planned.client.delete_object(Bucket=wish.name, Key="plateforme/x", VersionId=version)
    many = planned.client.delete_objects(
        Bucket=wish.name, Delete={"Objects": [{"Key": "plateforme/x", "VersionId": version}]}
    )
    assert many["Errors"]
    assert [entry["VersionId"] for entry in opened.store.versions(wish.name, "plateforme/")] == [version]
    planned.close()


def test_hidden_versions_go_away_once_nothing_locks_them(opened: OwnStore, tmp_path: Path) -> None:
    """The role's own script. Days cannot be made shorter than one: the rule here counts versions, in the same pass."""
    store = opened.store
    by_number = {"NewerNoncurrentVersions": 1}
    rules = {"ouvert": by_number, "tenu": by_number, "recent": {"NoncurrentDays": 1}}
    for name, rule in rules.items():
        wish = BucketWish(f"cycle-{name}", name == "tenu", 1)
        bring_bucket(store, wish)
        store.client.put_bucket_lifecycle_configuration(
            Bucket=wish.name,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "essai",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "NoncurrentVersionExpiration": rule,
                    }
                ]
            },
        )
        for number in range(4):
            store.client.put_object(Bucket=wish.name, Key="a", Body=b"%d" % number)
    text = (ROOT / "roles/stockage/templates/stockage/usr/local/lib/packmairie/stockage-cycle.j2").read_text()
    for there, here in (
        ("/opt/packmairie/stockage/bin/weed", str(opened.program)),
        ("127.0.0.1:18333", f"127.0.0.1:{opened.s3 + 10000}"),
        ("127.0.0.1:9333", f"127.0.0.1:{opened.master}"),
        ("127.0.0.1:8888", f"127.0.0.1:{opened.filer}"),
    ):
        assert there in text
        text = text.replace(there, here)
    script = tmp_path / "cycle"
    script.write_text(text, encoding="utf-8")
    shell = shutil.which("sh") or "/bin/sh"
    done = subprocess.run([shell, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    left = {name: len([e for e in store.versions(f"cycle-{name}", "a") if not e["Marker"]]) for name in rules}
    assert left == {"ouvert": 2, "tenu": 4, "recent": 4}
    assert store.client.get_object(Bucket="cycle-ouvert", Key="a")["Body"].read() == b"3"
    # A store that does not answer is a failure of the unit, not silence.
    script.write_text(text.replace(f"127.0.0.1:{opened.s3 + 10000}", "127.0.0.1:1"), encoding="utf-8")
    failed = subprocess.run([shell, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert failed.returncode == 1, failed.stdout + failed.stderr


@pytest.mark.parametrize("way", ["boto3", "connections"])
def test_a_bucket_is_read_by_the_stores_clock_and_a_missing_one_is_missing(
    opened: OwnStore, bucket: BucketWish, tmp_path: Path, way: str
) -> None:
    wish = BucketWish("relu-par-la-sonde", True, 35, bucket.users, bucket.keepers)
    bring_bucket(opened.store, wish)
    vault = Vault(tmp_path)
    connections = Connections(ssl.create_default_context())
    by = sending(connections, Names(["192.0.2.53"])) if way == "connections" else None
    store = Store(opened.store.address, OWNERS_KEY, sending=by)
    found = read_backups(store, vault, BackupReading("62708", wish.name, ()))
    assert isinstance(found, Found), found
    assert isinstance(found.value, BackupFacts)
    assert abs((datetime.now(UTC) - found.value.now).total_seconds()) < 60
    assert (found.value.claims, found.value.drills, found.value.default_lock) == ((), {}, 35)
    assert (found.value.lock.outcome, found.value.versioned) == ("refused", True)
    assert isinstance(read_backups(store, vault, BackupReading("62708", "jamais-fait", ())), Absent)
    connections.end()
