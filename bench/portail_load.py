# SPDX-License-Identifier: GPL-3.0-or-later
"""The reporting channel under load: 200 authors at once and 20 members of the cell, on this machine.

    .venv/bin/python bench/portail_load.py [AUTHORS MEMBERS WORKERS]

Starts the service on a temporary folder (SQLite) and sends it whole journeys by HTTP: form, deposit with a file of
200 kB, return with the code, message; members read the queue and a report every five seconds meanwhile. Prints
latencies by step, failures and the memory of the service. The throttles are lifted: everybody here has one address.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pyotp

PACKMAIRIE = str(Path(sys.executable).with_name("packmairie"))
PASSWORD = "exemple de mot de passe"
RELEASE = """
import sys
from packmairie.portail.projet import cadence
cadence.Cadence.allows = lambda self, key: True
from packmairie.cli.main import main
main(sys.argv[1:])
"""
times: dict[str, list[float]] = {}
failures: list[str] = []
lock = threading.Lock()
finished = threading.Event()


def timed(step: str, client: httpx.Client, method: str, path: str, **given: Any) -> httpx.Response | None:
    """Send a request, note how long it took, and whether it failed."""
    start = time.perf_counter()
    try:
        answer = client.request(method, path, **given)
    except httpx.TransportError as error:
        with lock:
            failures.append(f"{step}: {type(error).__name__}")
        return None
    with lock:
        times.setdefault(step, []).append(time.perf_counter() - start)
        if answer.status_code >= 400:
            failures.append(f"{step}: {answer.status_code}")
    return answer if answer.status_code < 400 else None


def token(page: str) -> str:
    """Return the token of a form."""
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    return found.group(1) if found else ""


def author(origin: str, number: int, receipts: list[str]) -> None:
    """Walk the whole way of an author."""
    with httpx.Client(base_url=origin, timeout=300, follow_redirects=True, verify=False) as client:
        page = timed("formulaire", client, "GET", "/signaler/")
        if page is None:
            return
        facts = {
            "csrfmiddlewaretoken": token(page.text), "insee": "62708", "dispositif": "avdhas",
            "mis_en_cause": "collegue", "qualite": "temoin", "lien": "agent", "categories": "menace",
            "recit": f"récit {number} " * 100, "anonyme": "oui",
        }  # fmt: skip
        files = {"pieces": ("piece.txt", b"piece " * 33_000)}
        made = timed("dépôt", client, "POST", "/signaler/faits/", data=facts, files=files)
        shown = re.findall(r'id="(?:numero|code-affiche)">([^<]+)<', made.text) if made else []
        if len(shown) != 2:
            return
        receipts.append(shown[0])
        again = {"csrfmiddlewaretoken": token(made.text) if made else "", "numero": shown[0], "code": shown[1]}
        follow = timed("retour", client, "POST", "/retour/", data=again)
        if follow is not None:
            words = {"csrfmiddlewaretoken": token(follow.text), "quoi": "message", "texte": "Un mot de plus"}
            timed("message", client, "POST", "/suivi/ecrire/", data=words)


def member(origin: str, cookies: dict[str, str]) -> None:
    """Read the queue and a report, again and again, until the authors are done."""
    with httpx.Client(base_url=origin, timeout=300, cookies=cookies, verify=False) as client:
        while not finished.is_set():
            page = timed("file de la cellule", client, "GET", "/cellule/")
            links = re.findall(r'href="(/cellule/dossier/[^"]+)"', page.text) if page else []
            if links:
                timed("dossier", client, "GET", links[-1])
            time.sleep(5)


def memory(pid: int) -> tuple[int, int]:
    """Given the pid of the master, return (MiB now, MiB at most) of it and its workers."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    now = most = 0
    for one in pids:
        status = Path(f"/proc/{one}/status").read_text()
        now += int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
        most += int(re.findall(r"VmHWM:\s+(\d+)", status)[0])
    return now // 1024, most // 1024


def main(authors: int, members: int, workers: int) -> int:
    """Run the load and print what was measured; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="portail-charge-") as folder:
        manage = [PACKMAIRIE, "portail", "manage", "--data", folder]
        subprocess.run([*manage, "migrate"], check=True, capture_output=True, timeout=120)
        told = subprocess.run([*manage, "signalement_demo"], check=True, capture_output=True, text=True, timeout=120)
        keys = dict(re.findall(r"^(\S+) : .*clé TOTP (\w+)", told.stdout, re.MULTILINE))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        origin = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-c", RELEASE, "portail", "serve", "--data", folder, "--port", str(port)]
        server = subprocess.Popen([*command, "--workers", str(workers)], stderr=subprocess.DEVNULL)
        try:
            for _ in range(150):
                try:
                    httpx.get(origin, timeout=2)
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            with httpx.Client(base_url=origin, timeout=60) as client:
                asked = {
                    "csrfmiddlewaretoken": token(client.get("/cellule/connexion/").text),
                    "identifiant": "garant.exemple", "mot_de_passe": PASSWORD,
                    "code": pyotp.TOTP(keys["garant.exemple"]).now(),
                }  # fmt: skip
                client.post("/cellule/connexion/", data=asked)
                cookies = dict(client.cookies)
            receipts: list[str] = []
            before = memory(server.pid)
            crowd = [threading.Thread(target=author, args=(origin, n, receipts)) for n in range(authors)]
            cell = [threading.Thread(target=member, args=(origin, cookies)) for _ in range(members)]
            start = time.perf_counter()
            for thread in [*cell, *crowd]:
                thread.start()
            for thread in crowd:
                thread.join()
            spent = time.perf_counter() - start
            finished.set()
            for thread in cell:
                thread.join()
            after = memory(server.pid)
        finally:
            server.terminate()
            server.wait(timeout=60)
    print(f"{authors} auteurs, {members} membres, {workers} processus : {len(receipts)} dépôts en {spent:.0f} s")
    for step, taken in times.items():
        ordered = sorted(taken)
        p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
        print(f"  {step:20} {len(taken):5} fois  médiane {p50:6.2f} s  p95 {p95:6.2f} s  max {ordered[-1]:6.2f} s")
    print(f"  mémoire : {before[0]} Mio avant, {after[0]} Mio après, {after[1]} Mio au plus haut")
    print(f"  échecs : {len(failures)} {sorted(set(failures))}")
    return int(bool(failures) or len(receipts) != authors)


if __name__ == "__main__":
    # A run that is told to stop must stop the service too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(given if given else (200, 20, 2))))
