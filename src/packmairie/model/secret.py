# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret as a brique wishes it, and as it is kept: never shown by accident."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SecretKind(StrEnum):
    """What can be generated, and under which form the vault keeps it."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    """A text of 24 unambiguous characters, 139 bits."""
    MAILBOX = "mailbox"
    """``mot_de_passe``, and ``empreinte``: the same, hashed as Dovecot reads it (``{ARGON2ID}$argon2id$…``)."""
    DKIM = "dkim"
    """``cle`` (RSA 2048, PEM PKCS#8), ``publique`` (base64, the value of ``p=``) and ``cree_le`` (date)."""
    TSIG = "tsig"
    """32 bytes in base64, for HMAC-SHA256 (RFC 8945)."""
    CLE_S3 = "cle_s3"
    """``identifiant`` (20 capitals and digits) and ``secret`` (40 letters and digits, 238 bits) of an S3 access key."""
    PHRASE = "phrase"
    """Six words of two syllables, 71 bits, for hands: its letters stand at the same place on every keyboard."""
    SESSION = "session"
    """``mot_de_passe`` (a phrase), and ``empreinte``: the same, hashed as ``/etc/shadow`` holds it (yescrypt)."""
    CLE_SSH = "cle_ssh"
    """``privee`` (OpenSSH format) and ``publique`` (one line, without comment) of an Ed25519 key."""
    CLE_AGE = "cle_age"
    """``privee`` (``AGE-SECRET-KEY-1…``) and ``publique`` (``age1…``) of an X25519 key (age-encryption.org/v1)."""


FIELDS: dict[SecretKind, tuple[str, ...]] = {
    SecretKind.MAILBOX: ("mot_de_passe", "empreinte"),
    SecretKind.DKIM: ("cle", "publique", "cree_le"),
    SecretKind.CLE_S3: ("identifiant", "secret"),
    SecretKind.SESSION: ("mot_de_passe", "empreinte"),
    SecretKind.CLE_SSH: ("privee", "publique"),
    SecretKind.CLE_AGE: ("privee", "publique"),
}
"""The parts of the kinds that have several; the others are a single text."""


@dataclass(frozen=True, order=True)
class SecretWish:
    """A secret that a brique needs: its name in the vault file, and its kind."""

    name: str
    kind: SecretKind


class Secret(str):
    """A text that does not show in a repr, hence in no traceback, assertion or log of its container.

    It stays a ``str``: templates and hashes use its value, on purpose and by name.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


SecretValue = Secret | dict[str, Secret]
"""What the vault holds under one name: a text, or the parts of a composed secret."""


_PLACEHOLDERS: dict[SecretKind, str | dict[str, str]] = {
    SecretKind.PASSWORD: "x" * 24,
    SecretKind.MAILBOX: {
        "mot_de_passe": "x" * 24,
        "empreinte": "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43,
    },
    SecretKind.DKIM: {
        "cle": "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n-----END PRIVATE KEY-----\n",
        "publique": "A" * 392,
        "cree_le": "2000-01-01",
    },
    SecretKind.TSIG: "A" * 43 + "=",
    SecretKind.CLE_S3: {"identifiant": "X" * 20, "secret": "x" * 40},
    SecretKind.PHRASE: "xxxx xxxx xxxx xxxx xxxx xxxx",
    SecretKind.SESSION: {
        "mot_de_passe": "xxxx xxxx xxxx xxxx xxxx xxxx",
        "empreinte": "$y$j9T$" + "." * 22 + "$" + "." * 43,
    },
    SecretKind.CLE_SSH: {
        "privee": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "A" * 64 + "\n-----END OPENSSH PRIVATE KEY-----\n",
        "publique": "ssh-ed25519 " + "A" * 68,
    },
    SecretKind.CLE_AGE: {"privee": "AGE-SECRET-KEY-1" + "Q" * 58, "publique": "age1" + "q" * 58},
}


def placeholder(kind: SecretKind) -> SecretValue:
    """Given a kind, return a value of its form that opens nothing: what is rendered without a vault uses it."""
    value = _PLACEHOLDERS[kind]
    if isinstance(value, dict):
        return {part: Secret(text) for part, text in value.items()}
    return Secret(value)


def suits(kind: SecretKind, value: Any) -> bool:
    """Tell whether a value kept in a vault has the form of a kind."""
    parts = FIELDS.get(kind)
    if parts is None:
        return isinstance(value, str) and bool(value)
    return isinstance(value, dict) and all(isinstance(value.get(part), str) and value[part] for part in parts)
