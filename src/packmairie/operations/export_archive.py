# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of a commune: one tar, documented within, every file with its SHA-256.

It holds, in this order, the parts, ``manifeste.json``, ``LISEZMOI.txt`` and ``SHA256SUMS``: the last names all others,
so that an archive cut short cannot pass for a whole one. Each part's files keep the path that they had on their host.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import IO

from packmairie.model.export import ExportedPart, Manifest
from packmairie.model.problem import fail

FORMAT = "packmairie-export/1"
MANIFEST, README, SUMS = "manifeste.json", "LISEZMOI.txt", "SHA256SUMS"
REMEDY = "refaire l'export avec « packmairie export »"
README_TEXT = """\
Archive d'une commune, faite par packmairie.

  reglages/            son fichier et ce qui l'accompagne (blason, contenus, registre des marchés, publications)
  zone/                sa zone DNS, au format des serveurs de noms (RFC 1035)
  messagerie/          ses boîtes au format Maildir, à leur place sur le serveur
  messagerie-mbox/     les mêmes, un fichier mbox (RFC 4155) par boîte et par dossier
  fichiers/ site/      ses fichiers et son site, à leur place sur le serveur
  sauvegarde/          sa dernière sauvegarde, restaurée
  archivage/ teletransmission/   ses envois et leurs récépissés
  signalement/         ses adhésions au dispositif, et les bilans anonymes de sa cellule (rien n'y est par commune)
  preuves/             le dernier relevé des vérifications (JSON)
  manifeste.json       ce que contient chaque partie, et ce qui manque
  SHA256SUMS           l'empreinte de chaque fichier : sha256sum --check SHA256SUMS

Aucun mot de passe n'est dans l'archive. Elle se reprend dans un autre pack avec « packmairie import ».
"""


class ArchiveWriter:
    """Writes an archive beside its final name; it takes the name once it is whole and on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.part")
        descriptor = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 — closed by finish
        self._sums: list[str] = []
        self.files = 0
        self.octets = 0

    def add(self, name: str, content: bytes) -> None:
        """Add a file made here."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o600
        self.add_member(member, io.BytesIO(content))

    def add_path(self, name: str, path: Path) -> None:
        """Add a file of the controller."""
        member = self._tar.gettarinfo(str(path), arcname=name)
        with path.open("rb") as stream:
            self.add_member(member, stream)

    def add_member(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        """Add a member as it was found: its owner, rights and date; the content of a file is read once.

        Its extended headers are written anew: they would name it as the archive that it comes from did.
        """
        member.pax_headers = {}
        if member.isfile() and content is not None:
            reader = _Hashing(content)
            self._tar.addfile(member, reader)
            shown = member.name.replace("\\", "\\\\").replace("\n", "\\n")
            escape = "\\" if shown != member.name else ""
            self._sums.append(f"{escape}{reader.digest.hexdigest()}  {shown}\n")
            self.files += 1
            self.octets += member.size
        elif member.isdir() or member.issym():
            self._tar.addfile(member)

    def finish(self, manifest: Manifest) -> None:
        """Write what describes the archive, and give it its name. Raise OSError."""
        data = {"format": FORMAT, **asdict(manifest)}
        self.add(MANIFEST, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())
        self.add(README, README_TEXT.encode())
        sums = "".join(self._sums).encode("utf-8", "surrogateescape")
        self.add(SUMS, sums)
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


class _Hashing(io.RawIOBase):
    """Reads a content once, for the archive and for its digest."""

    def __init__(self, content: IO[bytes]) -> None:
        self.content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read, and count what was read."""
        block = self.content.read(size)
        self.digest.update(block)
        return block


def verify_archive(path: Path) -> Manifest:
    """Given an archive, compare every file with its checksum; return its manifest.

    Raise PackmairieError when a file is missing, added or altered, or when the archive is cut short.
    """
    found: dict[str, str] = {}
    texts: dict[str, bytes] = {}
    for member, content in members_of(path):
        if not member.isfile() or content is None:
            continue
        digest = hashlib.sha256()
        kept = io.BytesIO()
        while block := content.read(1 << 20):
            digest.update(block)
            if member.name in (MANIFEST, SUMS):
                kept.write(block)
        if member.name in found:
            raise fail(str(path), f"{member.name} y est deux fois", REMEDY)
        found[member.name] = digest.hexdigest()
        if member.name in (MANIFEST, SUMS):
            texts[member.name] = kept.getvalue()
    if SUMS not in texts or MANIFEST not in texts:
        raise fail(str(path), "l'archive est incomplète", REMEDY)
    wanted = dict(_sums(texts[SUMS]))
    del found[SUMS]
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            word = "manque" if name not in found else "n'est pas au sommaire" if name not in wanted else "a été altéré"
            raise fail(str(path), f"{name} {word}", REMEDY)
    return _manifest(path, texts[MANIFEST])


def members_of(path: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield each member of an archive with its content. Raise PackmairieError for one that leaves its folder."""
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                pure = PurePosixPath(member.name)
                if (
                    pure.is_absolute()
                    or ".." in pure.parts
                    or not (member.isfile() or member.isdir() or member.issym())
                ):
                    raise fail(str(path), f"membre refusé : {member.name!r:.100}", REMEDY)
                yield member, archive.extractfile(member) if member.isfile() else None
    except (OSError, tarfile.TarError, EOFError) as error:
        raise fail(str(path), f"archive illisible ({error})", REMEDY) from None


def _sums(text: bytes) -> Iterator[tuple[str, str]]:
    # Not splitlines: it also cuts at separators (U+2028 …) that names of files may hold.
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        found = re.fullmatch(r"(\\?)([0-9a-f]{64})  (.+)", line, re.DOTALL)
        if found:
            name = found[3]
            yield (name.replace("\\n", "\n").replace("\\\\", "\\") if found[1] else name), found[2]


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        data = json.loads(text)
        if data.pop("format") != FORMAT:
            raise ValueError
        return Manifest(**{**data, "parts": tuple(ExportedPart(**part) for part in data["parts"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise fail(str(path), "le manifeste n'est pas celui d'un export de packmairie", REMEDY) from None
