# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that these tests share: booted once, deployed once, each stage kept so that tests can look at it.

The usual lab of the machine is used (PACKMAIRIE_LAB and PACKMAIRIE_LAB_NETWORK name another one):
its platform is made anew. PACKMAIRIE_KEEP_LAB=1 leaves it running at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.lab.rehearsal import play_registrar
from packmairie.model.pack import Pack

ROOT = Path(__file__).resolve().parents[2]
COMMAND_SECONDS = 600
DEMO_HOSTS = {"plateforme": 10, "monde": 20}
"""Where the demonstration pack expects the hosts of the usual lab, in 10.59.62.0/24."""

# What lives on a host by itself: logs, caches that apt and services rebuild, queues, mail, counters.
LIVING = (
    "/proc /sys /dev /run /tmp /var/tmp /var/log /var/cache /var/lib/redis /var/lib/rspamd/[!d]* /var/spool "
    "/var/vmail /var/lib/dovecot /var/lib/postfix /var/lib/knot/journal /var/lib/knot/timers /var/lib/systemd "
    "/var/lib/caddy /var/lib/packmairie/lego /var/lib/packmairie/sites-etat /var/lib/packmairie/courrier-sites "
    "/var/lib/packmairie/webmail /root"
)
FINGERPRINT = (
    'set -f; skip=; for path in {living}; do skip="$skip -path $path -prune -o"; done; '
    "find / -xdev $skip \\( -type f -o -type l \\) -printf '%p %m %u %g %l\\n' -exec sha256sum {{}} + 2>/dev/null"
    " | sort | sha256sum"
)


@dataclass(frozen=True)
class Told:
    """What a command said, its exit code, and how long it took in seconds."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class Rehearsal:
    """Every stage of a first deployment, as the technician saw it."""

    hash_fresh: str
    fresh_plan: Told
    fresh_plan_json: Told
    hash_after_fresh_plan: str
    first: Told
    second: Told
    hash_converged: str
    converged_plan: Told
    hash_after_converged_plan: str


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab with ``monde`` up and a platform on a fresh disk."""
    opened = Lab.open()
    if os.geteuid() == 0:
        opened.install_needs()
    missing = opened.missing_needs()
    if missing:
        pytest.skip("tests du labo non exécutés : " + " ; ".join(str(problem) for problem in missing))
    opened.up(["monde"], progress=print)
    opened.reset("plateforme", progress=print)
    try:
        yield opened
    finally:
        if os.environ.get("PACKMAIRIE_KEEP_LAB"):
            print("PACKMAIRIE_KEEP_LAB : le labo reste allumé")
        else:
            opened.down()


@pytest.fixture(scope="session")
def pack_folder(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demonstration pack, with secrets of its own, at the addresses of the lab in use."""
    folder = tmp_path_factory.mktemp("pack") / "demo"
    shutil.copytree(ROOT / "inventories" / "demo", folder, ignore=shutil.ignore_patterns("secrets", ".vault-password"))
    settings = folder / "pack.yml"
    text = settings.read_text(encoding="utf-8").replace("/var/lib/packmairie-lab/", f"{lab.paths.state}/")
    for name in ("plateforme", "monde"):
        text = re.sub(rf"10\.59\.62\.{DEMO_HOSTS[name]}\b", str(lab.host(name).address), text)
    settings.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of these tests leave their traces."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def packmairie(pack_folder: Path) -> Callable[..., Told]:
    """Run the command line as a technician does, on the tests' own pack."""

    def run(*arguments: str) -> Told:
        started = time.monotonic()
        result = subprocess.run(
            [Path(sys.executable).parent / "packmairie", *arguments],
            cwd=ROOT,
            env=os.environ | {"PACKMAIRIE_PACK": str(pack_folder), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Told(result.returncode, result.stdout, result.stderr, time.monotonic() - started)

    return run


@pytest.fixture(scope="session")
def fingerprint(lab: Lab) -> Callable[[str], str]:
    """Return the hash of everything on a host that only a deployment may change."""

    def of(host: str) -> str:
        result = lab.run(host, ["sh", "-c", FINGERPRINT.format(living=LIVING)], timeout=300)
        assert result.returncode == 0, result.stderr
        return result.stdout.split()[0]

    return of


@pytest.fixture(scope="session")
def deployed(
    lab: Lab,
    pack_folder: Path,
    runs_folder: Path,
    packmairie: Callable[..., Told],
    fingerprint: Callable[[str], str],
) -> Rehearsal:
    """Plan on the fresh platform, deploy it, deploy it again, plan once more; with the registrar's acts between."""
    host = "plateforme"
    secrets = packmairie("inventory", "secrets")
    assert secrets.code == 0, secrets.err
    play_registrar(lab, pack_folder)
    hash_fresh = fingerprint(host)
    fresh_plan, fresh_plan_json = packmairie("plan", "--markdown"), packmairie("plan", "--json")
    hash_after_fresh_plan = fingerprint(host)
    first = packmairie("deploy", "--runs", str(runs_folder))
    assert first.code == 0, f"{first.out}\n{first.err}"
    acts = play_registrar(lab, pack_folder)
    assert acts.unsigned == ()
    second = packmairie("deploy", "--runs", str(runs_folder), "--json")
    hash_converged = fingerprint(host)
    converged_plan = packmairie("plan")
    lab.harvest()
    return Rehearsal(
        hash_fresh,
        fresh_plan,
        fresh_plan_json,
        hash_after_fresh_plan,
        first,
        second,
        hash_converged,
        converged_plan,
        fingerprint(host),
    )


@pytest.fixture(scope="session")
def pack(deployed: Rehearsal, pack_folder: Path) -> Pack:
    """The pack, once its platform is deployed."""
    return load_pack(pack_folder)


@pytest.fixture(scope="session")
def secrets(deployed: Rehearsal, pack_folder: Path) -> Callable[[str], Mapping[str, Any]]:
    """Return the vault of a commune by INSEE code."""
    return Vault(pack_folder).read
