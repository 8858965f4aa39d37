# SPDX-License-Identifier: GPL-3.0-or-later
"""Making secrets: nobody types one, nobody chooses one."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from packmairie.model.secret import Secret, SecretKind, SecretValue

ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits that nobody confuses on paper: without 0, O, o, 1, l, I."""
PASSWORD_LENGTH = 24
"""log2(56) × 24 = 139 bits."""
ARGON2_MEMORY_KIB = 19456
ARGON2_PASSES = 2
ARGON2_LANES = 1
DKIM_BITS = 2048
"""RFC 8301 §3.2: at least 1024, 2048 advised; 4096 does not fit every resolver."""


def new_secret(kind: SecretKind) -> SecretValue:
    """Given a kind, return a new secret of it."""
    return _MAKERS[kind]()


def mailbox_hash(password: str) -> Secret:
    """Given a password, return its argon2id hash as Dovecot's passdb reads it: ``{ARGON2ID}$argon2id$…``."""
    from argon2 import PasswordHasher, Type  # noqa: PLC0415 - loaded only when a mailbox is made

    hasher = PasswordHasher(ARGON2_PASSES, ARGON2_MEMORY_KIB, ARGON2_LANES, type=Type.ID)
    return Secret("{ARGON2ID}" + hasher.hash(password))


def dkim_public_key(private_pem: str) -> str:
    """Given a DKIM private key (PEM), return its public part in base64, the value of ``p=`` (RFC 6376 §3.6.1).

    Raise ValueError when the text is not an RSA private key.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415

    key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA private key")
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(public).decode("ascii")


def _password() -> Secret:
    return Secret("".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH)))


def _mailbox() -> dict[str, Secret]:
    password = _password()
    return {"mot_de_passe": password, "empreinte": mailbox_hash(password)}


def _dkim() -> dict[str, Secret]:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=DKIM_BITS)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private = pem.decode("ascii")
    return {
        "cle": Secret(private),
        "publique": Secret(dkim_public_key(private)),
        "cree_le": Secret(datetime.now(UTC).date().isoformat()),
    }


def _tsig() -> Secret:
    return Secret(base64.b64encode(secrets.token_bytes(32)).decode("ascii"))


_MAKERS: dict[SecretKind, Callable[[], SecretValue]] = {
    SecretKind.PASSWORD: _password,
    SecretKind.MAILBOX: _mailbox,
    SecretKind.DKIM: _dkim,
    SecretKind.TSIG: _tsig,
}
