# SPDX-License-Identifier: GPL-3.0-or-later
"""What the web host's unit runs: follow the mail of the agents, then build the sites that changed."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from packmairie.site_mairie.files import write_whole

from .builder import build_changed
from .mailroom import follow_mail, send_locally
from .places import Places

PARIS = ZoneInfo("Europe/Paris")
LAST_RUN = "dernier"


def main(places: Places) -> int:
    """Follow the mail, build what changed, and say in one line what was done; 1 when a site could not be built.

    The line is kept in the state's folder too, empty when nothing had to be done: a deployment reads it there.
    """
    start = time.monotonic()
    now = datetime.now(PARIS)
    followed, unsent = follow_mail(places, now, send_locally)
    report = build_changed(places, now.date())
    for problem in report.problems:
        sys.stderr.write(f"{problem}\n")
    done = [f"construit : {', '.join(report.built)}"] if report.built else []
    done += [f"retiré : {', '.join(report.removed)}"] if report.removed else []
    done += [f"messages suivis : {followed}"] if followed else []
    done += [f"réponses non envoyées : {unsent}"] if unsent else []
    if done:
        done.append(f"{time.monotonic() - start:.1f} s")
        sys.stdout.write(" ; ".join(done) + "\n")
    write_whole(places.state / LAST_RUN, "".join(f"{line}\n" for line in done).encode())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(Places()))
