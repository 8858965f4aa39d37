# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign as ``ssh-keygen -Y sign`` does, without the key ever being in a file (OpenSSH, PROTOCOL.sshsig)."""

from __future__ import annotations

import base64
import hashlib
import textwrap

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

MAGIC, VERSION, DIGEST = b"SSHSIG", 1, b"sha512"
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def sign(message: bytes, private_key: str, namespace: str) -> str:
    """Given a message, an Ed25519 key (OpenSSH format) and what the signature is for, return the armored signature.

    ``ssh-keygen -Y verify`` accepts it. Raise ValueError when the key is not of that kind.
    """
    key = load_ssh_private_key(private_key.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    about = _string(namespace.encode()) + _string(b"") + _string(DIGEST)
    signed = key.sign(MAGIC + about + _string(hashlib.sha512(message).digest()))
    public = base64.b64decode(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
    signature = _string(b"ssh-ed25519") + _string(signed)
    blob = MAGIC + VERSION.to_bytes(4, "big") + _string(public) + about + _string(signature)
    return "\n".join((BEGIN, *textwrap.wrap(base64.b64encode(blob).decode("ascii"), 70), END, ""))


def _string(content: bytes) -> bytes:
    """Return a string as SSH writes it (RFC 4251 §5): its length on four octets, then itself."""
    return len(content).to_bytes(4, "big") + content
