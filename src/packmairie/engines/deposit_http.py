# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutual TLS with a platform, and deposit over it at Vitam and as@lae.

The platform is verified against the authority that the pack names, never « anything goes »; the machine shows its own
certificate, whose end is watched.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from cryptography import x509

from packmairie.engines.deposit import NotSentError, NotThere, Package, There, Unknown
from packmairie.engines.sip import opened
from packmairie.model.problem import fail

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 300.0
CHUNK = 1024 * 1024
ANSWER_BYTES = 50 * 1024 * 1024
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True)
class Identity:
    """Files by which both ends know each other: the platform's authority, and the machine's certificate and key."""

    authority: str | None = None
    certificate: str | None = None
    key: str | None = None


def mutual_tls(identity: Identity) -> ssl.SSLContext:
    """Return a client context. Raise PackmairieError for a file that cannot be used, or a key that others may read."""
    try:
        context = ssl.create_default_context(cafile=identity.authority)
    except (OSError, ssl.SSLError) as error:
        raise fail(str(identity.authority), f"autorité illisible ({error})", "indiquer le bon fichier") from None
    if identity.certificate and identity.key:
        try:
            mode = Path(identity.key).stat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise fail(identity.key, "cette clé est lisible d'autres comptes", f"chmod 600 {identity.key}")
            context.load_cert_chain(identity.certificate, identity.key)
        except (OSError, ssl.SSLError) as error:
            raise fail(identity.certificate, f"certificat ou clé inutilisable ({error})", "vérifier les deux") from None
    return context


