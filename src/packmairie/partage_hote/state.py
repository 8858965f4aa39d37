# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host of the file spaces says of itself, as JSON, for packmairie's checks."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from packmairie.partage_hote.antivirus import waiting
from packmairie.partage_hote.places import Places
from packmairie.partage_hote.quota import measure

SIGNATURES = Path("/var/lib/clamav")
STAND_IN = "packmairie-laboratoire.hdb"
OFFICIAL = ("daily.cvd", "daily.cld")


def read_state(places: Places, signatures: Path, now: float) -> dict[str, Any]:
    """Return the figures: place by commune (bytes), free place, deposits that wait or were refused, signatures."""
    spaces = {}
    for insee in places.communes():
        used, kept = measure(places, insee)
        spaces[insee] = {"octets": used, "corbeille": kept, "quota": places.limits(insee).quota}
    figures = os.statvfs(places.root)
    held = waiting(places)
    oldest = min((deposit.announce.stat().st_mtime for deposit in held), default=now)
    dates = [path.stat().st_mtime for name in OFFICIAL if (path := signatures / name).exists()]
    return {
        "communes": spaces,
        "libre": figures.f_bavail * figures.f_frsize,
        "total": figures.f_blocks * figures.f_frsize,
        "attente": len(held),
        "attente_secondes": max(0.0, now - oldest),
        "quarantaine": sum(1 for _ in places.quarantine.glob("*.json")) if places.quarantine.is_dir() else 0,
        "signatures_jours": (now - max(dates)) / 86400 if dates else None,
        "laboratoire": not dates and (signatures / STAND_IN).exists(),
    }


if __name__ == "__main__":
    json.dump(read_state(Places(), SIGNATURES, time.time()), sys.stdout)
