# SPDX-License-Identifier: GPL-3.0-or-later
"""Time ``plan --offline`` and take its memory, for the eligible communes and for a synthetic territory.

    .venv/bin/python bench/offline_fleet.py [--communes 905 25000] [--runs 3]

Past 905 the communes are invented: real ones with other numbers and domains, admitted by waiver. Prints, by size,
minimum, median and maximum of the seconds (of wall clock and of processor) and the peak of memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packmairie.inventory.writer import commune_text
from packmairie.operations.inventory import Wish, add, init
from packmairie.registry.eligibility import Eligible
from packmairie.registry.table import Row, table

MEASURED = """
import json, resource, sys
from packmairie.cli.main import run
code = run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"code": code, "cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}), file=sys.stderr)
"""
DEPARTMENTS = [f"{number:02d}" for number in range(1, 96) if number not in (2, 20, 59, 60, 62, 80)]
"""All but those of the register: no invented commune has the code of a real one."""


def main() -> int:
    """Measure each size and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--communes", type=int, nargs="+", default=[905, 25_000])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-") as scratch:
        for communes in options.communes:
            folder = Path(scratch) / str(communes)
            init(folder, f"{communes} communes")
            add(folder, Wish(all_eligible=True))
            shape(folder, communes)
            found = [measure(folder) for _ in range(options.runs)]
            for name, form in (("seconds", ".1f"), ("cpu", ".1f"), ("mb", ".0f")):
                values = [one[name] for one in found]
                told = " – ".join(format(one, form) for one in (min(values), statistics.median(values), max(values)))
                print(f"{communes:>6} communes  {name:<8} {told}", flush=True)
    return 0


def shape(folder: Path, communes: int) -> None:
    """Bring the eligible communes of a pack to this number: the last are taken away, or invented ones added."""
    files = sorted((folder / "communes").glob("*.yml"))
    for extra in files[communes:]:
        extra.unlink()
    models = [row for row in table().values() if row.population < 1000]
    for number in range(communes - len(files)):
        row = invented(models[number % len(models)], number)
        text = commune_text(row, Eligible("banc"), domain=f"commune-{number}.fr")
        text += "derogation: commune inventée pour un banc\n"
        (folder / "communes" / f"{row.insee}-commune-{number}.yml").write_text(text, encoding="utf-8")


def invented(model: Row, number: int) -> Row:
    """Return a commune that does not exist, with numbers that pass their checksums and belong to no other."""
    department = DEPARTMENTS[number % len(DEPARTMENTS)]
    siren = with_key(f"99{number:06d}")
    return model._replace(
        insee=f"{department}{950 - number // len(DEPARTMENTS):03d}",
        nom=f"Commune {number}",
        departement=department,
        siren=siren,
        siret=with_key(f"{siren}0001"),
    )


def with_key(digits: str) -> str:
    """Return digits followed by the one that makes their Luhn sum a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return f"{digits}{-total % 10}"


def measure(folder: Path) -> dict[str, float]:
    """Run the plan in a process of its own; return its seconds, its processor time and its memory."""
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, "plan", "--offline", "--json", "--pack", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    if ran.returncode or json.loads(ran.stderr.splitlines()[-1])["code"]:
        sys.exit(ran.stderr[-2000:])
    return {"seconds": seconds, **json.loads(ran.stderr.splitlines()[-1])}


if __name__ == "__main__":
    sys.exit(main())
