# SPDX-License-Identifier: GPL-3.0-or-later
"""What must open without this program: the rescue copies of keys and the exports, in the age format (C2SP/age)."""

from __future__ import annotations

import pyrage

from packmairie.portail.signalement.scellement.enveloppe import Unreadable


def new_rescue() -> tuple[str, str]:
    """Return (identity, recipient): the first is printed and goes into a safe, the second stays on the server."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def is_recipient(text: str) -> bool:
    """Tell whether a text is an age X25519 recipient (``age1…``)."""
    try:
        pyrage.x25519.Recipient.from_str(text)
    except (pyrage.RecipientError, ValueError):
        return False
    return True


def seal_to_recipient(data: bytes, recipient: str) -> bytes:
    """Given bytes and an age recipient, return an age file."""
    return bytes(pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(recipient)]))


def open_with_identity(sealed: bytes, identity: str) -> bytes:
    """Given an age file and an identity (``AGE-SECRET-KEY-…``), return its bytes. Raise ``Unreadable``."""
    try:
        return bytes(pyrage.decrypt(bytes(sealed), [pyrage.x25519.Identity.from_str(identity.strip())]))
    except (pyrage.DecryptError, pyrage.IdentityError, ValueError):
        raise Unreadable from None


def seal_to_passphrase(data: bytes, passphrase: str) -> bytes:
    """Given bytes and a passphrase, return an age file (scrypt) that ``age -d`` opens."""
    return bytes(pyrage.passphrase.encrypt(data, passphrase))


def open_with_passphrase(sealed: bytes, passphrase: str) -> bytes:
    """Given such a file and its passphrase, return its bytes. Raise ``Unreadable``."""
    try:
        return bytes(pyrage.passphrase.decrypt(bytes(sealed), passphrase))
    except (pyrage.DecryptError, ValueError):
        raise Unreadable from None
