# SPDX-License-Identifier: GPL-3.0-or-later
"""What the web host's unit runs: follow the mail of the agents, then build the sites that changed."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from packmairie.site_mairie.files import write_whole
from packmairie.site_mairie.versions import SETTLED

from .builder import Report, build_changed
from .mailroom import follow_mail, send_locally
from .places import Places

PARIS = ZoneInfo("Europe/Paris")
LAST_RUN = "dernier"
TRIES = 5
"""Looks at a folder in which a file is being written; what is still moving then waits for the next run."""


def main(places: Places) -> int:
    """Follow the mail, build what changed, and say in one line what was done; 1 when a site could not be built.

    The line is kept in the state's folder too, empty when nothing had to be done: a deployment reads it there.
    """
    start = time.monotonic()
    followed, unsent = follow_mail(places, datetime.now(PARIS), send_locally)
    report = build_settled(places)
    for problem in report.problems:
        sys.stderr.write(f"{problem}\n")
    done = [f"construit : {', '.join(report.built)}"] if report.built else []
    done += [f"retiré : {', '.join(report.removed)}"] if report.removed else []
    done += [f"déposé : {', '.join(report.seeded)}"] if report.seeded else []
    done += [f"fichiers en cours d'écriture : {', '.join(report.waiting)}"] if report.waiting else []
    done += [f"messages suivis : {followed}"] if followed else []
    done += [f"réponses non envoyées : {unsent}"] if unsent else []
    if done:
        done.append(f"{time.monotonic() - start:.1f} s")
        sys.stdout.write(" ; ".join(done) + "\n")
    write_whole(places.state / LAST_RUN, "".join(f"{line}\n" for line in done).encode())
    return 1 if report.failed else 0


def build_settled(places: Places) -> Report:
    """Build what changed, and look again a little later at the folders in which a file was being written."""
    report = build_changed(places, datetime.now(PARIS))
    for _again in range(TRIES - 1):
        if not report.waiting:
            break
        time.sleep(SETTLED.total_seconds())
        report = report.then(build_changed(places, datetime.now(PARIS)))
    return report


if __name__ == "__main__":
    sys.exit(main(Places()))
