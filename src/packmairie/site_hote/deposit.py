# SPDX-License-Identifier: GPL-3.0-or-later
"""A message to site@ put aside whole, with the login that Postfix authenticated: the only part that Postfix runs.

It reads nothing of the message. The login comes from Postfix itself (``${sasl_username}`` of pipe(8), empty when
nobody logged in), never from a header.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from .places import Places

MAX_OCTETS = 60_000_000
"""More than any message that the platform accepts; a limit that holds should its own be lifted."""
MAX_WAITING = 500
EX_OK, EX_TEMPFAIL, EX_NOPERM = 0, 75, 77
"""What pipe(8) takes for done, try again, and refused (sysexits.h)."""


def deposit(folder: Path, recipient: str, login: str, stream: BinaryIO) -> int:
    """Given where messages wait, the envelope's recipient, the login, and the message, keep it; return an exit code."""
    if not login:
        sys.stdout.write("5.7.1 Adresse reservee aux agents de la commune, connectes a leur boite\n")
        return EX_NOPERM
    try:
        if sum(1 for _ in folder.iterdir()) >= MAX_WAITING:
            return EX_TEMPFAIL
        raw = stream.read(MAX_OCTETS + 1)
        if len(raw) > MAX_OCTETS:
            sys.stdout.write("5.3.4 Message trop gros\n")
            return EX_NOPERM
        _write(folder, json.dumps({"recipient": recipient, "login": login}).encode() + b"\n" + raw)
    except OSError as error:
        sys.stdout.write(f"4.3.0 {error.strerror}\n")
        return EX_TEMPFAIL
    return EX_OK


def _write(folder: Path, data: bytes) -> None:
    """Write a message under a name that no other has; it is read only once it is whole."""
    temporary = folder.parent / f".{os.getpid()}.{os.urandom(8).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        # Names sort by time of arrival: an « Annuler » comes after what it undoes.
        moment = temporary.stat().st_mtime_ns
        temporary.rename(folder / f"{moment:020d}-{os.urandom(4).hex()}")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    sys.exit(deposit(Places().incoming, sys.argv[1], sys.argv[2], sys.stdin.buffer))
