# SPDX-License-Identifier: GPL-3.0-or-later
"""Ceph's object gateway on the loopback: a store that is not ours, whose days may last a second."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.engines.s3 import Store, StoreAddress

PROGRAMS = ("ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "ceph")
KEY = {"identifiant": "CLEDESSAI00000000000", "secret": "secret-d-essai-sur-la-boucle-locale"}
READY_SECONDS = 90
CONFIGURATION = """\
[global]
fsid = {cluster}
mon host = v1:127.0.0.1:{monitor}
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 536870912
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
# A day of a lifecycle lasts a second; locks keep their own, real, days. It is applied when a test says so, by
# radosgw-admin, which reads this section: the gateway's own thread and it would take the turn from each other.
rgw lc debug interval = 1
rgw lifecycle work time = 00:00-23:59
rgw enable lc threads = false
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw data = {folder}/rgw
"""


def started(folder: Path) -> CephGateway:
    """Start a gateway under a folder, a second time when its disk does not answer, which it says nothing of."""
    for name in ("1", "2"):
        (folder / name).mkdir()
        try:
            return CephGateway(folder / name)
        except RuntimeError as error:
            if name == "2":
                raise
            print(f"Ceph ne répond pas, second essai : {error}")
    raise AssertionError


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class CephGateway:
    """One monitor, one disk in memory, one gateway; ended by their process ids."""

    def __init__(self, folder: Path) -> None:
        """Start them in an empty folder whose path is short; raise RuntimeError when the gateway does not answer."""
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        cluster, disk = str(uuid.uuid4()), str(uuid.uuid4())
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            monitor, gateway = one.getsockname()[1], two.getsockname()[1]
        for name in ("mon", "osd", "rgw"):
            (folder / name).mkdir()
        self.settings = folder / "ceph.conf"
        self.settings.write_text(
            CONFIGURATION.format(cluster=cluster, monitor=monitor, gateway=gateway, folder=folder), encoding="utf-8"
        )
        known = folder / "monmap"
        try:
            self.run(
                "monmaptool", "--create", "--fsid", cluster, "--addv", "a", f"[v1:127.0.0.1:{monitor}]", str(known)
            )
            self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(known))
            self.start("ceph-mon", "-i", "a")
            self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
            self.run("ceph", "osd", "new", disk, "0")
            self.start("ceph-osd", "-i", "0")
            names = ("--uid=essai", "--display-name=essai")
            keys = (f"--access-key={KEY['identifiant']}", f"--secret={KEY['secret']}")
            self.run("radosgw-admin", "user", "create", *names, *keys)
            self.start("radosgw", "-n", "client.rgw")
            self.store = Store(StoreAddress(f"http://127.0.0.1:{gateway}", "default", path_style=True), KEY)
            self.wait_until_it_writes()
        except BaseException:
            self.stop()
            raise

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs to its end. Raise RuntimeError with what it said when it fails."""
        command = [program, "-c", str(self.settings), *arguments]
        if program == "monmaptool":
            command = [program, *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=READY_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            told = [path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("*.log"))]
            raise RuntimeError(
                f"{program} {arguments[0]} : sans réponse en {READY_SECONDS} s\n" + "\n".join(told)
            ) from None
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout[-500:]}{done.stderr[-500:]}")

    def start(self, program: str, *arguments: str) -> None:
        """Start one of its daemons in the foreground."""
        with (self.folder / f"{program}.out").open("wb") as out:
            command = [program, "-c", str(self.settings), "-f", *arguments]
            self.processes.append(subprocess.Popen(command, stdout=out, stderr=out, cwd=self.folder))

    def wait_until_it_writes(self) -> None:
        """Return once a bucket could be made. Raise RuntimeError when it takes too long."""
        limit = time.monotonic() + READY_SECONDS
        while time.monotonic() < limit and all(process.poll() is None for process in self.processes):
            with suppress(ClientError, BotoCoreError):
                self.store.client.create_bucket(Bucket="pret")
                return
            time.sleep(0.5)
        raise RuntimeError((self.folder / "client.rgw.log").read_text(errors="replace")[-1000:])

    def expire(self, bucket: str) -> None:
        """Apply the lifecycle of one bucket now, as the gateway does once a day; the other buckets lose theirs.

        Buckets are spread over 32 lists, and this version starts each list again at its head (Ceph's issue 49446):
        where days last a second, the second bucket of a list would never have its turn.
        """
        for other in self.store.client.list_buckets()["Buckets"]:
            if other["Name"] != bucket:
                self.store.client.delete_bucket_lifecycle(Bucket=other["Name"])
        self.run("radosgw-admin", "lc", "process")

    def stop(self) -> None:
        """End every daemon, the gateway first."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
