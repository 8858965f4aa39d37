# SPDX-License-Identifier: GPL-3.0-or-later
"""Many visitors of many sites at once: wrk over kept connections, and strangers who open a new one for each page.

wrk knows one name for TLS: it asks for every site over connections opened under one name whose certificate is there,
by the Host header, as an HTTP proxy would. The strangers open TLS under the name of the site itself, verify its
certificate, and ask for its page. Both count whatever is not the page asked for.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from packmairie.lab.laboratory import Lab

WEB_HOST = "plateforme"
LONGEST_SECONDS = 1800
STRANGER_PAUSE_SECONDS = 0.1
SCRIPT = """
local requests, turn, pause, threads = {}, 0, 0, {}
refused = 0
function setup(thread) table.insert(threads, thread) end
function init(args)
  for name in io.lines(args[1]) do
    local headers = {["Host"] = name, ["Accept-Encoding"] = "gzip", ["User-Agent"] = "packmairie"}
    requests[#requests + 1] = wrk.format("GET", "/", headers)
  end
  pause = tonumber(args[2])
  math.randomseed(os.time() + #requests)
  turn = math.random(#requests)
end
function request() turn = turn % #requests + 1; return requests[turn] end
function delay() return math.random(0, 2 * pause) end
function response(status) if status ~= 200 then refused = refused + 1 end end
function done(summary, latency)
  local other = 0
  for _, thread in ipairs(threads) do other = other + thread:get("refused") end
  local e = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "seconds": %.3f, "other": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d,' ..
    ' "p50": %.3f, "p99": %.3f, "max": %.3f}\\n',
    summary.requests, summary.duration / 1e6, other, e.connect, e.read, e.write, e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""
WATCHER = """
import http.client, json, os, socket, ssl, sys, time
data, host, known, limit = sys.argv[1], sys.argv[2], sys.argv[3], time.time() + float(sys.argv[4])
context = ssl.create_default_context()
def opened():
    connection = http.client.HTTPSConnection(known, context=context, timeout=20)
    plain = socket.create_connection(("127.0.0.1", 443), timeout=20)
    connection.sock = context.wrap_socket(plain, server_hostname=known)
    return connection
connection, laid, early = opened(), None, 0
while time.time() < limit:
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection = opened()
        continue
    moment = time.time()
    if laid is None and os.path.exists(data):
        laid = os.stat(data).st_ctime
    if answer.status == 200:
        print(json.dumps({"laid": laid, "served": moment}))
        sys.exit(0)
    time.sleep(0.01)
sys.exit("not served")
"""
"""Runs on the web host: the moment when a commune's data is there, and when its page first answers."""


@dataclass(frozen=True)
class Figures:
    """What visitors met: pages a second, milliseconds, and everything that was not the page asked for."""

    requests: int
    seconds: float
    p50: float
    p99: float
    longest: float
    failures: tuple[str, ...]
    strangers: int
    strangers_p50: float
    strangers_p99: float

    @property
    def per_second(self) -> float:
        """Pages that wrk was given in a second."""
        return self.requests / self.seconds


@dataclass
class Crowd:
    """Visitors of the sites at one address, until they are told to leave.

    ``names`` are the sites that wrk asks for in turn, ``certified`` those of them that have a certificate,
    ``pause`` the mean milliseconds that a visitor waits between two pages.
    """

    address: str
    root_certificate: Path
    names: Sequence[str]
    certified: Sequence[str]
    connections: int = 20
    pause: int = 50
    figures: Figures | None = None
    _failures: list[str] = field(default_factory=list)
    _delays: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def visiting(self) -> Iterator[Crowd]:
        """Have them visit while the block runs; ``figures`` is what they met. Raise RuntimeError when wrk fails."""
        with tempfile.TemporaryDirectory(prefix="packmairie-load-") as scratch:
            wrk = self._start_wrk(Path(scratch))
            thread = threading.Thread(target=self._be_strangers)
            thread.start()
            try:
                yield self
            finally:
                self._stop.set()
                thread.join()
                wrk.send_signal(signal.SIGINT)
                try:
                    _out, told = wrk.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    wrk.kill()
                    _out, told = wrk.communicate()
            self.figures = self._read(told)

    def _start_wrk(self, scratch: Path) -> subprocess.Popen[str]:
        (scratch / "names").write_text("".join(f"{name}\n" for name in self.names), encoding="utf-8")
        (scratch / "load.lua").write_text(SCRIPT, encoding="utf-8")
        # The lab's names are not known to this machine: wrk alone is told where one leads.
        (scratch / "hosts").write_text(f"{self.address} {self.certified[0]}\n", encoding="utf-8")
        command = f'mount --bind {scratch}/hosts /etc/hosts && exec wrk "$@"'
        options = ["-t2", f"-c{self.connections}", f"-d{LONGEST_SECONDS}s", "--timeout", "10s", "--latency"]
        site = f"https://{self.certified[0]}/"
        inside = ["unshare", "--mount", "sh", "-c", command, "wrk"]
        return subprocess.Popen(  # noqa: S603 - names of the pack, as arguments
            [*inside, *options, "-s", f"{scratch}/load.lua", site, "--", f"{scratch}/names", str(self.pause)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _be_strangers(self) -> None:
        context = ssl.create_default_context(cafile=str(self.root_certificate))
        for name in itertools.cycle(self.certified):
            if self._stop.is_set():
                return
            started = time.monotonic()
            try:
                status = visit(self.address, name, context)
            except OSError as error:
                self._failures.append(f"{name} : {error}")
            else:
                if status != 200:
                    self._failures.append(f"{name} : {status}")
            self._delays.append((time.monotonic() - started) * 1000)
            self._stop.wait(STRANGER_PAUSE_SECONDS)

    def _read(self, told: str) -> Figures:
        lines = [line for line in told.splitlines() if line.startswith("{")]
        if not lines:
            raise RuntimeError(f"wrk : {told[-500:]}")
        read = json.loads(lines[-1])
        kinds = {"other": "autre réponse que 200", "connect": "connexion refusée", "read": "lecture interrompue",
                 "write": "écriture interrompue", "timeout": "plus de 10 s"}  # fmt: skip
        failures = [f"wrk : {label} : {read[key]}" for key, label in kinds.items() if read[key]]
        hundredths = statistics.quantiles(self._delays, n=100) if len(self._delays) > 1 else [0.0] * 99
        return Figures(
            read["requests"],
            read["seconds"],
            read["p50"],
            read["p99"],
            read["max"],
            (*failures, *self._failures),
            len(self._delays),
            hundredths[49],
            hundredths[98],
        )


def visit(address: str, name: str, context: ssl.SSLContext, seconds: float = 20) -> int:
    """Open a site as who was never there, under its own name, and return the status of its page. Raise OSError."""
    request = f"GET / HTTP/1.1\r\nHost: {name}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    with (
        socket.create_connection((address, 443), timeout=seconds) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        secured.sendall(request.encode())
        answer = b""
        while piece := secured.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if not body:
        raise OSError(f"réponse vide ou coupée ({head[:40]!r})")
    return int(head.split()[1])


class Arrival:
    """A look, from the web host itself, at the moments when a commune's data is laid and when its page answers."""

    def __init__(self, lab: Lab, insee: str, site: str, known: str) -> None:
        """Given the commune's code and site, and a site that has its certificate, start to look."""
        data = f"/var/lib/packmairie/sites/{insee}.json"
        command = lab.ssh_command(WEB_HOST, ["python3", "-", data, site, known, str(LONGEST_SECONDS)])
        with tempfile.TemporaryFile("w+") as script:
            script.write(WATCHER)
            script.seek(0)
            self._watcher = subprocess.Popen(  # noqa: S603 - ssh, to a host of the lab
                command, stdin=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )

    def seconds(self) -> float:
        """Return how long after its data was laid the page answered. Raise RuntimeError when it never did."""
        out, told = self._watcher.communicate(timeout=LONGEST_SECONDS)
        if self._watcher.returncode != 0:
            raise RuntimeError(told.strip()[-300:])
        read = json.loads(out)
        if read["laid"] is None:
            raise RuntimeError("la page répondait avant que la fiche soit déposée")
        return float(read["served"] - read["laid"])

    def stop(self) -> None:
        """Stop looking."""
        if self._watcher.poll() is None:
            self._watcher.terminate()
            self._watcher.wait()


def caddy_identity(lab: Lab) -> str:
    """Return what changes when Caddy is started, restarted or reloaded."""
    asked = "MainPID,ActiveEnterTimestamp,NRestarts"
    unit = lab.run(WEB_HOST, ["systemctl", "show", "--property", asked, "caddy"]).stdout
    return unit + lab.run(WEB_HOST, ["sh", "-c", "journalctl -u caddy | grep -c 'Reloaded\\|Reloading'"]).stdout


def cores() -> int:
    """Return how many processors this machine gives to the sites and to their visitors together."""
    return len(os.sched_getaffinity(0))
