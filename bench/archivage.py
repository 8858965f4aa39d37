# SPDX-License-Identifier: GPL-3.0-or-later
"""A transfer of a thousand files and five gigabytes: time, and memory at its highest, against one of ten files.

    .venv/bin/python bench/archivage.py [FILES] [MEGABYTES_A_FILE]

Files are sparse, each with a beginning of its own; the package is written for real, beside them.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))


def measure(count: int, megabytes: int) -> None:
    """Prepare one transfer in this process, and print its time and its highest resident memory."""
    from envois_samples import envois_pack  # noqa: PLC0415 — the parent process must stay small

    from packmairie.operations import archivage  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack = envois_pack(folder / "pack")
        place = folder / "a-archiver" / "deliberations"
        place.mkdir(parents=True)
        for number in range(count):
            with (place / f"2026-10-15 fichier {number:04d}.pdf").open("wb") as stream:
                stream.write(f"%PDF-1.4\n{number}\n".encode())
                stream.truncate(megabytes * 1024 * 1024)
        started = time.monotonic()
        done = archivage.prepare(pack, "62708", folder / "a-archiver", datetime.now(UTC))
        spent = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = done.package.stat().st_size / 1e9
        print(
            f"{done.files} fichiers, {size:.2f} Go : préparé et vérifié ({done.report.state.label}) en {spent:.0f} s,"
            f" {peak:.0f} Mio au plus"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]), int(sys.argv[3]))
    else:
        files, megabytes = (int(text) for text in (sys.argv[1:] + ["1000", "5"][len(sys.argv) - 1 :]))
        for count, size in ((10, 1), (files, megabytes)):
            subprocess.run([sys.executable, __file__, "--one", str(count), str(size)], check=True)
