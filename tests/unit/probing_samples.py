# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack on disk that can be asked about where no lab has ever been."""

from __future__ import annotations

import shutil
from pathlib import Path

DEMO = Path(__file__).parents[2] / "inventories/demo"


def demo_without_a_lab(folder: Path) -> Path:
    """Return a copy of the demonstration pack that needs nothing of the lab's own files."""
    copy = folder / "demo"
    shutil.copytree(DEMO, copy, ignore=shutil.ignore_patterns("secrets", ".vault-password", "preuves", "envois"))
    password = folder / "temoin.password"
    password.write_text("phrase d'essai", encoding="utf-8")
    settings = copy / "pack.yml"
    lines = [line for line in settings.read_text(encoding="utf-8").splitlines() if not line.startswith("  racine:")]
    settings.write_text(
        "\n".join(lines).replace("/var/lib/packmairie-lab/keys/temoin.password", str(password)), encoding="utf-8"
    )
    return copy
