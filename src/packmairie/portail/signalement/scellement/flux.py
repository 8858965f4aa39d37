# SPDX-License-Identifier: GPL-3.0-or-later
"""Files sealed while they arrive: libsodium's secretstream, piece after piece, an end that cannot be cut off."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from packmairie.portail.signalement.scellement.enveloppe import Unreadable

PIECE = 64 * 1024
"""Clear bytes of a piece. Every piece has the same size, the last one padded: a file's length shows by 64 KiB."""
_MESSAGE = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class Sealer:
    """Seals bytes given in any sizes; ``key`` opens them and is the caller's to seal."""

    def __init__(self) -> None:
        self.key: bytes = sodium.crypto_secretstream_xchacha20poly1305_keygen()
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        self._header = sodium.crypto_secretstream_xchacha20poly1305_init_push(self._state, self.key)
        self._left = b""
        self._first = True

    def _push(self, clear: bytes, tag: int) -> bytes:
        framed = struct.pack(">I", len(clear)) + clear.ljust(PIECE, b"\0")
        sealed = sodium.crypto_secretstream_xchacha20poly1305_push(self._state, framed, None, tag)
        header, self._header = self._header, b""
        return bytes(header + sealed)

    def add(self, clear: bytes) -> Iterator[bytes]:
        """Given some bytes, give the sealed pieces that they complete."""
        self._left += clear
        while len(self._left) > PIECE:
            piece, self._left = self._left[:PIECE], self._left[PIECE:]
            yield self._push(piece, _MESSAGE)

    def end(self) -> bytes:
        """Return the last sealed piece."""
        last, self._left = self._left, b""
        return self._push(last, _FINAL)


def open_pieces(pieces: Iterable[bytes], key: bytes) -> Iterator[bytes]:
    """Given sealed pieces in order and their key, give the clear bytes.

    Raise ``Unreadable`` at the first piece that is altered, missing or out of order, or when the end is missing.
    """
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    ended = False
    started = False
    for sealed in pieces:
        raw = bytes(sealed)
        if ended:
            raise Unreadable
        try:
            if not started:
                size = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
                sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, raw[:size], key)
                raw, started = raw[size:], True
            framed, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(state, raw, None)
        except (CryptoError, ValueError, TypeError):
            raise Unreadable from None
        (length,) = struct.unpack_from(">I", framed)
        ended = tag == _FINAL
        yield framed[4 : 4 + length]
    if not ended:
        raise Unreadable
