# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything stands on the web host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The folders that the sites are made from and into.

    ``data`` holds ``<INSEE>.json`` and ``initial`` the first files of each commune's folder, laid by packmairie.
    ``contents`` holds a folder for each commune, ``mail`` the messages that Postfix deposits; both belong to the
    account that builds. ``state`` remembers what was built.
    """

    data: Path = Path("/var/lib/packmairie/sites")
    initial: Path = Path("/var/lib/packmairie/contenus-initiaux")
    contents: Path = Path("/var/lib/packmairie/contenus")
    mail: Path = Path("/var/lib/packmairie/courrier-sites")
    state: Path = Path("/var/lib/packmairie/sites-etat")
    sites: Path = Path("/srv/sites")
    code: Path = Path(__file__).resolve().parent.parent

    @property
    def incoming(self) -> Path:
        """Messages to follow, each whole."""
        return self.mail / "nouveaux"

    @property
    def following(self) -> Path:
        """The message being followed; what is found there at a start was interrupted."""
        return self.mail / "en-cours"
