# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast files go in and out of copyparty behind Caddy, beside Caddy's own file server and rclone's WebDAV.

    bench/partage_throughput.py COPYPARTY-PYTHON CADDY [MEGABYTES]

COPYPARTY-PYTHON is the Python of an environment made from roles/partage/files/requirements.txt, CADDY the program.
All of them serve one folder of this machine's disk over plain HTTP on the loopback, in one run: the ratios are what
counts. Needs curl and rclone.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
PORTS = {"caddy": 18480, "copyparty": 18481, "rclone": 18482}


def main(python: str, caddy: str, megabytes: int) -> None:
    """Serve, measure, print a line for each and the ratios as JSON."""
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-", dir="/var/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        source = folder / "source.bin"
        with source.open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(1_000_000))
        shutil.copy(source, data / "lu.bin")
        start(stack, folder, python, caddy, data)
        found: dict[str, float] = {}
        for label, port in (("caddy", PORTS["caddy"]), ("copyparty", PORTS["copyparty"])):
            found[f"lecture {label}"] = median(lambda port=port: download(port), megabytes)
        for label in ("rclone", "copyparty"):
            port = PORTS[label]
            found[f"écriture {label}"] = median(lambda port=port: upload(port, source), megabytes)
        for label, speed in found.items():
            print(f"{label:22} {speed:7.0f} Mo/s")
        ratios = {
            "lecture / Caddy": found["lecture copyparty"] / found["lecture caddy"],
            "écriture / rclone WebDAV": found["écriture copyparty"] / found["écriture rclone"],
        }
        print(json.dumps({name: round(value, 2) for name, value in ratios.items()}, ensure_ascii=False))


def start(stack: ExitStack, folder: Path, python: str, caddy: str, data: Path) -> None:
    """Start the three servers; they end with the run."""
    sock = folder / "copyparty.sock"
    (folder / "Caddyfile").write_text(
        "{\n\tadmin off\n\tauto_https off\n}\n"
        f"http://127.0.0.1:{PORTS['caddy']} {{\n\troot * {data}\n\tfile_server\n}}\n"
        f"http://127.0.0.1:{PORTS['copyparty']} {{\n\treverse_proxy unix/{sock} {{\n\t\tflush_interval -1\n\t}}\n}}\n"
    )
    environment = os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    commands = (
        [
            python,
            "-m",
            "copyparty",
            "-q",
            "-i",
            f"unix:777:{sock}",
            "-v",
            f"{data}::A",
            "--http-only",
            "--no-crt",
            "--daw",
            "--put-ck",
            "no",
            "--rproxy",
            "-1",
            "--hist",
            str(folder / "hist"),
            "--wram",
        ],
        [caddy, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")],
        ["rclone", "serve", "webdav", str(data), "--addr", f"127.0.0.1:{PORTS['rclone']}", "--config", "/dev/null"],
    )
    for command in commands:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
        )
        stack.callback(end, process)
    for port in PORTS.values():
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0 and sock.exists():
                    break
            time.sleep(0.1)
        else:
            raise SystemExit(f"port {port}: nobody listens")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server that this run started."""
    process.terminate()
    process.wait(10)


def median(act: Callable[[], float], megabytes: int) -> float:
    """Return the median speed of some rounds, in MB/s."""
    return megabytes / statistics.median(act() for _ in range(ROUNDS))


def download(port: int) -> float:
    """Return the seconds that a download takes."""
    return curl("-o", "/dev/null", f"http://127.0.0.1:{port}/lu.bin")


def upload(port: int, source: Path) -> float:
    """Return the seconds that an upload takes."""
    return curl("-T", str(source), f"http://127.0.0.1:{port}/ecrit-{port}.bin")


def curl(*words: str) -> float:
    """Run curl and return its own measure of the time."""
    command = ["curl", "-sS", "--fail", "--noproxy", "*", "-w", "%{stderr}%{time_total}", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stderr.strip().split()[-1])


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 1000)
