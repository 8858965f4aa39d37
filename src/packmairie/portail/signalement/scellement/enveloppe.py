# SPDX-License-Identifier: GPL-3.0-or-later
"""Envelopes: a text sealed to a public key, bound to its place, padded so that its length says little.

An envelope is a fresh symmetric key sealed to an X25519 public key (libsodium's sealed box), then the text under
that key with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). The *place* (report, kind, number, envelope) is
authenticated data: an envelope that was moved to another place does not open.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import nacl.bindings as sodium
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

VERSION = 1
KEY = 32
SEALED_KEY = 80
"""Bytes of a sealed 32-byte key: an ephemeral public key (32) and an authenticator (16) more."""
NONCE = 24
SMALLEST = 1024


class Unreadable(Exception):  # noqa: N818 - a state of the envelope, as the reader meets it
    """The envelope does not open: wrong key, moved, or altered. It never says which."""


@dataclass(frozen=True)
class KeyPair:
    """An X25519 key pair, raw bytes."""

    private: bytes
    public: bytes

    def __repr__(self) -> str:
        """Show the public half alone."""
        return f"KeyPair({self.public.hex()[:8]}…)"


def new_pair() -> KeyPair:
    """Return a random key pair."""
    key = PrivateKey.generate()
    return KeyPair(bytes(key), bytes(key.public_key))


def pair_from(private: bytes) -> KeyPair:
    """Given 32 bytes of private key, return the pair."""
    return KeyPair(private, bytes(PrivateKey(private).public_key))


def seal_key(key: bytes, public: bytes) -> bytes:
    """Given a 32-byte key and a public key, return the 80 bytes that only the private half opens."""
    return bytes(SealedBox(PublicKey(public)).encrypt(key))


def open_key(sealed: bytes, private: bytes) -> bytes:
    """Given what ``seal_key`` returned and the private half, return the key. Raise ``Unreadable``."""
    try:
        return bytes(SealedBox(PrivateKey(private)).decrypt(bytes(sealed)))
    except (CryptoError, ValueError, TypeError):
        raise Unreadable from None


def padded_length(length: int) -> int:
    """Given a length in bytes, return that of its bucket: 1 KiB at least, then Padmé (at most 12 % more).

    Padmé is from Nikitin et al., « Reducing Metadata Leakage from Encrypted Files and Communication with PURBs »,
    2019: it keeps log2(log2(L)) significant bits of the length.
    """
    if length <= SMALLEST:
        return SMALLEST
    exponent = length.bit_length() - 1
    free = exponent - exponent.bit_length()
    mask = (1 << free) - 1
    return (length + mask) & ~mask


def _pad(text: bytes) -> bytes:
    framed = struct.pack(">I", len(text)) + text
    return framed.ljust(padded_length(len(framed)), b"\0")


def _unpad(framed: bytes) -> bytes:
    (length,) = struct.unpack_from(">I", framed)
    if length > len(framed) - 4:
        raise Unreadable
    return framed[4 : 4 + length]


def encrypt(text: bytes, key: bytes, place: str) -> bytes:
    """Given a text, a 32-byte key and a place, return version, nonce and authenticated ciphertext."""
    nonce = sodium.randombytes(NONCE)
    bound = bytes([VERSION]) + place.encode()
    return bytes([VERSION]) + nonce + sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(_pad(text), bound, nonce, key)


def decrypt(sealed: bytes, key: bytes, place: str) -> bytes:
    """Given what ``encrypt`` returned, its key and the same place, return the text. Raise ``Unreadable``."""
    raw = bytes(sealed)
    if len(raw) < 1 + NONCE or raw[0] != VERSION:
        raise Unreadable
    bound = raw[:1] + place.encode()
    try:
        framed = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(raw[1 + NONCE :], bound, raw[1 : 1 + NONCE], key)
        return _unpad(framed)
    except (CryptoError, ValueError, TypeError, struct.error):
        raise Unreadable from None


def seal(text: bytes, public: bytes, place: str) -> bytes:
    """Given a text, the public key of who may read it and its place, return the envelope."""
    key = sodium.randombytes(KEY)
    return seal_key(key, public) + encrypt(text, key, place)


def unseal(sealed: bytes, private: bytes, place: str) -> bytes:
    """Given an envelope, the private key and the place it was sealed for, return the text. Raise ``Unreadable``."""
    raw = bytes(sealed)
    return decrypt(raw[SEALED_KEY:], open_key(raw[:SEALED_KEY], private), place)