def certificate_end(path: Path) -> datetime:
    """Return the end of validity of a certificate file (PEM). Raise ValueError or OSError."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.astimezone(UTC)


class Client:
    """Requests to one platform, over mutual TLS, with redirects refused and answers bounded."""

    def __init__(self, url: str, identity: Identity, login: tuple[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self.context = mutual_tls(identity)
        self.login = login

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer of a request. Raise NotSentError when it certainly never reached the platform.

        Raise OSError when nobody knows.
        """
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        try:
            with (
                httpx.Client(verify=self.context, timeout=timeout, trust_env=False, auth=self.login) as client,
                client.stream(method, self.url + path, **options) as answer,
            ):
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > ANSWER_BYTES:
                        raise OSError("réponse démesurée")
                headers = {key: value for key, value in answer.headers.items() if key != "content-encoding"}
                return httpx.Response(answer.status_code, headers=headers, content=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise NotSentError(f"{self.url} injoignable ou refusé ({error})") from None
        except httpx.HTTPError as error:
            # TLS 1.3 tells a refused certificate at the first reading, once the handshake is over: nothing was taken.
            if re.search("alert.*(certificate|unknown ca)", str(error).lower()):
                raise NotSentError(f"{self.url} refuse le certificat ({error})") from None
            raise OSError(f"{self.url} : {error}") from None


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


class VitamDeposit:
    """Ingest at Vitam (ingest-external v1); ``trial`` asks the platform for a dry run that keeps nothing."""

    def __init__(self, client: Client, tenant: int) -> None:
        self.client = client
        self.tenant = {"X-Tenant-Id": str(tenant)}

    def stage(self, package: Package) -> None:
        """Nothing to do before."""

    def commit(self, package: Package) -> dict[str, Any]:
        """Send the package to the real workflow."""
        return self._send(package, "DEFAULT_WORKFLOW")

    def trial(self, package: Package) -> dict[str, Any]:
        """Send the package to the dry run (BLANK_TEST): judged by the platform, kept by nobody."""
        return self._send(package, "BLANK_TEST")

    def _send(self, package: Package, context: str) -> dict[str, Any]:
        with opened(package.file) as (stream, facts):
            headers = {
                **self.tenant,
                "X-Context-Id": context,
                "X-Action": "RESUME",
                "Content-Type": "application/octet-stream",
                "Content-Length": str(facts.st_size),
            }
            answer = self.client.ask("POST", "/ingest-external/v1/ingests", content=_chunks(stream), headers=headers)
        operation = answer.headers.get("x-request-id", "")
        if 400 <= answer.status_code < 500:
            raise NotSentError(f"Vitam refuse (HTTP {answer.status_code}) : {answer.text[:300]}")
        if answer.status_code != 202 or not _IDENTIFIER.fullmatch(operation):
            raise OSError(f"Vitam répond HTTP {answer.status_code} sans identifiant d'opération")
        return {"moyen": "vitam", "contexte": context, "operation": operation}

    def find(self, package: Package) -> There | NotThere | Unknown:
        """Vitam finds an operation by its identifier alone, which is what was lost."""
        return Unknown("Vitam ne retrouve un versement que par son identifiant d'opération")

    def reply(self, operation: str) -> bytes | None:
        """Return the reply of an operation, None while it runs. Raise OSError or NotSentError."""
        state = self.client.ask("HEAD", f"/admin-external/v1/operations/{operation}", headers=self.tenant)
        if state.status_code == 202:
            return None
        if state.status_code != 200:
            raise OSError(f"Vitam ne connaît pas l'opération {operation} (HTTP {state.status_code})")
        path = f"/ingest-external/v1/ingests/{operation}/archivetransferreply"
        answer = self.client.ask("GET", path, headers=self.tenant)
        if answer.status_code != 200:
            raise OSError(f"réponse indisponible (HTTP {answer.status_code})")
        return answer.content


class AsalaeDeposit:
    """Deposit at as@lae: manifest and attachments in one request, HTTP Basic with the digest of the password.

    With ``piece`` (bytes), a package that is larger goes in pieces of that size, each a request of its own.
    """

    def __init__(self, client: Client, agency: str, manifest: bytes, piece: int = 0) -> None:
        self.client = client
        self.agency = agency
        self.manifest = manifest
        self.piece = piece

    def stage(self, package: Package) -> None:
        """Ask who is there: a wrong password is better known before gigabytes are sent."""
        answer = self.client.ask("GET", "/restservices/ping")
        if answer.status_code != 200:
            raise NotSentError(f"as@lae refuse l'accès (HTTP {answer.status_code})")

    def commit(self, package: Package) -> dict[str, Any]:
        """Send the message."""
        with opened(package.file) as (stream, facts):
            if self.piece and facts.st_size > self.piece:
                return self._in_pieces(package, stream, -(-facts.st_size // self.piece))
            files = {
                "seda_message": ("bordereau.xml", self.manifest, "application/xml"),
                "attachments": (package.file.name, stream, "application/zip"),
            }
            answer = self.client.ask("POST", "/restservices/sedaMessages", files=files)
        _taken(answer)
        return {"moyen": "asalae", "reponse": hashlib.sha256(answer.content).hexdigest()}

    def _in_pieces(self, package: Package, stream: BinaryIO, count: int) -> dict[str, Any]:
        """Open a session with the manifest, then send the attachments piece by piece.

        as@lae takes the message with its last piece: before it, whatever breaks has deposited nothing.
        """
        try:
            opening = self.client.ask(
                "POST",
                "/restservices/sedaMessages",
                data={"send_chunked_attachments": "true"},
                files={"seda_message": ("bordereau.xml", self.manifest, "application/xml")},
            )
            _taken(opening)
            session = _session(opening)
            for number in range(1, count):
                _taken(self._piece(package, stream, session, number, count))
        except OSError as error:
            raise NotSentError(f"envoi par morceaux interrompu avant la fin ({error})") from None
        answer = self._piece(package, stream, session, count, count)
        _taken(answer)
        return {"moyen": "asalae", "morceaux": count, "reponse": hashlib.sha256(answer.content).hexdigest()}

    def _piece(
        self, package: Package, stream: BinaryIO, session: dict[str, str], number: int, count: int
    ) -> httpx.Response:
        told = {
            **session,
            "number_of_files": "1",
            "file_index": "1",
            "file_name": package.file.name,
            "compression_algorithm": "ZIP",
            "number_of_chunks": str(count),
            "chunk_index": str(number),
        }
        content = stream.read(self.piece)
        files = {"chunk_content": (f"{package.file.name}.{number}", content, "application/octet-stream")}
        return self.client.ask("POST", "/restservices/sedaAttachmentsChunkFiles", data=told, files=files)

    def find(self, package: Package) -> There | NotThere | Unknown:
        """An acknowledgement proves that the message arrived; its absence proves nothing."""
        try:
            found = self.message("Acknowledgement", package.transfer)
        except (OSError, NotSentError) as error:
            return Unknown(str(error))
        return There({"moyen": "asalae"}) if found else Unknown("as@lae n'a pas d'accusé de réception pour lui")

    def message(self, kind: str, transfer: str) -> bytes | None:
        """Return a message about a transfer (``Acknowledgement``, ``ArchiveTransferReply``), None without one."""
        path = (
            f"/restservices/sedaMessages/sequence:ArchiveTransfer/message:{kind}"
            f"/originOrganizationIdentification:{self.agency}/originMessageIdentifier:{transfer}"
        )
        answer = self.client.ask("GET", path)
        return answer.content if answer.status_code == 200 else None


def _taken(answer: httpx.Response) -> None:
    """Raise NotSentError when as@lae refuses a request, OSError when nobody knows whether it took it."""
    if 400 <= answer.status_code < 500:
        raise NotSentError(f"as@lae refuse (HTTP {answer.status_code}) : {answer.text[:300]}")
    if answer.status_code not in (200, 201, 202):
        raise OSError(f"as@lae répond HTTP {answer.status_code}")


def _session(answer: httpx.Response) -> dict[str, str]:
    """Return the identifiers of a session of pieces. Raise NotSentError when as@lae opened none."""
    try:
        told = answer.json()
        found = {f"{name}_identifier": str(told[f"chunk_{name}_identifier"]) for name in ("session", "security")}
    except (ValueError, KeyError, TypeError):
        raise NotSentError("cet as@lae ne reçoit pas par morceaux : ôter sae.morceaux_mo de pack.yml") from None
    return found


def asalae_password(password: str) -> str:
    """Return what as@lae wants in place of a password: its SHA-256 in hexadecimal."""
    return hashlib.sha256(password.encode()).hexdigest()
