# SPDX-License-Identifier: GPL-3.0-or-later
"""Time our backup and restore beside plain restic with the same options, and beside the local disk, in one run.

    PACKMAIRIE_PACK=… .venv/bin/python bench/sauvegarde_throughput.py [--megabytes 200] [--files 400]

On the deployed lab host ``plateforme``: the same random files go to the deployed store by our own code (manifest
included) and by restic alone, and to a repository on the local disk by restic alone. Then restores, here: by
``packmairie sauvegarde restore``'s bridge (comparison included) and, on the host, by restic alone. Prints MB/s and
ratios. Needs root and a deployed lab.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from packmairie.briques.sauvegarde_repositories import bucket_name, endpoint
from packmairie.engines.restic import Restic
from packmairie.engines.restic_bridge import Repository
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.operations.sauvegarde_proof import drill_source
from packmairie.operations.sauvegarde_store import maintenance_key, open_store

HOST = "plateforme"
WORK = "/var/tmp/packmairie-bench"
PASSWORD = "essai-de-debit"


def main() -> None:
    """Run the measures and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--insee", default="62708")
    options = parser.parse_args()
    folder = Path(os.environ["PACKMAIRIE_PACK"])
    pack, vault, lab = load_pack(folder), Vault(folder), Lab.open()
    key = maintenance_key(vault)
    bucket = bucket_name(options.insee, pack)
    prefix = f"essai-debit/{int(time.time())}"
    size = options.megabytes * 1_000_000 // options.files

    def on(script: str) -> str:
        done = lab.run(HOST, ["sh", "-ec", script], timeout=600)
        if done.returncode:
            raise SystemExit(f"{script}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def timed(action: Callable[[], object]) -> float:
        started = time.monotonic()
        action()
        return options.megabytes / (time.monotonic() - started)

    on(f"rm -rf {WORK}; mkdir -p {WORK}/source {WORK}/etat {WORK}/cache {WORK}/depots; cd {WORK}/source;"
       f" for i in $(seq 1 {options.files}); do head -c {size} /dev/urandom > f$i; done")  # fmt: skip
    depot = {
        "commune": options.insee, "depot": "essai", "endpoint": endpoint(pack), "region": pack.file.sauvegarde.region,
        "chemin": True, "seau": bucket, "prefixe": f"{prefix}/nous", "cle": {k: str(v) for k, v in key.items()},
        "mot_de_passe": PASSWORD,
        "sources": [{"nom": "f", "groupe": "g", "chemins": [f"{WORK}/source"], "exclus": [], "bases": []}],
    }  # fmt: skip
    host = {"machine": HOST, "groupes": ["g"], "debit_ko": 0, "simultane": 1}
    for name, content in (("depots/d.json", depot), ("hote.json", host)):
        lab.run(HOST, ["sh", "-c", f"cat > {WORK}/{name}"], text_input=json.dumps(content))
    ours = (
        f"cd /usr/local/lib/packmairie && PACKMAIRIE_SAUVEGARDE={WORK} STATE_DIRECTORY={WORK}/etat"
        f" CACHE_DIRECTORY={WORK}/cache python3 -B -m sauvegarde_hote"
    )
    environment = (
        f"export AWS_ACCESS_KEY_ID={key['identifiant']} AWS_SECRET_ACCESS_KEY={key['secret']}"
        f" RESTIC_PASSWORD={PASSWORD} RESTIC_CACHE_DIR={WORK}/cache2;"
    )
    plain = f"restic -q -o s3.bucket-lookup=path -r s3:{endpoint(pack)}/{bucket}/{prefix}/seul"
    local = f"restic -q -r {WORK}/local"
    results = {
        "restic seul, disque local": timed(lambda: on(f"{environment} {local} init && {local} backup {WORK}/source")),
        "restic seul, stockage": timed(lambda: on(f"{environment} {plain} init && {plain} backup {WORK}/source")),
        "packmairie, stockage": timed(lambda: on(ours)),
        "packmairie, stockage, rien de neuf": timed(lambda: on(ours)),
        "restauration : restic seul, disque local": timed(
            lambda: on(f"{environment} {local} restore latest --target {WORK}/r1")
        ),
        "restauration : restic seul, stockage": timed(
            lambda: on(f"{environment} {plain} restore latest --target {WORK}/r2 --no-cache")
        ),
    }
    with open_store(pack, key) as store, tempfile.TemporaryDirectory() as scratch:
        restic = Restic(Repository(store, bucket, f"{prefix}/nous"), PASSWORD)

        def drill() -> None:
            facts = drill_source(restic, restic.snapshots(), "f", 0, everything=True, scratch=Path(scratch))
            if not facts["prouve"]:
                raise SystemExit(str(facts))

        results["restauration : packmairie (pont, comparaison)"] = timed(drill)
    on(f"rm -rf {WORK}")
    print(f"{options.megabytes} Mo en {options.files} fichiers")
    for name, speed in results.items():
        print(f"{speed:8.1f} Mo/s  {name}")
    ratio = results["packmairie, stockage"] / results["restic seul, stockage"]
    print(f"sauvegarde, packmairie / restic seul : {ratio:.2f}")
    ratio = results["restauration : packmairie (pont, comparaison)"] / results["restauration : restic seul, stockage"]
    print(f"restauration, packmairie / restic seul : {ratio:.2f}")


if __name__ == "__main__":
    main()
