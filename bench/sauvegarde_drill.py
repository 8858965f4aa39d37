# SPDX-License-Identifier: GPL-3.0-or-later
"""Time the drill of many small repositories, and how it grows.

    .venv/bin/python bench/sauvegarde_drill.py [--sizes 10 50 100 905] [--files 30] [--runs 3]

Starts a store of its own on the loopback, locked as in production. In it, as many buckets as the largest size, each
with one repository: a backup of small files and its manifest, made through the bridge in the first, its objects put one
by one in the others; then a drill of the first ones of each size, as many at once as ``drill`` does, each drill proven.
Prints seconds (least, median, most), seconds a repository, and how the time of one grows from the smallest size to the
largest. Needs restic; neither root nor a lab.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packmairie.engines.restic import Restic
from packmairie.engines.restic_bridge import Repository
from packmairie.engines.s3 import Store
from packmairie.engines.s3_buckets import BucketWish, bring_bucket
from packmairie.lab.own_store import own_store
from packmairie.operations.sauvegarde_proof import PARALLEL, drill_source
from packmairie.sauvegarde_hote.manifest import take, to_text

PASSWORD = "essai-exercice"
COMMUNES = 905
RETENTION_DAYS = 35


def make_bucket(store: Store, bucket: str) -> None:
    """Make a locked bucket."""
    wish = BucketWish(bucket, True, RETENTION_DAYS)
    bring_bucket(store, wish)


def copy(store: Store, model: str, bucket: str) -> None:
    """Make a bucket with the objects of another: deriving a key for each repository would double the time."""
    make_bucket(store, bucket)
    for key in list(store.keys(model, "")):
        body = store.client.get_object(Bucket=model, Key=key)["Body"].read()
        store.client.put_object(Bucket=bucket, Key=key, Body=body)


def fill(store: Store, bucket: str, source: Path, scratch: Path) -> None:
    """Make in a commune's bucket one repository with one backup and its manifest."""
    make_bucket(store, bucket)
    restic = Restic(Repository(store, bucket, "plateforme", writable=True), PASSWORD)
    restic.must(["init"])
    said = restic.must(["backup", "--json", "--tag", "donnees,source:f", str(source)]).decode().splitlines()
    identity = json.loads(said[-1])["snapshot_id"]
    identity = next(snapshot.id for snapshot in restic.snapshots() if snapshot.id.startswith(identity))
    manifest = take([str(source)], (), {}, time.time_ns())
    folder = scratch / bucket
    folder.mkdir()
    (folder / "manifeste.jsonl").write_text(to_text(manifest, {"instantane": identity}), encoding="utf-8")
    done = restic.run(["backup", "--tag", f"manifeste,source:f,de:{identity[:16]}", "manifeste.jsonl"], folder=folder)
    if done.code:
        raise SystemExit(done.err)


def main() -> None:
    """Run the measures and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 50, 100, COMMUNES])
    parser.add_argument("--files", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="packmairie-bench-", dir="/var/tmp") as place,
        own_store(place=Path(place)) as opened,
        ThreadPoolExecutor(PARALLEL) as pool,
    ):
        store, scratch = opened.store, Path(place) / "essais"
        source = Path(place) / "source"
        for folder in (scratch, source):
            folder.mkdir()
        for number in range(options.files):
            (source / f"{number}").write_bytes(os.urandom(5000))
        buckets = [f"exercice-{number:05}" for number in range(max(options.sizes))]
        started = time.monotonic()
        fill(store, buckets[0], source, scratch)
        list(pool.map(lambda bucket: copy(store, buckets[0], bucket), buckets[1:]))
        print(f"{len(buckets)} dépôts faits en {time.monotonic() - started:.0f} s", flush=True)

        def drill(bucket: str) -> bool:
            restic = Restic(Repository(store, bucket, "plateforme"), PASSWORD)
            facts = drill_source(restic, restic.snapshots(), "f", 0, everything=False, scratch=scratch)
            return bool(facts["prouve"])

        paces = {}
        for size in sorted(set(options.sizes)):
            seconds = []
            # One turn of the largest size tells as much as three: it is the longest by far.
            for _run in range(options.runs if size < max(options.sizes) or size <= 100 else 1):
                started = time.monotonic()
                proven = sum(pool.map(drill, buckets[:size]))
                seconds.append(time.monotonic() - started)
                if proven != size:
                    raise SystemExit(f"{size - proven} dépôts sur {size} n'ont pas été prouvés")
            middle = statistics.median(seconds)
            paces[size] = middle / size
            print(
                f"{size:5} dépôts : {min(seconds):.1f} - {middle:.1f} - {max(seconds):.1f} s ({len(seconds)} mesures),"
                f" {paces[size]:.2f} s par dépôt",
                flush=True,
            )
        first, last = min(paces), max(paces)
        print(f"de {first} à {last} dépôts, le temps d'un dépôt est multiplié par {paces[last] / paces[first]:.2f}")
        if last != COMMUNES:
            print(f"{COMMUNES} dépôts à ce rythme : {paces[last] * COMMUNES / 60:.0f} min (calcul)")


if __name__ == "__main__":
    main()
