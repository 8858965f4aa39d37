# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets brought to their wish, locks tried and prolonged, versions as of a moment: on a store in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from s3_double import Client, store

from packmairie.engines.restic_bridge import view_as_of
from packmairie.engines.s3 import PROOF_KEY
from packmairie.engines.s3_buckets import BucketWish, bring_bucket, bucket_gaps, close_gaps, try_abilities, try_lock
from packmairie.operations.sauvegarde_upkeep import extend_locks, remove_expired, renew_proof

WISH = BucketWish("b", True, 35, ("62708-plateforme",))


@pytest.fixture
def client() -> Client:
    made = Client()
    opened = store(made)
    bring_bucket(opened, WISH)
    return made


def test_a_bucket_is_made_once(client: Client) -> None:
    assert bucket_gaps(store(client), WISH) == []
    assert client.buckets["b"]["lockable"] is True
    assert list(client.buckets["b"]["objects"]) == [PROOF_KEY]


@pytest.mark.parametrize(
    ("part", "gap"), [("versioning", "versions"), ("lock", "verrou"), ("lifecycle", "cycle"), ("policy", "regle")]
)
def test_what_someone_took_away_is_put_back(client: Client, part: str, gap: str) -> None:
    del client.buckets["b"][part]
    opened = store(client)
    assert bucket_gaps(opened, WISH) == [gap]
    close_gaps(opened, WISH, [gap])
    assert bucket_gaps(opened, WISH) == []


def test_a_longer_retention_is_a_gap(client: Client) -> None:
    assert bucket_gaps(store(client), BucketWish("b", True, 60, WISH.users)) == ["verrou", "cycle"]


def test_a_lock_that_holds_and_one_that_does_not(client: Client) -> None:
    assert try_lock(store(client), "b").outcome == "refused"
    client.holds_locks = False
    assert try_lock(store(client), "b").outcome == "destroyed"
    assert try_lock(store(client), "b").outcome == "none"


@pytest.mark.parametrize("tells_locks", [True, False])
def test_a_lock_is_tried_on_an_object_that_was_hidden_too(client: Client, tells_locks: bool) -> None:
    """And on a store that does not tell an object's lock with the object."""
    client.tells_locks = tells_locks
    tried = try_lock(store(client), "b")
    assert (tried.outcome, tried.until) == ("refused", client.now + timedelta(days=35))
    client.delete_object("b", PROOF_KEY)
    assert try_lock(store(client), "b") == tried
    client.holds_locks = False
    assert try_lock(store(client), "b").outcome == "destroyed"


def test_a_lock_that_has_ended_proves_nothing(client: Client) -> None:
    for version in client.buckets["b"]["objects"][PROOF_KEY]:
        version["until"] = datetime.now(UTC) - timedelta(days=1)
    assert try_lock(store(client), "b").outcome == "none"
    assert client.buckets["b"]["objects"][PROOF_KEY]


def test_abilities_are_believed_only_once_tried() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    strong = try_abilities(store(Client()), "essai", now)
    assert all(strong.abilities.values()), strong
    weak = try_abilities(store(Client(holds_locks=False)), "essai", now)
    assert not weak.abilities["verrou"]
    assert "détruite" in weak.details["verrou"]


def test_the_past_is_seen_as_it_was(client: Client) -> None:
    opened = store(client)
    client.put_object("b", "p/a", b"un")
    client.put_object("b", "p/b", b"un")
    moment = client.now + timedelta(seconds=5)
    client.now += timedelta(seconds=10)
    client.put_object("b", "p/a", b"deux!")
    client.delete_object("b", "p/b")
    client.put_object("b", "p/c", b"neuf")
    seen = view_as_of(opened, "b", "p/", moment)
    assert {key: version.size for key, version in seen.items()} == {"p/a": 2, "p/b": 2}
    body = client.get_object("b", "p/a", VersionId=seen["p/a"].version)["Body"].read()
    assert body == b"un"
    now = view_as_of(opened, "b", "p/", client.now)
    assert {key: version.size for key, version in now.items()} == {"p/a": 5, "p/c": 4}
    assert view_as_of(opened, "b", "p/", moment - timedelta(days=1)) == {}


def test_of_one_second_the_newer_is_seen(client: Client) -> None:
    client.put_object("b", "p/a", b"un")
    client.put_object("b", "p/a", b"deux!")
    assert view_as_of(store(client), "b", "p/", client.now)["p/a"].size == 5
    client.delete_object("b", "p/a")
    assert view_as_of(store(client), "b", "p/", client.now) == {}


def test_locks_of_what_still_serves_are_prolonged(client: Client) -> None:
    client.put_object("b", "p/sert", b"x")
    client.put_object("b", "p/cache", b"x")
    client.delete_object("b", "p/cache")
    opened, day = store(client), timedelta(days=1)
    assert extend_locks(opened, "b", "p", 35, client.now + 10 * day) == 0
    client.now += 20 * day
    assert extend_locks(opened, "b", "p", 35, client.now) == 1
    assert client.buckets["b"]["objects"]["p/sert"][0]["until"] == client.now + 35 * day
    assert extend_locks(opened, "b", "p", 35, client.now) == 0
    # Its first lock has ended, and still nobody can destroy it.
    client.now += 20 * day
    with pytest.raises(ClientError):
        client.delete_object("b", "p/sert", VersionId=client.buckets["b"]["objects"]["p/sert"][0]["VersionId"])


def test_only_what_is_hidden_for_long_goes(client: Client) -> None:
    client.put_object("b", "p/sert", b"x")
    client.put_object("b", "p/cache", b"x")
    client.put_object("b", "p/change", b"vieux")
    client.delete_object("b", "p/cache")
    client.put_object("b", "p/change", b"neuf")
    opened = store(client)
    client.now += timedelta(days=35)
    assert remove_expired(opened, "b", "p", 35, client.now) == 0
    client.now += timedelta(days=1)
    assert remove_expired(opened, "b", "p", 35, client.now) == 2
    assert remove_expired(opened, "b", "p", 35, client.now) == 1
    assert [v["Body"] for v in client.buckets["b"]["objects"]["p/change"]] == [b"neuf"]
    assert client.buckets["b"]["objects"]["p/sert"]
    assert client.buckets["b"]["objects"]["p/cache"] == []


def test_a_locked_version_is_never_needed_to_go(client: Client) -> None:
    client.put_object("b", "p/cache", b"x")
    client.buckets["b"]["objects"]["p/cache"][0]["until"] = client.now + timedelta(days=400)
    client.delete_object("b", "p/cache")
    client.now += timedelta(days=100)
    assert remove_expired(store(client), "b", "p", 35, client.now) == 0
    assert len(client.buckets["b"]["objects"]["p/cache"]) == 2


def test_the_object_to_try_on_is_renewed_before_its_lock_ends(client: Client) -> None:
    renew_proof(store(client), "b", client.now)
    assert len(client.buckets["b"]["objects"][PROOF_KEY]) == 1
    client.now += timedelta(days=34)
    renew_proof(store(client), "b", client.now)
    assert len(client.buckets["b"]["objects"][PROOF_KEY]) == 2
