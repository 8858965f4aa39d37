# SPDX-License-Identifier: GPL-3.0-or-later
"""The sealed ballot box: what is dropped in cannot be read by the server that keeps it.

An anonymous answer is sealed to the public key of its campaign (X25519 sealed box of libsodium) as it arrives. The
private key is shown once to whoever runs the survey, and comes back for the count. Until then neither the database nor
its copies of different days tell who answered what; afterwards nothing is left of which ballot was which.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox

PREFIX = "CLE-URNE-"
BLOCK = 4096
"""Bytes: ballots and drafts are padded to a multiple, so that their length tells nothing."""


class Unreadable(Exception):  # noqa: N818 - read where it is caught
    """Raised for a key that does not open what it is tried on, or that is no key."""


def new_key() -> tuple[str, bytes]:
    """Return a new private key as text, to be kept outside the server, and its public key (32 bytes)."""
    private = PrivateKey.generate()
    return PREFIX + base64.b32encode(bytes(private)).decode().rstrip("="), bytes(private.public_key)


def read_key(text: str) -> PrivateKey:
    """Given a private key as text (spaces and case do not matter), return it. Raise Unreadable."""
    compact = "".join(text.split()).upper().removeprefix(PREFIX)
    try:
        raw = base64.b32decode(compact + "=" * (-len(compact) % 8))
        return PrivateKey(raw)
    except (ValueError, TypeError, CryptoError):
        raise Unreadable from None


def seal(public: bytes, content: Any) -> bytes:
    """Seal JSON content to a public key: a ballot."""
    return SealedBox(PublicKey(public)).encrypt(_pad(content))


def unseal(private: PrivateKey, ballot: bytes) -> Any:
    """Return the content of a ballot. Raise Unreadable."""
    try:
        return json.loads(SealedBox(private).decrypt(ballot))
    except (CryptoError, ValueError):
        raise Unreadable from None


def lock_draft(token: str, content: Any) -> bytes:
    """Encrypt a draft with the token of who writes it: the database keeps only a hash of the token."""
    return bytes(SecretBox(_draft_key(token)).encrypt(_pad(content)))


def open_draft(token: str, locked: bytes) -> Any:
    """Return a draft. Raise Unreadable."""
    try:
        return json.loads(SecretBox(_draft_key(token)).decrypt(locked))
    except (CryptoError, ValueError):
        raise Unreadable from None


def _draft_key(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), digest_size=32, person=b"sondage-brouillo").digest()


def _pad(content: Any) -> bytes:
    """Return JSON with blanks after it, which JSON allows."""
    plain = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return plain.ljust(-(-len(plain) // BLOCK) * BLOCK)
