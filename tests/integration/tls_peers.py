# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real peers on loopback: an authority, and servers that speak TLS, SMTP, IMAP and HTTP, each bounded."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEER_SECONDS = 10.0
Dialogue = Callable[[socket.socket], None]


class Authority:
    """A certificate authority of the moment."""

    def __init__(self, folder: Path, name: str = "AC d'essai") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + timedelta(days=400))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.root = folder / "racine.pem"
        self.root.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, *names: str, days: float = 60.0) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names that ends in so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) + timedelta(days=days)
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=90))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
            .add_extension(authority_key, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{names[0]}-{certificate.serial_number:x}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@contextlib.contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    """Have a server of the standard library serve while the block runs; the block's end ends it."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    with server:
        thread.start()
        yield
        server.shutdown()
        thread.join(5)


@contextlib.contextmanager
def serving(dialogue: Dialogue) -> Iterator[int]:
    """Serve each connection with a dialogue; give the port. Everything is closed at the end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                taken, _address = listener.accept()
            except OSError:
                return
            with taken, contextlib.suppress(OSError):
                taken.settimeout(PEER_SECONDS)
                dialogue(taken)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PEER_SECONDS)


def over_tls(context: ssl.SSLContext, answer: bytes = b"") -> Dialogue:
    """Return a dialogue that opens TLS, reads a request when it has an answer to give, and gives it."""

    def talk(taken: socket.socket) -> None:
        with context.wrap_socket(taken, server_side=True) as secured:
            if answer:
                read_head(secured)
                secured.sendall(answer)

    return talk


def read_head(taken: socket.socket) -> bytes:
    """Read an HTTP request's head."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 65536:
        chunk = taken.recv(4096)
        if not chunk:
            break
        head += chunk
    return head


def starting_tls(
    context: ssl.SSLContext | None, greeting: bytes, capabilities: bytes, start: bytes, ready: bytes
) -> Dialogue:
    """Return a dialogue of SMTP or IMAP that leads to TLS after ``start``; without a context, it is refused."""

    def talk(taken: socket.socket) -> None:
        taken.sendall(greeting)
        stream = taken.makefile("rb")
        for _line in range(20):
            line = stream.readline(2000)
            if not line:
                return
            if start in line.upper():
                taken.sendall(ready)
                if context is not None:
                    with context.wrap_socket(taken, server_side=True):
                        return
                continue
            taken.sendall(capabilities)

    return talk
