# SPDX-License-Identifier: GPL-3.0-or-later
"""A real restic through the bridge, on a store in memory: attacks, damage and drills, without any host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from s3_double import Client, store

from packmairie.engines.restic import Restic
from packmairie.engines.restic_bridge import Repository, bridge
from packmairie.engines.s3_buckets import BucketWish, bring_bucket
from packmairie.model.pack import PolitiqueSauvegarde
from packmairie.model.sauvegarde import Repository as Wished
from packmairie.operations import sauvegarde_planned as planned
from packmairie.operations.sauvegarde_proof import drill_source
from packmairie.operations.sauvegarde_upkeep import upkeep_of
from packmairie.sauvegarde_hote.manifest import settle, take, to_text

pytestmark = pytest.mark.skipif(shutil.which("restic") is None, reason="restic n'est pas installé sur cette machine")
PASSWORD = "essai"


class Place:
    """A source of files and a repository, backed up as a host does."""

    def __init__(self, folder: Path) -> None:
        self.source, self.scratch = folder / "source", folder / "essais"
        self.source.mkdir()
        self.scratch.mkdir()
        for number in range(6):
            (self.source / f"acte {number}*[x]?.odt").write_bytes(bytes([number]) * 5000)
        self.client = Client()
        self.store = store(self.client)
        wish = BucketWish("b", True, 35)
        bring_bucket(self.store, wish)
        self.open(writable=True).must(["init"])

    def open(self, moment: Any = None, *, writable: bool = False, password: str = PASSWORD) -> Restic:
        return Restic(Repository(self.store, "b", "depot", moment, writable=writable), password)

    def back_up(self, meanwhile: Callable[[], None] = lambda: None, *, finish: bool = True) -> str:
        restic = self.open(writable=True)
        roots = [str(self.source)]
        taken = take(roots, (), {}, time.time_ns())
        said = restic.must(["backup", "--json", "--tag", "donnees,source:f", *roots]).decode().splitlines()[-1]
        short = json.loads(said)["snapshot_id"]
        identity = next(snapshot.id for snapshot in restic.snapshots() if snapshot.id.startswith(short))
        meanwhile()
        if finish:
            text = to_text(settle(taken, roots, ()), {"instantane": identity})
            (self.scratch / "manifeste.jsonl").write_text(text)
            tags = f"manifeste,source:f,de:{identity[:16]}"
            done = restic.run(["backup", "--tag", tags, "manifeste.jsonl"], folder=self.scratch)
            assert done.code == 0, done.err
        return identity

    def drill(self, moment: Any = None, **options: Any) -> dict[str, Any]:
        restic = self.open(moment, **options)
        return drill_source(restic, restic.snapshots(), "f", 0, everything=True, scratch=self.scratch)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def packs(place: Place) -> list[str]:
    return list(place.store.keys("b", "depot/data/"))


def test_a_backup_is_proven(place: Place) -> None:
    place.back_up()
    facts = place.drill()
    assert facts["prouve"], facts
    assert (facts["fichiers"], facts["compares"], facts["mouvants"]) == (6, 6, 0)


def test_a_file_that_changed_meanwhile_is_neither_proof_nor_fault(place: Place) -> None:
    place.back_up(lambda: (place.source / "acte 0*[x]?.odt").write_bytes(b"autre") and None)
    facts = place.drill()
    assert facts["prouve"], facts
    assert (facts["compares"], facts["mouvants"]) == (5, 1)


def test_too_many_moving_files_prove_nothing(place: Place) -> None:
    def move() -> None:
        for path in list(place.source.iterdir())[:4]:
            path.write_bytes(b"autre")

    place.back_up(move)
    assert not place.drill()["prouve"]


def test_a_backup_without_its_manifest_did_not_finish(place: Place) -> None:
    place.back_up()
    place.back_up(finish=False)
    facts = place.drill()
    assert not facts["prouve"]
    assert "manifeste" in facts["cause"]


def test_what_restic_read_otherwise_is_found(place: Place) -> None:
    # As if the bytes that restic stored were not those that were hashed: same size, other content.
    taken: list[str] = []
    original = place.open(writable=True)
    path = place.source / "acte 1*[x]?.odt"
    good = path.read_bytes()
    roots = [str(place.source)]
    manifest = take(roots, (), {}, time.time_ns())
    path.write_bytes(good[:-1] + b"!")
    said = original.must(["backup", "--json", "--tag", "donnees,source:f", *roots]).decode().splitlines()[-1]
    short = json.loads(said)["snapshot_id"]
    identity = next(s.id for s in original.snapshots() if s.id.startswith(short))
    (place.scratch / "manifeste.jsonl").write_text(to_text(manifest, {"instantane": identity}))
    tags = f"manifeste,source:f,de:{identity[:16]}"
    original.run(["backup", "--tag", tags, "manifeste.jsonl"], folder=place.scratch)
    facts = place.drill()
    taken.append(facts["cause"])
    assert not facts["prouve"]
    assert "contenu différent" in facts["fautes"][0]


def test_the_past_is_restored_after_everything_was_hidden_and_spoilt(place: Place) -> None:
    place.back_up()
    moment = place.client.now
    place.client.now += timedelta(minutes=5)
    for key in list(place.store.keys("b", "depot/")):
        place.client.put_object("b", key, b"payez")
        place.client.delete_object("b", key)
    assert place.drill(moment)["prouve"]
    with pytest.raises(Exception, match="b/depot"):
        place.drill()


def test_a_view_of_the_past_cannot_be_written_to(place: Place) -> None:
    place.back_up()
    restic = place.open(place.client.now)
    assert restic.run(["backup", str(place.source)]).code != 0
    assert restic.run(["forget", "latest"]).code != 0


def test_lost_packs_are_told_at_once(place: Place) -> None:
    place.back_up()
    for key in packs(place):
        place.client.delete_object("b", key)
    started = time.monotonic()
    with pytest.raises(Exception, match="absentes"):
        place.drill()
    account = upkeep_of(place.open(writable=True), PolitiqueSauvegarde(), place.client.now)
    assert not account["reussi"]
    assert "cause" in account
    assert time.monotonic() - started < 60


def test_a_flipped_bit_is_found(place: Place) -> None:
    place.back_up()
    for key in packs(place):
        body = bytearray(place.client.get_object("b", key)["Body"].read())
        body[len(body) // 2] ^= 1
        place.client.put_object("b", key, bytes(body))
    try:
        facts = place.drill()
    except Exception as error:  # noqa: BLE001 — a damaged manifest is told as an error, damaged files as a fact
        facts = {"prouve": False, "cause": str(error)}
    assert not facts["prouve"]
    assert facts["cause"]


def test_a_wrong_password_is_told(place: Place) -> None:
    place.back_up()
    with pytest.raises(Exception, match="mot de passe"):
        place.drill(password="faux")


def test_maintenance_keeps_what_serves(place: Place) -> None:
    for number in range(3):
        (place.source / f"neuf {number}").write_bytes(bytes([100 + number]) * 3000)
        place.back_up()
    account = upkeep_of(place.open(writable=True), PolitiqueSauvegarde(), place.open().snapshots()[-1].time)
    assert account["reussi"], account
    # Two of the three backups of the day, each with its manifest.
    assert account["oublies"] == 4
    assert place.drill()["prouve"]
    again = upkeep_of(place.open(writable=True), PolitiqueSauvegarde(), place.open().snapshots()[-1].time)
    assert (again["reussi"], again["oublies"]) == (True, 0)


@contextmanager
def under_way(place: Place) -> Iterator[None]:
    """A backup that reads its standard input, and waits for more of it."""
    repository = Repository(place.store, "b", "depot", writable=True)
    with bridge(repository) as url:
        process = subprocess.Popen(
            ["restic", "--no-cache", "backup", "--stdin"],
            env={"PATH": os.environ["PATH"], "RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": PASSWORD},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        try:
            limit = time.monotonic() + 30
            while not list(place.store.keys("b", "depot/locks/")) and time.monotonic() < limit:
                time.sleep(0.1)
            yield
            process.communicate(b"fin", timeout=30)
        finally:
            process.kill()
            process.wait()


def test_a_backup_under_way_puts_forgetting_off_and_nothing_else(place: Place) -> None:
    for _number in range(2):
        place.back_up()
    now = place.open().snapshots()[-1].time
    with under_way(place):
        account = upkeep_of(place.open(writable=True), PolitiqueSauvegarde(), now)
    assert (account["reussi"], account.get("remis"), account.get("oublies", 0)) == (True, True, 0)
    account = upkeep_of(place.open(writable=True), PolitiqueSauvegarde(), now + timedelta(minutes=5))
    assert (account["reussi"], account.get("remis", False), account["oublies"]) == (True, False, 2)


def test_a_snapshot_of_the_future_stops_forgetting(place: Place) -> None:
    place.back_up()
    late = place.open().snapshots()[-1].time - timedelta(days=2)
    account = upkeep_of(place.open(writable=True), PolitiqueSauvegarde(), late)
    assert not account["reussi"]
    assert "horloge" in account["cause"]


def test_the_platform_maintains_and_drills_by_itself(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.back_up()
    settings = tmp_path / "entretien"
    (settings / "communes").mkdir(parents=True)
    policy = {"verrou": True, "retention_jours": 35, "garder": {"jours": 14, "semaines": 8, "mois": 12}}
    where = {"endpoint": "https://s3.invalid", "region": "us-east-1", "chemin": True, "cle": {}}
    (settings / "stockage.json").write_text(json.dumps(where | policy))
    depot = {"nom": "depot", "mot_de_passe": PASSWORD, "sources": {"f": "Fichiers"}}
    for insee, password in (("62708", PASSWORD), ("62633", "faux")):
        told = {"commune": insee, "nom": "Exemple", "seau": "b", "depots": [depot | {"mot_de_passe": password}]}
        (settings / "communes" / f"{insee}.json").write_text(json.dumps(told))
    monkeypatch.setattr(planned, "Store", lambda *_arguments: place.store)
    monkeypatch.setattr(Wished, "prefix", property(lambda wished: wished.name))
    assert planned.main(settings) == 1
    said = capsys.readouterr()
    assert "1 dépôts contrôlés et restaurés sur 2" in said.out
    assert "62633 depot : entretien : " in said.err
    assert "mot de passe" in said.err
    assert "62708" not in said.err
    assert planned.main(settings, frozenset({"62708"})) == 0
    upkeep, drilled = (
        place.store.read_json("b", f"preuves/{name}.json") for name in ("entretien/depot", "restauration/depot-f")
    )
    assert upkeep[0]["reussi"]
    assert drilled[0]["prouve"]
    assert drilled[0]["commune"] == "62708"
