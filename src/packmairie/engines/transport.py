# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS of named services, resolved by the pack's resolvers and verified against the trusted roots."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from datetime import UTC
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from packmairie.engines.connections import Connections, Front
from packmairie.engines.names import Names
from packmairie.model.probe import Absent, Answer, Certificate, Found, TlsHandshake, Unanswered
from packmairie.model.problem import fail

CONNECT_SECONDS = 6.0
HTTPS_PORT = 443
_Reached = TypeVar("_Reached")


class RefusalError(OSError):
    """A service answered, and what it said is not what lets TLS begin."""


def trust(extra_root: str | None) -> ssl.SSLContext:
    """Return a client context that trusts the machine's roots, and one more where the pack names it.

    Raise PackmairieError when that file cannot be read: every verdict would be wrong.
    """
    context = ssl.create_default_context()
    if extra_root:
        try:
            context.load_verify_locations(cafile=extra_root)
        except (OSError, ssl.SSLError) as error:
            raise fail(
                "pack.yml",
                f"acme.racine : {extra_root} illisible ({error})",
                "indiquer le bon fichier, ou démarrer le laboratoire",
            ) from error
    return context


class Transport:
    """TLS probes, with the context of the connections that serve pages."""

    def __init__(self, names: Names, extra_root: str | None = None, connections: Connections | None = None) -> None:
        self.names = names
        self.connections = connections or Connections(trust(extra_root))
        self.context = self.connections.context

    def connect(self, host: str, port: int) -> socket.socket:
        """Open a TCP connection to a service by name; raise OSError as the network says."""
        return self._reach(host, lambda address: socket.create_connection((address, port), timeout=CONNECT_SECONDS))

    def _reach(self, host: str, by: Callable[[str], _Reached]) -> _Reached:
        """Try the addresses of a host, up to the first that answers. Raise what the last one opposed."""
        failure: OSError | None = None
        for type_ in ("A", "AAAA"):
            for address in self.names.addresses(host, (type_,)):
                try:
                    return by(address)
                except ssl.SSLError:
                    raise
                except OSError as error:
                    failure = error
        raise failure or LookupError(f"{host} n'a pas d'adresse dans le DNS")

    def handshake(self, probe: TlsHandshake) -> Answer:
        """Return the certificate shown, trusted or not, or why there is none."""
        try:
            return Found(_certificate(self._verified(probe)))
        except ssl.SSLCertVerificationError as error:
            reason = error.verify_message
        except ssl.SSLError as error:
            return Absent(f"{probe.host}:{probe.port} : négociation TLS refusée ({error.reason})")
        except LookupError as error:
            return Unanswered(str(error))
        except ConnectionRefusedError:
            return Absent(f"{probe.host}:{probe.port} refuse la connexion")
        except RefusalError as error:
            return Absent(f"{probe.host}:{probe.port} : {error}")
        except OSError as error:
            return Unanswered(f"{probe.host}:{probe.port} ne répond pas ({error})")
        blind = ssl.create_default_context()
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        try:
            return Found(_certificate(self._shown(probe, blind), reason))
        except OSError as error:
            return Unanswered(f"{probe.host}:{probe.port} : {error}")

    def _verified(self, probe: TlsHandshake) -> bytes:
        """Return the certificate (DER) that a service shows, verified. Raise SSLError, OSError or LookupError."""
        if probe.port != HTTPS_PORT or probe.starttls:
            return self._shown(probe, self.context)
        # Its pages are asked next, by the same connection.
        return self._reach(
            probe.host,
            lambda address: self.connections.certificate(
                Front("https", probe.host, address, probe.port), CONNECT_SECONDS
            ),
        )

    def _shown(self, probe: TlsHandshake, context: ssl.SSLContext) -> bytes:
        with self.connect(probe.host, probe.port) as plain:
            if probe.starttls:
                start_tls(plain, probe.starttls)
            with context.wrap_socket(plain, server_hostname=probe.host) as secured:
                return secured.getpeercert(binary_form=True) or b""


def _certificate(raw: bytes, reason: str = "") -> Certificate:
    certificate = x509.load_der_x509_certificate(raw)
    return Certificate(
        names_of(certificate),
        issuer_of(certificate),
        certificate.not_valid_after_utc.astimezone(UTC),
        not reason,
        reason,
    )


def start_tls(plain: socket.socket, protocol: str) -> None:
    """Speak SMTP or IMAP up to where TLS begins (RFC 3207, RFC 2595); raise RefusalError when it is not offered."""
    stream = plain.makefile("rwb")
    if protocol == "smtp":
        _expect(stream.readline(), b"220")
        _say(stream, b"EHLO verification.invalid")
        offered = False
        while True:
            line = stream.readline()
            offered = offered or b"STARTTLS" in line.upper()
            if line[3:4] != b"-":
                break
        if not offered:
            raise RefusalError("STARTTLS n'est pas proposé")
        _say(stream, b"STARTTLS")
        _expect(stream.readline(), b"220")
        return
    _expect(stream.readline(), b"* OK")
    _say(stream, b"a STARTTLS")
    _expect(stream.readline(), b"a OK")


def _say(stream: object, line: bytes) -> None:
    stream.write(line + b"\r\n")  # type: ignore[attr-defined]
    stream.flush()  # type: ignore[attr-defined]


def _expect(line: bytes, start: bytes) -> None:
    if not line:
        raise OSError("connexion fermée")
    if not line.startswith(start):
        raise RefusalError(f"réponse inattendue : {line[:80].decode('ascii', 'replace').strip()}")


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(extension.value.get_values_for_type(x509.DNSName))


def issuer_of(certificate: x509.Certificate) -> str:
    """Return the issuer's usual name."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        found = certificate.issuer.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return "émetteur inconnu"
