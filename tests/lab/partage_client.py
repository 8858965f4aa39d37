# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the file spaces that sends exactly what it is told, paths as they are written."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from packmairie.model.commune import Commune

SecretsOf = Callable[[str], Mapping[str, Any]]


@dataclass
class Told:
    """An answer: its status, headers in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Pinned(http.client.HTTPSConnection):
    """A connection to an address, whatever the name."""

    def __init__(self, name: str, address: str, context: ssl.SSLContext) -> None:
        super().__init__(name, 443, timeout=60, context=context)
        self.address = address
        self.pinned_context = context

    def connect(self) -> None:
        plain = socket.create_connection((self.address, 443), timeout=60)
        self.sock = self.pinned_context.wrap_socket(plain, server_hostname=self.host)


@dataclass
class Client:
    """The deployed file host, asked by address; one connection for each name, kept."""

    address: str
    tls: ssl.SSLContext
    secrets: SecretsOf
    kept: dict[str, _Pinned] = field(default_factory=dict)

    def ask(
        self, host: str, login: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Told:
        """Send one request as an account (empty: nobody), and read its answer."""
        sent = dict(headers)
        if login:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{login}:{self.password(login)}".encode()).decode()
        for last in (False, True):
            connection = self.kept.setdefault(host, _Pinned(host, self.address, self.tls))
            try:
                try:
                    connection.request(method, path, body=body, headers=sent)
                except (BrokenPipeError, ssl.SSLEOFError):
                    # Refused before the end of the body: the answer is there to be read.
                    if not body:
                        raise
                answer = connection.getresponse()
                told = Told(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                del self.kept[host]
                if last:
                    raise
                continue
            return told
        raise AssertionError

    def password(self, login: str) -> str:
        """Return an account's password from the vault of its commune."""
        local, _at, domain = login.partition("@")
        kept = self.secrets(self.insee[domain])[f"messagerie.boites.{local}"]
        return str(kept["mot_de_passe"])

    insee: dict[str, str] = field(default_factory=dict)
    """INSEE code by domain."""


def host_of(commune: Commune) -> str:
    """Return the host name of a commune's file space."""
    return f"fichiers.{commune.domaine.nom}"
