# SPDX-License-Identifier: GPL-3.0-or-later
"""Making secrets: nobody types one, nobody chooses one."""

from __future__ import annotations

import base64
import ctypes
import secrets
import string
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from packmairie.model.secret import Secret, SecretKind, SecretValue

ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits that nobody confuses on paper: without 0, O, o, 1, l, I."""
PASSWORD_LENGTH = 24
"""log2(56) × 24 = 139 bits."""
PHRASE_CONSONANTS = "bcdfghjklnprstv"
PHRASE_VOWELS = "eiou"
"""A disk is opened before anything knows which keyboard this is: no a, q, w, z, m, nor
hyphen, which AZERTY moves; words are parted by a space."""
PHRASE_WORDS = 6
"""log2(15 × 4) × 2 × 6 = 70.9 bits, behind a slow hash (argon2id for the disk, yescrypt for the session)."""
ARGON2_MEMORY_KIB = 256
ARGON2_PASSES = 1
ARGON2_LANES = 1
"""A slow hash protects passwords that people choose; these are drawn, and each page of the webmail pays for one
(docs/decisions/0038)."""
_CRYPT_LOCK = threading.Lock()
"""crypt(3) answers in one buffer for the whole process."""
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


def _s3_key() -> dict[str, Secret]:
    capitals = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return {
        "identifiant": Secret("PM" + "".join(secrets.choice(capitals) for _ in range(18))),
        "secret": Secret("".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))),
    }


def _phrase() -> Secret:
    def word() -> str:
        return "".join(secrets.choice(PHRASE_CONSONANTS) + secrets.choice(PHRASE_VOWELS) for _ in range(2))

    return Secret(" ".join(word() for _ in range(PHRASE_WORDS)))


def session_hash(password: str) -> Secret:
    """Given a password, return its yescrypt hash, as Debian's own ``passwd`` writes it to ``/etc/shadow``.

    Raise OSError where the machine has no libcrypt (crypt(5)) that knows yescrypt.
    """
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt_gensalt.restype = library.crypt.restype = ctypes.c_char_p
    setting = library.crypt_gensalt(b"$y$", ctypes.c_ulong(0), secrets.token_bytes(16), ctypes.c_int(16))
    hashed = library.crypt(password.encode(), setting) if setting else None
    if not hashed or not hashed.startswith(b"$y$"):
        raise OSError("libcrypt.so.1 knows no yescrypt")
    return Secret(hashed.decode("ascii"))


def _session() -> dict[str, Secret]:
    password = _phrase()
    with _CRYPT_LOCK:
        return {"mot_de_passe": password, "empreinte": session_hash(password)}


def _ssh_key() -> dict[str, Secret]:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return {"privee": Secret(private.decode("ascii")), "publique": Secret(public.decode("ascii"))}


def _age_key() -> dict[str, Secret]:
    from pyrage import x25519  # noqa: PLC0415

    identity = x25519.Identity.generate()
    return {"privee": Secret(str(identity)), "publique": Secret(str(identity.to_public()))}


_MAKERS: dict[SecretKind, Callable[[], SecretValue]] = {
    SecretKind.PASSWORD: _password,
    SecretKind.MAILBOX: _mailbox,
    SecretKind.DKIM: _dkim,
    SecretKind.TSIG: _tsig,
    SecretKind.CLE_S3: _s3_key,
    SecretKind.PHRASE: _phrase,
    SecretKind.SESSION: _session,
    SecretKind.CLE_SSH: _ssh_key,
    SecretKind.CLE_AGE: _age_key,
}
