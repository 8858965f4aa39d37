# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers of what a commune sends: a real OpenSSH, a real nginx in front of a stand-in that replays recorded formats.

The stand-in is no S²LOW, no Vitam and no as@lae: it answers with their recorded forms, and keeps what it was sent.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import paramiko
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tls_peers import Authority

SECONDS = 10.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens, at most ten seconds."""
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"rien n'écoute sur {port}")


def issue(authority: Authority, folder: Path, name: str, days: float = 90.0) -> tuple[Path, Path]:
    """Return the certificate and key files of a client or server, signed by an authority, ending in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    end = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=120))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    paths[1].chmod(0o600)
    return paths


class OpenSsh:
    """An OpenSSH server that speaks SFTP alone (internal-sftp), on loopback, ended by its process id."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        self.folder = folder
        for name in ("depot", "retours"):
            (folder / name).mkdir()
        host, client = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
        host.write_private_key_file(str(folder / "hote"))
        client.write_private_key_file(str(folder / "client"))
        self.private_key = (folder / "client").read_text()
        self.fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(host.asbytes()).digest()).decode().rstrip("=")
        (folder / "autorises").write_text(f"{client.get_name()} {client.get_base64()}\n")
        separation = Path("/run/sshd")
        if os.geteuid() == 0:
            separation.mkdir(mode=0o755, exist_ok=True)
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/hote\nPidFile {folder}/pid\n"
            f"AuthorizedKeysFile {folder}/autorises\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
            "ForceCommand internal-sftp\nDisableForwarding yes\n"
        )
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.port, self.process)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)


class StandIn(ThreadingHTTPServer):
    """Answers on loopback, in clear, behind nginx; ``answers`` maps (method, path) to (status, headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[tuple[str, str], tuple[int, dict[str, str], bytes]] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.dropped: set[tuple[str, str]] = set()
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def asked(self, method: str, path: str) -> list[tuple[dict[str, str], bytes]]:
        """Return the headers and bodies of the requests received for a path."""
        return [(headers, body) for seen, where, headers, body in self.seen if (seen, where) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        key = (self.command, self.path)
        self.server.seen.append((*key, headers, body))
        if key in self.server.dropped:
            self.close_connection = True
            self.connection.close()
            return
        status, extra, content = self.server.answers.get(key, (404, {}, b"inconnu"))
        self.send_response(status)
        for name, value in {**extra, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_HEAD = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Nginx:
    """A real nginx that asks for a client certificate of one authority (``ssl_verify_client on``)."""

    def __init__(self, folder: Path, authority: Authority, behind: int) -> None:
        folder.mkdir()
        self.port = free_port()
        certificate, key = issue(authority, folder, "localhost")
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"""{user}
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/corps; proxy_temp_path {folder}/relais;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{self.port} ssl; server_name localhost; client_max_body_size 0;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_client_certificate {authority.root}; ssl_verify_client on;
    location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; proxy_request_buffering off;
      proxy_next_upstream off; proxy_set_header X-Client-Verify $ssl_client_verify; }}
  }}
}}
"""
        )
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wait_for(self.port, self.process)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)
