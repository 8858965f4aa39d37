# SPDX-License-Identifier: GPL-3.0-or-later
"""``plan --offline`` for every eligible commune, as a technician runs it: its time and memory, and what it renders."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import dns.zone
import pytest
from core_samples import make_pack

from packmairie.operations.inventory import Wish, add

COMMUNES = 905
CPU_SECONDS = 10.0
"""The budget is of time on a machine of one's own; what a busy neighbour takes is not counted."""
MEGABYTES = 400

MEASURED = """
import json, resource, sys
from packmairie.cli.main import run
code = run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"code": code, "cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_pack(tmp_path_factory.mktemp("fleet") / "pack", "62708")
    assert len(add(folder, Wish(all_eligible=True)).files) == COMMUNES - 1
    return folder


def test_all_eligible_communes(fleet: Path) -> None:
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, "plan", "--offline", "--json", "--pack", str(fleet)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    wall = time.monotonic() - started
    measured = json.loads(ran.stderr.splitlines()[-1])
    counts = json.loads(ran.stdout)
    print(
        f"\nplan --offline, {counts['communes']} communes, {counts['records']} enregistrements :"
        f" {wall:.1f} s ({measured['cpu']:.1f} s de calcul), {measured['mb']:.0f} Mo"
    )
    assert measured["code"] == 0, ran.stderr
    assert counts["communes"] == COMMUNES
    assert counts["zones"] == COMMUNES + 1
    assert measured["cpu"] < CPU_SECONDS
    assert measured["mb"] < MEGABYTES


def test_every_zone_is_one_that_a_name_server_loads(fleet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run(
        [sys.executable, "-m", "packmairie.cli.main", "plan", "--offline", "--write", str(out), "--pack", str(fleet)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    files = sorted((out / "zones").iterdir())
    assert len(files) == COMMUNES + 1
    targets: dict[str, str] = {}
    for path in files:
        zone = dns.zone.from_text(path.read_text(encoding="utf-8"), path.name.removesuffix("zone"), check_origin=False)
        for name, _ttl, rdata in zone.iterate_rdatas("CNAME"):
            if "_domainkey" in str(name):
                assert targets.setdefault(str(rdata.target), path.name) == path.name
    assert len(targets) == 2 * COMMUNES
