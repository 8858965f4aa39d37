# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys from what a person knows: argon2id (RFC 9106), a few at a time because each takes much memory."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from nacl.pwhash import argon2id

SALT = argon2id.SALTBYTES
AT_ONCE = 2
"""Derivations at the same time in one process: each takes the memory of its cost."""
_turns = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Cost:
    """What a derivation costs: passes over so many bytes of memory. Written beside each salt, so it can be raised."""

    passes: int
    memory: int

    def __str__(self) -> str:
        """Return the stored form, ``4:134217728``."""
        return f"{self.passes}:{self.memory}"


STRONG = Cost(4, 128 * 1024 * 1024)
"""0.3 s on the reference machine; twice the memory that RFC 9106 recommends where memory is scarce."""
OF_A_CODE = Cost(2, 19 * 1024 * 1024)
"""For an author's code, drawn here and of 80 bits: 2⁷⁹ tries on average, at OWASP's floor for argon2id (2 passes over
19 MiB). What protects a password that somebody chose would only make two hundred authors wait for one another."""
TRIAL = Cost(1, 64 * 1024)
"""For the tests alone."""


def read_cost(text: str) -> Cost:
    """Given the stored form of a cost, return it."""
    passes, _, memory = text.partition(":")
    return Cost(int(passes), int(memory))


def derive(secret: str, salt: bytes, cost: Cost) -> bytes:
    """Given a secret, its 16-byte salt and a cost, return 32 bytes. Waits its turn."""
    with _turns:
        return argon2id.kdf(32, secret.encode(), bytes(salt), opslimit=cost.passes, memlimit=cost.memory)


def branch(master: bytes, purpose: str) -> bytes:
    """Given a derived key, return the 32 bytes for one purpose; two purposes share nothing."""
    return hashlib.blake2b(purpose.encode(), key=master, digest_size=32).digest()
