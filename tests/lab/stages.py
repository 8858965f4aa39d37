# SPDX-License-Identifier: GPL-3.0-or-later
"""What a first deployment of the lab goes through, as the technician saw it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from packmairie.lab import Lab

ROOT = Path(__file__).resolve().parents[2]

# What lives on a host by itself: logs, caches that apt and services rebuild, queues, mail, counters. Of what Rspamd
# keeps, only dkim/ is ours; its compiled expressions have a hash for a name.
LIVING = (
    "/proc /sys /dev /run /tmp /var/tmp /var/log /var/cache /var/lib/redis /var/spool "
    "/var/lib/rspamd/[!d]* /var/lib/rspamd/d[!k]* "
    "/var/vmail /var/lib/dovecot /var/lib/postfix /var/lib/knot/journal /var/lib/knot/timers /var/lib/systemd "
    "/var/lib/caddy /var/lib/packmairie/lego /var/lib/packmairie/sites-etat /var/lib/packmairie/courrier-sites "
    "/var/lib/packmairie/webmail /var/lib/packmairie/sauvegarde /var/lib/packmairie/partage /srv/partage "
    "/var/lib/packmairie/marches /var/lib/packmairie/envois /var/lib/packmairie/remise /var/lib/clamav /var/lib/wtmpdb "
    "/var/lib/postgresql /var/lib/packmairie/portail /root"
)
FINGERPRINT = (
    'set -f; skip=; for path in {living}; do skip="$skip -path $path -prune -o"; done; '
    "find / -xdev $skip \\( -type f -o -type l \\) -printf '%p %m %u %g %l\\n' -exec sha256sum {{}} + 2>/dev/null"
    " | sort | sha256sum"
)
COMMAND_SECONDS = 1500
DEMO_HOSTS = {"plateforme": 10, "stockage": 11, "monde": 20}
"""Where the demonstration pack expects the hosts of the usual lab, in 10.59.62.0/24."""


@dataclass(frozen=True)
class Told:
    """What a command said, its exit code, and how long it took in seconds."""

    code: int
    out: str
    err: str
    seconds: float


def told_by(folder: Path, *arguments: str) -> Told:
    """Run the command line on a pack, as a technician does."""
    started = time.monotonic()
    result = subprocess.run(
        [Path(sys.executable).parent / "packmairie", *arguments],
        cwd=ROOT,
        env=os.environ | {"PACKMAIRIE_PACK": str(folder), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return Told(result.returncode, result.stdout, result.stderr, time.monotonic() - started)


def move_to(lab: Lab, folder: Path) -> None:
    """Give a copy of the demonstration pack the addresses and files of a lab."""
    settings = folder / "pack.yml"
    text = settings.read_text(encoding="utf-8").replace("/var/lib/packmairie-lab/", f"{lab.paths.state}/")
    for name, offset in DEMO_HOSTS.items():
        text = re.sub(rf"10\.59\.62\.{offset}\b", str(lab.host(name).address), text)
    settings.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Deployment:
    """A first deployment, as the technician saw it."""

    first: Told
    cell: str
    """What was said of the accounts of the example cell."""


@dataclass(frozen=True)
class Rehearsal(Deployment):
    """Every stage around a first deployment."""

    hash_fresh: str
    fresh_plan: Told
    fresh_plan_json: Told
    hash_after_fresh_plan: str
    second: Told
    hash_converged: str
    converged_plan: Told
    hash_after_converged_plan: str
