# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that people send: sealed while they arrive, so that no byte of them reaches the disk in clear.

Django's own handlers write files larger than 2.5 MB to a temporary folder, in clear.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePath
from typing import IO

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from packmairie.portail.signalement.scellement.flux import PIECE, Sealer

LARGEST = 25_000_000
"""Bytes of one file; the sum of the files of one sending is bounded to twice that."""
IN_MEMORY = 1_000_000
"""Sealed bytes kept in memory before they go to a nameless temporary file."""
KINDS: dict[str, tuple[bytes, ...]] = {
    ".pdf": (b"%PDF-",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".gif": (b"GIF87a", b"GIF89a"),
    ".webp": (b"RIFF",),
    ".heic": (b"\0\0\0",),
    ".docx": (b"PK\x03\x04",),
    ".xlsx": (b"PK\x03\x04",),
    ".odt": (b"PK\x03\x04",),
    ".ods": (b"PK\x03\x04",),
    ".doc": (b"\xd0\xcf\x11\xe0",),
    ".msg": (b"\xd0\xcf\x11\xe0",),
    ".eml": (),
    ".txt": (),
    ".mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    ".m4a": (b"\0\0\0",),
    ".ogg": (b"OggS",),
    ".opus": (b"OggS",),
    ".wav": (b"RIFF",),
    ".mp4": (b"\0\0\0",),
    ".mov": (b"\0\0\0",),
    ".webm": (b"\x1aE\xdf\xa3",),
}
"""Accepted extensions, and how such files begin (none given: text). Nothing is opened on the server."""


class FichierScelle(UploadedFile):  # type: ignore[type-arg]  # not generic when it runs
    """A file that was sealed while it arrived. Its clear bytes are nowhere; ``cle`` opens the sealed pieces."""

    def __init__(  # noqa: PLR0917 - what the handler has measured, in order
        self, stored: IO[bytes], name: str, size: int, sha256: str, key: bytes, lengths: list[int], fault: str
    ) -> None:
        super().__init__(stored, name=name, size=size)
        self._stored, self._lengths = stored, lengths
        self.nom, self.taille, self.sha256, self.cle, self.defaut = name, size, sha256, key, fault

    def morceaux(self) -> Iterator[bytes]:
        """Give the sealed pieces in order."""
        self._stored.seek(0)
        for length in self._lengths:
            yield self._stored.read(length)


def fault_of(name: str, size: int, start: bytes) -> str:
    """Given the name, the size and the first bytes of a file, return what is wrong with it, or an empty text."""
    suffix = PurePath(name).suffix.lower()
    if size == 0:
        return "ce fichier est vide"
    if suffix not in KINDS:
        return "ce type de fichier n'est pas accepté (photo, son, vidéo, PDF, texte, courriel ou document bureautique)"
    beginnings = KINDS[suffix]
    if (beginnings and not start.startswith(beginnings)) or (not beginnings and b"\0" in start):
        return "le contenu de ce fichier ne correspond pas à son nom"
    return ""


def clean_name(name: str) -> str:
    """Given a file's name as the browser tells it, return one without path, control or reserved characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in last).strip(". ")
    stem, suffix = PurePath(kept or "fichier").stem[:100], PurePath(kept or "fichier").suffix[:10]
    return stem + suffix


class SealingUploadHandler(FileUploadHandler):
    """Seals what arrives, piece after piece, under a key that lives in memory until it is sealed in turn."""

    chunk_size = PIECE

    def new_file(self, *args: object, **kwargs: object) -> None:
        """Start a file."""
        super().new_file(*args, **kwargs)  # type: ignore[arg-type]
        self._sealer = Sealer()
        self._digest = hashlib.sha256()
        self._size = 0
        self._too_much = False
        self._start = b""
        self._lengths: list[int] = []
        self._stored: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - kept by the file

    def _store(self, sealed: bytes) -> None:
        self._stored.write(sealed)
        self._lengths.append(len(sealed))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take the next bytes; what is beyond the limits is read and dropped, so that the answer can say so."""
        self._total = getattr(self, "_total", 0) + len(raw_data)
        self._size += len(raw_data)
        if self._size > LARGEST or self._total > 2 * LARGEST:
            self._too_much = True
            return
        if len(self._start) < 64:
            self._start += raw_data[:64]
        self._digest.update(raw_data)
        for sealed in self._sealer.add(raw_data):
            self._store(sealed)

    def file_complete(self, file_size: int) -> FichierScelle:
        """Return the sealed file, with what is wrong with it."""
        self._store(self._sealer.end())
        name = clean_name(self.file_name or "")
        limits = f"{LARGEST // 1_000_000} Mo par fichier, {2 * LARGEST // 1_000_000} Mo en tout"
        too_large = f"ce fichier est trop lourd ({limits})" if self._too_much else ""
        fault = too_large or fault_of(name, self._size, self._start)
        digest = self._digest.hexdigest()
        return FichierScelle(self._stored, name, self._size, digest, self._sealer.key, self._lengths, fault)

    def upload_interrupted(self) -> None:
        """Drop what had arrived."""
        if hasattr(self, "_stored"):
            self._stored.close()
            self._stored = BytesIO()
