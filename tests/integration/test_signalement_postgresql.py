# SPDX-License-Identifier: GPL-3.0-or-later
"""On PostgreSQL: whole journeys while the database is killed and started again. What was acknowledged is there."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
PACKMAIRIE = [str(Path(sys.executable).with_name("packmairie")), "portail"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A PostgreSQL of its own, run by the account ``postgres``, reached by a socket."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, SERVERS[-1].parent
        shutil.chown(folder, "postgres")
        folder.chmod(0o755)
        self.data, self.log = folder / "donnees", folder / "journal"
        self._as([self.bin / "initdb", "-D", self.data, "-A", "trust", "-U", "portail", "-E", "UTF8"])
        self.start()
        self._as([self.bin / "createdb", "-h", folder, "-U", "portail", "portail"])

    def _as(self, command: list[object]) -> None:
        words = ["runuser", "-u", "postgres", "--", *map(str, command)]
        subprocess.run(words, check=True, capture_output=True, timeout=60, cwd="/")

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=on -c log_statement=none"
        for attempt in range(30):
            try:
                self._as([self.bin / "pg_ctl", "-D", self.data, "-l", self.log, "-w", "-o", options, "start"])
            except subprocess.CalledProcessError:
                # The children of a killed server hold its shared memory until they notice, later on a busy machine.
                if attempt == 29:
                    raise
                time.sleep(1)
            else:
                return

    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """Kill the postmaster without notice; its children go by themselves."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
                break
            time.sleep(0.05)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        self._as([self.bin / "pg_ctl", "-D", self.data, "-m", "immediate", "stop"])


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[tuple[str, Cluster]]:
    if not SERVERS:
        pytest.skip("PostgreSQL n'est pas installé (apt-get install postgresql)")
    if os.geteuid() != 0:
        pytest.skip("il faut root pour lancer PostgreSQL sous son propre compte")
    pwd.getpwnam("postgres")
    # Outside pytest's folder, which other accounts cannot enter.
    folder = Path("/tmp") / f"packmairie-pg-{os.getpid()}"
    folder.mkdir()
    cluster = Cluster(folder)
    server = None
    try:
        settings = tmp_path_factory.mktemp("reglages") / "portail.toml"
        settings.write_text(
            f'donnees = "{settings.parent}"\n[base]\nmoteur = "postgresql"\n'
            f'utilisateur = "portail"\nhote = "{folder}"\n',
            encoding="utf-8",
        )
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PACKMAIRIE_PORTAIL", "DJANGO"))}
        env["PACKMAIRIE_PORTAIL"] = str(settings)
        for command in ("migrate", "signalement_demo"):
            subprocess.run([*PACKMAIRIE, "manage", command], env=env, check=True, capture_output=True, timeout=90)
        port = free_port()
        server = subprocess.Popen([*PACKMAIRIE, "serve", "--port", str(port)], env=env, stderr=subprocess.DEVNULL)
        origin = f"http://127.0.0.1:{port}"
        for _ in range(150):
            try:
                if httpx.get(origin, timeout=2).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield origin, cluster
    finally:
        if server is not None:
            server.terminate()
            server.wait(timeout=30)
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found
    return found.group(1)


def deposit(origin: str, number: int) -> tuple[str, str] | None:
    """Send a report with a file; return the number and the code, or None when it was not acknowledged."""
    with httpx.Client(base_url=origin, timeout=30) as client:
        try:
            page = client.get("/signaler/").text
            asked = {
                "csrfmiddlewaretoken": token(page), "insee": "62708", "dispositif": "avdhas",
                "mis_en_cause": "collegue", "qualite": "temoin", "lien": "agent", "categories": "menace",
                "recit": f"fait numéro {number}", "anonyme": "oui",
            }  # fmt: skip
            files = {"pieces": ("piece.txt", f"pièce {number} ".encode() * 20_000)}
            answer = client.post("/signaler/faits/", data=asked, files=files)
        except httpx.TransportError:
            return None
        if answer.status_code != 200:
            return None
        shown = re.findall(r'id="(?:numero|code-affiche)">([^<]+)<', answer.text)
        return (shown[0], shown[1]) if len(shown) == 2 else None


def opens(origin: str, receipt: tuple[str, str], number: int) -> bool:
    with httpx.Client(base_url=origin, timeout=30, follow_redirects=True) as client:
        asked = {"csrfmiddlewaretoken": token(client.get("/retour/").text), "numero": receipt[0], "code": receipt[1]}
        page = client.post("/retour/", data=asked).text
        rank = re.search(r'href="/suivi/document/(\d+)/"', page)
        if f"fait numéro {number}" not in page or rank is None:
            return False
        return client.get(f"/suivi/document/{rank.group(1)}/").content == f"pièce {number} ".encode() * 20_000


def test_nothing_acknowledged_is_lost_when_postgresql_is_killed(service):
    """Six authors deposit while the database is killed; each receipt that was shown opens, with its file."""
    origin, cluster = service
    receipts: dict[int, tuple[str, str]] = {}
    first = deposit(origin, 0)
    assert first, "the service takes reports before"
    receipts[0] = first

    def send(number: int) -> None:
        made = deposit(origin, number)
        if made:
            receipts[number] = made

    threads = [threading.Thread(target=send, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        if len(receipts) >= 3:
            break
        time.sleep(0.05)
    cluster.kill()
    refused = deposit(origin, 99)
    assert refused is None, "no receipt without a database"
    for thread in threads:
        thread.join(timeout=60)
    cluster.start()
    for _ in range(50):
        if httpx.get(origin + "/retour/", timeout=5).status_code == 200 and opens(origin, receipts[0], 0):
            break
        time.sleep(0.2)
    assert len(receipts) >= 3
    print(f"{len(receipts)} of 7 acknowledged")
    assert all(opens(origin, receipt, number) for number, receipt in receipts.items())
    after = deposit(origin, 10)
    assert after
    assert opens(origin, after, 10)
