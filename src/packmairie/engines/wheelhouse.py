# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs published on PyPI, downloaded and hash-checked on this machine for hosts that have no way there.

This machine's own pip and its configuration are used; a requirement file names no registry, one version and the
hashes of each wheel.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packmairie.model.problem import fail

DOWNLOAD_SECONDS = 600
LEFT_BY_TOOLS = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache"})
OLDEST_GLIBC = 17
"""Minor version of the oldest glibc 2 that wheels are built for (manylinux2014, PEP 599)."""


@dataclass(frozen=True)
class Target:
    """The Python that wheels are for: its version ``(3, 13)``, its machine ``x86_64``, its glibc ``(2, 41)``."""

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int]

    def options(self) -> list[str]:
        """Return the options by which pip chooses wheels for another Python than its own (PEP 425, PEP 600)."""
        tag = f"cp{self.python[0]}{self.python[1]}"
        platforms = [
            f"manylinux_{self.glibc[0]}_{minor}_{self.machine}" for minor in range(self.glibc[1], OLDEST_GLIBC - 1, -1)
        ]
        words = ["--python-version", f"{self.python[0]}.{self.python[1]}", "--implementation", "cp"]
        for abi in (tag, "abi3", "none"):
            words += ["--abi", abi]
        for platform in (*platforms, f"manylinux2014_{self.machine}", f"linux_{self.machine}", "any"):
            words += ["--platform", platform]
        return words


def cache_folder() -> Path:
    """Return where wheels are kept between two deployments (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packmairie" / "wheels"


def requirements_digest(requirements: Path, target: Target | None = None) -> str:
    """Return what identifies the wheels of a requirement file for a target, as the name of their folder."""
    return hashlib.sha256(requirements.read_bytes() + repr(target or "").encode()).hexdigest()[:12]


def download(requirements: Path, folder: Path, target: Target | None = None) -> list[Path]:
    """Download the wheels of a requirement file whose every line has its hashes; return their paths.

    ``target`` is the Python they are for, this one when not given. Wheels already there for this very file are not
    downloaded again. Raise PackmairieError when pip refuses one.
    """
    place = folder / requirements_digest(requirements, target)
    complete = place / ".complete"
    if not complete.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _pip(
            ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", *(target.options() if target else [])],
            ["--dest", str(place), "--requirement", str(requirements)],
            place=str(requirements),
        )
        complete.touch()
    return sorted(place.glob("*.whl"))


def project_sources(project: Path) -> list[Path]:
    """Return the files that packmairie's own wheel is made of, without what tools leave between them."""
    package = (project / "src" / "packmairie").rglob("*")
    sources = [path for path in package if path.is_file() and not LEFT_BY_TOOLS & set(path.parts)]
    return [project / "pyproject.toml", project / "README.md", *sorted(sources)]


def build(project: Path, folder: Path) -> Path:
    """Build packmairie's own wheel with this environment's setuptools; return its path.

    Built from a copy: what an earlier build left in the checkout would otherwise be in it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="packmairie-") as copy:
        for source in project_sources(project):
            destination = Path(copy) / source.relative_to(project)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination)
        _pip(["wheel", "--no-deps", "--no-build-isolation"], ["--wheel-dir", str(folder), copy], place=str(project))
    return next(folder.glob("*.whl"))


def _pip(options: list[str], arguments: list[str], *, place: str) -> None:
    command = [sys.executable, "-m", "pip", *options, "--quiet", "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 — a list of arguments, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise fail(place, f"pip n'a pas fini en {DOWNLOAD_SECONDS} s", "vérifier l'accès au dépôt de paquets") from None
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-3:]
        raise fail(place, "pip refuse : " + " | ".join(said), "corriger ce fichier, ou la configuration de pip")
