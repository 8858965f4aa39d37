# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser that other labs leave alone: it looks at the platform from the network of ``monde``.

Chromium drops what it is loading whenever an interface comes or goes where it runs, as labs' interfaces do.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from packmairie.lab import Lab
from packmairie.lab.desk import first_process

CHROMIUM = Path("/usr/bin/chromium")


def chromium_in(lab: Lab, folder: Path) -> Path:
    """Given a lab whose ``monde`` runs, write in a folder the command that starts Chromium there; return its path."""
    command = ["nsenter", "--target", str(first_process(lab.host("monde"))), "--net", str(CHROMIUM)]
    script = folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return script
