# SPDX-License-Identifier: GPL-3.0-or-later
"""Deposit by SFTP: sent under a name that the archival system ignores, then renamed in one step.

The server is known by the fingerprint of its key, given in the pack: the first connection is as sure as the others.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paramiko

from packmairie.engines.deposit import NotSentError, NotThere, Package, There, Unknown
from packmairie.engines.sip import opened

SECONDS = 20.0
CHUNK = 256 * 1024
REPLY_BYTES = 50 * 1024 * 1024
REPLY_COUNT = 2000


@dataclass(frozen=True)
class Server:
    """Where to deposit: address, account, the fingerprint of its key, and one of a password or a private key (PEM)."""

    host: str
    port: int
    account: str
    fingerprint: str
    folder: str
    replies: str
    password: str | None = None
    private_key: str | None = None

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port}, {self.account})"


class _Pinned(paramiko.MissingHostKeyPolicy):
    """Accepts one key and no other."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise NotSentError when the server's key is not the one given in the pack."""
        seen = "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
        if seen != self.fingerprint:
            raise NotSentError(f"{hostname} a une autre clé que celle du pack ({seen})")


def _private_key(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError):
            continue
    raise NotSentError("la clé SFTP du coffre n'est pas une clé privée OpenSSH")


class SftpDeposit:
    """Deposits in a folder of an SFTP server, and reads the replies in another."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @contextmanager
    def _session(self) -> Iterator[paramiko.SFTPClient]:
        server = self.server
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(_Pinned(server.fingerprint))
        try:
            try:
                client.connect(
                    server.host,
                    server.port,
                    server.account,
                    password=server.password,
                    pkey=_private_key(server.private_key) if server.private_key else None,
                    timeout=SECONDS,
                    banner_timeout=SECONDS,
                    auth_timeout=SECONDS,
                    allow_agent=False,
                    look_for_keys=False,
                )
            except paramiko.AuthenticationException:
                raise NotSentError(f"{server.host} refuse le compte {server.account}") from None
            except (OSError, paramiko.SSHException, EOFError) as error:
                raise NotSentError(f"{server.host}:{server.port} injoignable ({error})") from None
            session = client.open_sftp()
            session.get_channel().settimeout(SECONDS * 3)  # type: ignore[union-attr]
            yield session
        except (paramiko.SSHException, EOFError) as error:
            raise OSError(str(error) or "connexion coupée") from error
        finally:
            client.close()

    def _paths(self, package: Package) -> tuple[str, str]:
        final = f"{self.server.folder}/{package.file.name}"
        return final, f"{final}.part"

    def stage(self, package: Package) -> None:
        """Send the whole file under its temporary name, again from the start when a part was there."""
        _final, part = self._paths(package)
        with self._session() as session, opened(package.file) as (source, facts):
            try:
                target = session.open(part, "wb")
            except OSError as error:
                raise NotSentError(f"dossier « {self.server.folder} » : {error}") from None
            with target:
                target.set_pipelined(True)
                while chunk := source.read(CHUNK):
                    target.write(chunk)
            if session.stat(part).st_size != facts.st_size:
                raise OSError("le serveur n'a pas tout reçu")

    def commit(self, package: Package) -> dict[str, Any]:
        """Give the file its name: from then on the archival system may take it."""
        final, part = self._paths(package)
        with self._session() as session:
            if _size(session, final) is not None:
                raise NotSentError(f"{final} existe déjà sur le serveur")
            session.rename(part, final)
        return {"moyen": "sftp", "serveur": self.server.host, "chemin": final}

    def find(self, package: Package) -> There | NotThere | Unknown:
        """A whole file was sent: if its temporary name is gone, only the renaming can have taken it away."""
        final, part = self._paths(package)
        receipt = {"moyen": "sftp", "serveur": self.server.host, "chemin": final}
        try:
            with self._session() as session:
                if _size(session, final) == package.file.stat().st_size:
                    return There(receipt)
                return NotThere() if _size(session, part) is not None else There({**receipt, "pris_en_charge": True})
        except (OSError, NotSentError) as error:
            return Unknown(str(error))

    def replies(self) -> Iterator[tuple[str, bytes]]:
        """Yield (name, content) of the XML files of the folder of replies. Raise OSError or NotSentError."""
        with self._session() as session:
            names = sorted(item.filename for item in session.listdir_attr(self.server.replies))
            for name in [name for name in names if name.lower().endswith(".xml")][-REPLY_COUNT:]:
                with session.open(f"{self.server.replies}/{name}", "rb") as stream:
                    yield name, stream.read(REPLY_BYTES)


def _size(session: paramiko.SFTPClient, path: str) -> int | None:
    try:
        return session.stat(path).st_size
    except FileNotFoundError:
        return None
