# SPDX-License-Identifier: GPL-3.0-or-later
"""What a first deployment of the lab goes through, as the technician saw it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Told:
    """What a command said, its exit code, and how long it took in seconds."""

    code: int
    out: str
    err: str
    seconds: float


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
