# SPDX-License-Identifier: GPL-3.0-or-later
"""Time how a zone that has not changed is found so: at a glance, beside octoDNS' own plan of the same zone.

    .venv/bin/python bench/zones_at_a_glance.py [--runs 20]

Starts the Knot of the tests on the loopback, with the role's own configuration, publishes the zone of a commune, which
it signs, then reads it both ways in turn. Prints milliseconds of this process's processor (least, median, most) and
the ratio of medians. Needs knotd; neither root nor a lab.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dns.tsig

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "unit")]
from knot_server import KnotServer  # noqa: E402 - the tests' own server
from test_dns_knot import DOMAINS, RIENCOURT, settings, source_of, wished  # noqa: E402 - their pack

from packmairie.engines import dns as engine  # noqa: E402
from packmairie.engines.dns_glance import served_as_wished  # noqa: E402
from packmairie.operations import desired  # noqa: E402


def spread(label: str, work: Callable[[], bool], runs: int) -> float:
    """Time some work that must say that nothing changed; print, and return the median in milliseconds."""
    found = []
    for _run in range(runs):
        started = time.process_time()
        if not work():
            sys.exit(f"{label}: the zone is said to have changed")
        found.append((time.process_time() - started) * 1000)
    median = statistics.median(found)
    print(f"{label:<12} {min(found):6.1f} - {median:6.1f} - {max(found):6.1f} ms ({runs} readings)", flush=True)
    return median


def main() -> None:
    """Publish a zone and read it both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    of = settings()
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-") as folder:
        knot = KnotServer(Path(folder) / "knot")
        try:
            knot.configure(desired.trees(of, source_of(of))["dns"])
            knot.start(*DOMAINS)
            primary = knot.primary
            engine.apply_zones(engine.plan_zones(wished(of), primary, desired.owner_of), primary, force=True)
            (zone,) = (one for one in wished(of) if one.name == RIENCOURT)
            key = dns.tsig.Key(primary.key_name, primary.key_secret, "hmac-sha256")
            glance = spread(
                "at a glance",
                lambda: served_as_wished(zone, primary.address, primary.port, key, engine.ANSWER_SECONDS),
                options.runs,
            )
            planned = spread(
                "octoDNS", lambda: engine._plan(engine._provider(primary), primary, zone) is None, options.runs
            )
        finally:
            knot.stop()
    print(f"ratio of medians: {planned / glance:.1f}")


if __name__ == "__main__":
    main()
