# SPDX-License-Identifier: GPL-3.0-or-later
"""The buckets of all communes at once: in which order, what an interrupted run left, and a store that goes silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import core_samples as samples
import pytest
import s3_double
from botocore.exceptions import ReadTimeoutError

from packmairie.engines.s3 import PROOF_KEY
from packmairie.engines.s3_buckets import BucketWish
from packmairie.model.change import Action
from packmairie.model.problem import PartialError
from packmairie.operations import sauvegarde_buckets as seaux
from packmairie.registry.table import table

CODES = sorted(code for code in table() if code.startswith("62"))[:30]


class Client(s3_double.Client):
    """A store that tells in which order it was asked, and may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []
        self.failing: Callable[[str, str], None] = lambda _action, _bucket: None

    def list_buckets(self) -> None:
        """Answer: the store is there."""

    def create_bucket(self, Bucket: str, ObjectLockEnabledForBucket: bool = False) -> None:  # noqa: N803
        self.failing("create", Bucket)
        self.order.append("create")
        super().create_bucket(Bucket, ObjectLockEnabledForBucket)

    def put_object(self, Bucket: str, Key: str, Body: bytes, **more: Any) -> Any:  # noqa: N803
        self.failing("put", Bucket)
        self.order.append("put")
        return super().put_object(Bucket, Key, Body, **more)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()

    @contextmanager
    def opened(*_words: Any, **_options: Any) -> Iterator[Any]:
        yield s3_double.store(made)

    wanted = [(samples.commune(code), BucketWish(f"seau-{code}", True, 35)) for code in CODES]
    monkeypatch.setattr(seaux, "remembered_pack", lambda _folder: samples.pack())
    monkeypatch.setattr(seaux, "has_store", lambda _pack: True)
    monkeypatch.setattr(seaux, "wishes", lambda _pack, communes: [w for w in wanted if w[0].insee in communes])
    monkeypatch.setattr(seaux, "open_store", opened)
    monkeypatch.setattr(seaux, "maintenance_key", lambda _vault: {})
    return made


def ensure(*codes: str, **options: Any) -> Any:
    return seaux.ensure_buckets(Path("x"), communes=frozenset(codes or CODES), **options)


def test_all_are_made_before_any_gets_its_first_object(client: Client) -> None:
    changes = ensure()
    assert {change.action for change in changes} == {Action.CREATE}
    assert client.order == ["create"] * len(CODES) + ["put"] * len(CODES)
    assert ensure() == ()


def test_what_a_run_killed_in_between_left_is_finished(client: Client) -> None:
    ensure()
    bucket = client.buckets[f"seau-{CODES[0]}"]
    del bucket["objects"], bucket["lock"]
    (change,) = ensure()
    assert change.detail == "verrou des nouveaux objets, objet d'essai du verrou"
    (version,) = bucket["objects"][PROOF_KEY]
    # The lock first: an object that came before it would be tried in vain.
    assert version["until"] is not None


def test_a_refusal_is_its_commune_s(client: Client) -> None:
    def refuse(action: str, bucket: str) -> None:
        if (action, bucket) == ("create", f"seau-{CODES[3]}"):
            raise s3_double.error("AccessDenied", 403)

    client.failing = refuse
    with pytest.raises(PartialError) as refused:
        ensure()
    assert set(refused.value.by_commune) == {CODES[3]}
    assert client.order.count("put") == len(CODES) - 1


@pytest.mark.parametrize("failure", [ReadTimeoutError(endpoint_url="x"), s3_double.error("InternalError", 500)])
def test_a_store_that_goes_silent_is_not_asked_for_the_rest(
    client: Client, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def silence(action: str, bucket: str) -> None:
        if action == "put":
            asked.append(bucket)
            raise failure

    client.failing = silence
    monkeypatch.setattr(seaux, "CONNECTIONS", 1)
    with pytest.raises(PartialError) as refused:
        ensure()
    assert len(asked) == seaux.SILENCES
    problems = [problem for found in refused.value.by_commune.values() for problem in found]
    assert len(problems) == len(CODES)
    assert sum("pas essayé" in problem.reason for problem in problems) == len(CODES) - seaux.SILENCES
    assert {problem.remedy for problem in problems} == {seaux.SILENT_REMEDY}
