# SPDX-License-Identifier: GPL-3.0-or-later
"""How many communes one copyparty process holds: time to be ready, processor and memory, by number of communes.

    bench/partage_lots.py COPYPARTY-PYTHON [COMMUNES…]

Each commune has four accounts and ten volumes, as the brique makes them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPACES = ("commun", "elus", "a-archiver", "depot", "boite", "site", "sonde")
PEOPLE = ("secretariat", "agent.exemple", "elu.exemple")
PATIENCE_SECONDS = 120.0


def settings(folder: Path, number: int) -> str:
    """Return the volumes and accounts of a commune, and make its folders."""
    logins = [f"{name}@commune{number}.fr" for name in (*PEOPLE, "sonde")]
    lines = ["[accounts]", *(f"  {login}: +{number:028d}{index:04d}" for index, login in enumerate(logins))]
    for space in (*SPACES, *(f"personnel-{name}" for name in PEOPLE)):
        path = folder / "data" / str(number) / space
        path.mkdir(parents=True)
        lines += [f"[/{number}/{space}]", f"  {path}", "  accs:", f"    rwmd: {', '.join(logins)}"]
    return "\n".join(lines) + "\n"


def measure(python: str, communes: int) -> None:
    """Start a process with so many communes, print what it took, end it."""
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-") as name:
        folder = Path(name)
        (folder / "lot").mkdir()
        for number in range(communes):
            (folder / "lot" / f"{number}.conf").write_text(settings(folder, number))
        sock = folder / "s.sock"
        common = "[global]\n  usernames\n  ah-alg: argon2,1,4,1\n  http-only, no-crt, no-thumb\n  shr: /p\n  q\n"
        (folder / "commun.conf").write_text(common)
        command = [python, "-m", "copyparty", "-c", str(folder / "commun.conf"), "-c", str(folder / "lot")]
        command += ["-i", f"unix:777:{sock}", "--hist", str(folder / "hist")]
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            env=os.environ | {"HOME": name, "XDG_CONFIG_HOME": name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=name,
        )
        try:
            while not sock.exists() and time.monotonic() < begun + PATIENCE_SECONDS:
                time.sleep(0.1)
            waited = time.monotonic() - begun
            ready = sock.exists()
            status = dict(
                line.split(":", 1)
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                if ":" in line
            )
            ticks = sum(int(field) for field in Path(f"/proc/{process.pid}/stat").read_text().split()[13:15])
            memory = int(status["VmHWM"].split()[0]) // 1024
            seconds = ticks / os.sysconf("SC_CLK_TCK")
            said = "prêt en" if ready else "PAS PRÊT après"
            print(f"{communes:4} communes : {said} {waited:5.1f} s, {seconds:5.1f} s de processeur, {memory:4} Mo")
        finally:
            process.kill()
            process.wait(10)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for wanted in map(int, sys.argv[2:] or ("10", "25", "40", "80", "160")):
        measure(sys.argv[1], wanted)
