# SPDX-License-Identifier: GPL-3.0-or-later
"""Each day: empty what the bins have kept long enough, end the links that would last too long."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

from packmairie.partage_hote.keeping import purge
from packmairie.partage_hote.links import shorten, witness
from packmairie.partage_hote.places import Places


def main(days: int, link_days: int) -> None:
    """Given how long bins keep and links last, do the day's work."""
    places = Places()
    today = datetime.now().astimezone().date()
    lots, fresh = set(), set()
    for insee in places.communes():
        removed = purge(places, insee, days, today)
        if removed:
            sys.stdout.write(f"{insee} : {removed} jours de corbeille vidés\n")
        limits = places.limits(insee)
        lots.add(limits.lot)
        if witness(places, limits):
            fresh.add(limits.lot)
    for lot in sorted(lots):
        if shorten(places, lot, link_days):
            fresh.add(lot)
            sys.stdout.write(f"lot {lot} : liens raccourcis\n")
    for lot in sorted(fresh):
        subprocess.run(["systemctl", "reload", f"packmairie-partage@{lot}.service"], check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
