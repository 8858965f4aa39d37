# SPDX-License-Identifier: GPL-3.0-or-later
"""Where workstations take their bundle and leave their report: behind Caddy, on a socket, one workstation at a time.

It knows nothing that opens anything: of a token it has the digest, bundles are encrypted for their workstation and
signed by a key that is not here. A workstation that leaves the list is refused from its next request on.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import socketserver
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

SOCKET = Path("/run/packmairie-tirage/http.sock")
KNOWN = Path("/etc/packmairie/tirage/postes")
BUNDLES = Path("/var/lib/packmairie/tirage/paquets")
REPORTS = Path("/var/lib/packmairie/tirage/rapports")
FILES = {
    "manifeste.json": "application/json",
    "manifeste.json.sig": "text/plain",
    "paquet.age": "application/octet-stream",
}
LARGEST_REPORT = 64 * 1024
AT_ONCE = 32
SECONDS = 60
PLACE = re.compile(r"^/(poste-[0-9][0-9AB][0-9]{3}-[1-9][0-9]?)/([a-z.]{1,20})$")


def admitted(text: str, name: str, token: str) -> bool:
    """Given the list of workstations (``name digest`` a line), tell whether a token is this workstation's."""
    digests = [words[1] for words in map(str.split, text.splitlines()) if len(words) == 2 and words[0] == name]
    wished = digests[0] if digests else "0" * 64
    return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), wished) and bool(digests)


def credentials(header: str | None) -> tuple[str, str]:
    """Return the login and the password of an Authorization header (RFC 7617), both empty when it has none."""
    kind, _space, encoded = (header or "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        login, _colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except ValueError:
        return "", ""
    return login, password


class Counter(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "packmairie", ""
    timeout = SECONDS

    def do_GET(self) -> None:
        """Give a file of the workstation's bundle."""
        name, file = self._place()
        if not name:
            return
        try:
            content = (BUNDLES / name / file).read_bytes() if file in FILES else None
        except OSError:
            content = None
        if content is None:
            self._answer(404)
        else:
            self._answer(200, content, FILES[file])

    def do_PUT(self) -> None:
        """Keep the workstation's report, with the moment when it came."""
        name, file = self._place()
        if not name:
            return
        length = self.headers.get("Content-Length", "")
        if file != "rapport" or not length.isdigit() or int(length) > LARGEST_REPORT:
            self.close_connection = True
            self._discard()
            self._answer(404 if file != "rapport" else 413)
            return
        try:
            report = json.loads(self.rfile.read(int(length)))
            if not isinstance(report, dict) or report.get("poste") != name:
                raise ValueError(name)
        except (ValueError, RecursionError):
            self._answer(400)
            return
        keep(REPORTS / f"{name}.json", {"recu": time.time(), "rapport": report})
        self._answer(204)

    def _place(self) -> tuple[str, str]:
        """Return the workstation and the file that are asked for; answer by itself and return nothing when refused."""
        found = PLACE.match(self.path)
        login, token = credentials(self.headers.get("Authorization"))
        if found and login == found[1] and admitted(KNOWN.read_text(encoding="utf-8"), login, token):
            return found[1], found[2]
        self.close_connection = True
        self._discard()
        self._answer(401, headers={"WWW-Authenticate": 'Basic realm="postes"'})
        return "", ""

    def _discard(self) -> None:
        """Read a body that is refused, as far as it is bearable: a client that still writes would hear no answer."""
        length = self.headers.get("Content-Length", "")
        self.rfile.read(min(int(length), 2 * LARGEST_REPORT) if length.isdigit() else 0)

    def _answer(
        self, status: int, content: bytes = b"", kind: str = "text/plain", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        """Say who asks; a socket's client has no address."""
        return "-"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log the workstation and the status, never a header."""
        sys.stderr.write(f"{format % arguments}\n")


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A bounded number of requests at once."""

    daemon_threads = True
    places = threading.BoundedSemaphore(AT_ONCE)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Wait for a place, then serve."""
        with self.places:
            super().process_request_thread(request, client_address)


def keep(path: Path, content: dict[str, Any]) -> None:
    """Write a report atomically."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, ensure_ascii=False)
    Path(name).chmod(0o640)
    Path(name).replace(path)


def main() -> None:
    """Serve until told to stop."""
    SOCKET.unlink(missing_ok=True)
    os.umask(0o007)
    with Server(str(SOCKET), Counter) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
