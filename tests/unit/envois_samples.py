# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack whose commune archives and transmits, files to archive, and a way of depositing in a folder."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core_samples import make_pack

from packmairie.engines.deposit import NotThere, Package, There, Unknown

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "data"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
PROFILES = """\
profils:
  deliberations:
    titre: Délibérations du conseil municipal
    conservation: APP-00001
    sort: conserver
    acces: ACC-00001
  actes:
    titre: Actes transmis au contrôle de légalité
    conservation: APP-00001
    sort: conserver
    acces: ACC-00001
"""
SECTIONS = """\
archivage:
  accord: ACCORD-1
  service_archives: SAE-1
  service_versant: VERSANT-1
teletransmission:
  depuis: 2026-01-15
  arrondissement: "1"
"""


def envois_pack(folder: Path, pack_lines: str = "", sections: str = SECTIONS) -> Path:
    """Return the folder of a pack whose commune 62708 archives and transmits."""
    made = make_pack(folder)
    path = made / "communes" / "62708-riencourt-les-bapaume.yml"
    path.write_text(path.read_text(encoding="utf-8") + sections, encoding="utf-8")
    file = made / "pack.yml"
    file.write_text(file.read_text(encoding="utf-8") + pack_lines, encoding="utf-8")
    (made / "archivage").mkdir()
    (made / "archivage" / "profils.yml").write_text(PROFILES, encoding="utf-8")
    return made


def files_to_archive(folder: Path, count: int = 3) -> Path:
    """Return a folder ``a-archiver`` with some files of one known kind."""
    place = folder / "a-archiver" / "deliberations" / "2026"
    place.mkdir(parents=True)
    for number in range(count):
        (place / f"2026-10-{number % 28 + 1:02d} Délibération n° {number}.pdf").write_bytes(PDF + str(number).encode())
    return folder / "a-archiver"


class FolderDeposit:
    """Deposits in a folder as an SFTP server would; an archival system that ``takes`` moves away what it is given."""

    def __init__(self, folder: Path, takes: bool = False) -> None:
        self.folder = folder
        self.taken = folder / "pris"
        self.takes = takes
        self.taken.mkdir(parents=True, exist_ok=True)

    def _final(self, package: Package) -> Path:
        return self.folder / package.file.name

    def stage(self, package: Package) -> None:
        shutil.copy(package.file, self._final(package).with_suffix(".part"))

    def commit(self, package: Package) -> dict[str, Any]:
        self._final(package).with_suffix(".part").rename(self._final(package))
        if self.takes:
            self.take(package)
        return {"moyen": "dossier"}

    def take(self, package: Package) -> None:
        number = len(list(self.taken.iterdir()))
        self._final(package).rename(self.taken / f"{number}-{package.transfer}")

    def find(self, package: Package) -> There | NotThere | Unknown:
        if self._final(package).exists():
            return There({"moyen": "dossier"})
        part = self._final(package).with_suffix(".part")
        return NotThere() if part.exists() else There({"moyen": "dossier", "pris_en_charge": True})

    def count(self) -> int:
        """How many times a package arrived."""
        return len([*self.folder.glob("*.zip"), *self.taken.iterdir()])


KILLED_AT = ("fsync", "write", "rename", "replace", "truncate", "ftruncate", "unlink", "open")


def run_and_kill(work: Callable[[], object], at: int) -> bool:
    """Run ``work`` in a child that is killed (SIGKILL) at its n-th call to the system; tell whether it finished."""
    child = os.fork()
    if child == 0:
        calls = 0

        def counted(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **options)

            return call

        for name in KILLED_AT:
            setattr(os, name, counted(getattr(os, name)))
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    assert os.WEXITSTATUS(status) == 0
    return True
