# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a document without opening it in a program: is it what its name says, whole, and harmless enough."""

from __future__ import annotations

from typing import BinaryIO

CHUNK = 1024 * 1024
SIGNATURES = {"pdf": b"%PDF-", "png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff"}
ACTIVE = (b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/RichMedia")


def look(stream: BinaryIO, name: str, *, act: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given a document, its name, and whether it is the act itself, return (what has it refused, what is doubtful)."""
    extension = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    signature = SIGNATURES.get(extension)
    if signature is None or (act and extension != "pdf"):
        return ("l'acte est un PDF" if act else "ni PDF, ni PNG, ni JPEG",), ()
    head = stream.read(1024)
    if not head:
        return ("fichier vide",), ()
    if extension != "pdf":
        return (() if head.startswith(signature) else (f"n'est pas un fichier {extension}",)), ()
    if signature not in head:
        return ("n'est pas un PDF",), ()
    seen, tail, before = set(), head, head[-64:]
    while chunk := stream.read(CHUNK):
        window = before + chunk
        seen |= {mark for mark in (b"/Encrypt", *ACTIVE) if mark in window}
        before, tail = window[-64:], (tail + chunk)[-2048:]
    seen |= {mark for mark in (b"/Encrypt", *ACTIVE) if mark in head}
    faults = []
    if b"%%EOF" not in tail:
        faults.append("PDF tronqué (sans fin)")
    if b"/Encrypt" in seen:
        faults.append("PDF protégé par un mot de passe ou des droits")
    active = sorted(mark.decode().lstrip("/") for mark in seen & set(ACTIVE))
    return tuple(faults), (f"contient {', '.join(active)}",) if active else ()
