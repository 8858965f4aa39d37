# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of a cell (Ed25519, RFC 8032): on the public keys of its members, and on what it transmits."""

from __future__ import annotations

import hashlib

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey


def new_seed() -> tuple[bytes, bytes]:
    """Return (seed, public key), 32 bytes each."""
    key = SigningKey.generate()
    return bytes(key), bytes(key.verify_key)


def sign(message: bytes, seed: bytes) -> bytes:
    """Given a message and the seed of a cell, return the 64 bytes of its signature."""
    return bytes(SigningKey(seed).sign(message).signature)


def verifies(message: bytes, signature: bytes, public: bytes) -> bool:
    """Tell whether a signature is that of this message under this public key."""
    try:
        VerifyKey(bytes(public)).verify(message, bytes(signature))
    except (CryptoError, ValueError, TypeError):
        return False
    return True


def member_statement(cell: int, member: int, public: bytes, custodian: bool) -> bytes:
    """Return what a cell signs to say « this key is that of this member » (``custodian``: may open identities)."""
    return b"\0".join(
        [
            b"packmairie membre 1",
            str(cell).encode(),
            str(member).encode(),
            bytes(public),
            b"garant" if custodian else b"",
        ]
    )


def fingerprint(public: bytes) -> str:
    """Return the fingerprint of a public key, six groups of four digits that two people can read to each other."""
    digest = hashlib.sha256(bytes(public)).hexdigest()[:24].upper()
    return " ".join(digest[i : i + 4] for i in range(0, 24, 4))
