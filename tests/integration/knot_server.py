# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Knot on loopback, configured by the very template of the role ``dns`` and by the brique's own files."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset
import jinja2
from ansible.plugins.filter.core import regex_replace

from packmairie.briques.dns import TSIG_KEY_NAME
from packmairie.engines.dns import Primary
from packmairie.model.tree import Tree

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/dns/templates/arbre/etc/knot/knot.conf.j2"
SECRET = "ZXNzYWktZXNzYWktZXNzYWktZXNzYWktZXNzYWktMTI="
START_SECONDS = 20.0


def free_port() -> int:
    """Return a port that is free on loopback now, in UDP and TCP."""
    for _attempt in range(50):
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            port: int = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("no free port")


class KnotServer:
    """One knotd, run by the user of the tests, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        for name in ("run", "lib/zones", "communes"):
            (folder / name).mkdir(parents=True)

    @property
    def primary(self) -> Primary:
        """How octoDNS reaches it."""
        return Primary("127.0.0.1", TSIG_KEY_NAME, SECRET, self.port)

    def moved(self, text: str) -> str:
        """Return a text of the role with its paths below this server's folder."""
        for before, after in (
            ("/etc/knot/communes", self.folder / "communes"),
            ("/var/lib/knot", self.folder / "lib"),
            ("/run/knot", self.folder / "run"),
        ):
            text = text.replace(before, str(after))
        return text

    def configure(self, tree: Tree) -> None:
        """Lay the configuration rendered from the role's template, and the brique's files."""
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
        environment.filters["regex_replace"] = regex_replace
        source = TEMPLATE.read_text(encoding="utf-8")
        text = environment.from_string(source).render(dns_listen=["127.0.0.1"], dns_key_name=TSIG_KEY_NAME)
        text = self.moved(text).replace("@53", f"@{self.port}").replace("target: syslog", "target: stdout")
        text, dropped = re.subn(r"(?m)^ *user: knot:knot\n", "", text)
        assert dropped == 1
        (self.folder / "knot.conf").write_text(text, encoding="utf-8")
        for file in tree.files:
            path = Path(self.moved(file.path))
            if not (file.once and path.exists()):
                path.write_text(self.moved(file.text()), encoding="utf-8")

    def control(self, *arguments: str) -> str:
        """Run knotc on this server; return what it says."""
        command = ["knotc", "-c", str(self.folder / "knot.conf"), "-s", str(self.folder / "run/knot.sock"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout

    def start(self, *zones: str) -> None:
        """Start it, and wait until it answers for these zones with signatures."""
        subprocess.run(
            ["knotc", "-c", str(self.folder / "knot.conf"), "conf-check"], check=True, capture_output=True, timeout=30
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["knotd", "-c", str(self.folder / "knot.conf"), "-s", str(self.folder / "run/knot.sock")],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, dns.exception.DNSException):
                if all(self.ask(zone, "DNSKEY") for zone in zones):
                    return
            time.sleep(0.1)
        raise RuntimeError("knotd did not start: " + (self.folder / "log").read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """End it, at once if it does not obey."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None

    def query(self, name: str, type_: str) -> dns.message.Message:
        """Ask it over TCP, signatures wanted."""
        return dns.query.tcp(
            dns.message.make_query(name, type_, want_dnssec=True), "127.0.0.1", port=self.port, timeout=5
        )

    def ask(self, name: str, type_: str) -> dns.rrset.RRset | None:
        """Return its answer's record set of this type, None when there is none."""
        wanted = dns.rdatatype.from_text(type_)
        return next((rrset for rrset in self.query(name, type_).answer if rrset.rdtype == wanted), None)

    def serial(self, zone: str) -> int:
        """Return the serial number of a zone."""
        found = self.ask(zone, "SOA")
        assert found is not None
        serial: int = found[0].serial
        return serial
