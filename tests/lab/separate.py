# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs beside the usual one: a bridge, a folder and hosts of their own, so that neither disturbs the other."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from packmairie.lab import Lab, Network

# The usual lab is pmlab0 on 10.59.62.0/24.
NETWORKS = {
    "essai": Network("pmlab1", ipaddress.IPv4Network("10.59.63.0/24")),
    "voisin": Network("pmlab2", ipaddress.IPv4Network("10.59.64.0/24")),
    "atelier": Network("pmlab6", ipaddress.IPv4Network("10.59.72.0/24")),
    "repreneur": Network("pmlab7", ipaddress.IPv4Network("10.59.74.0/24")),
}


def separate_lab(name: str, *, packages: bool = False) -> Lab:
    """Return a lab of its own, empty, that shares the base image (and so the keys) of the usual one.

    With ``packages``, what the usual lab has downloaded already is at hand too. The caller ends with
    ``down(purge=True)``; what a crashed run left of it is removed first.
    """
    usual = Lab.open()
    usual.prepare()
    lab = Lab.open(usual.paths.state.with_name(f"{usual.paths.state.name}-{name}"), NETWORKS[name])
    lab.down(purge=True)
    lab.paths.make()
    shutil.rmtree(lab.paths.keys)
    shutil.copytree(usual.paths.keys, lab.paths.keys)
    link(usual.paths.images.glob("*base-*"), lab.paths.images)
    if packages:
        for source, destination in ((usual.paths.debs, lab.paths.debs), (usual.paths.wheelhouse, lab.paths.wheelhouse)):
            if source.is_dir():
                destination.mkdir(exist_ok=True)
                link(source.iterdir(), destination)
    return lab


def share_packages(lab: Lab) -> None:
    """Leave to the usual lab what the hosts of another have downloaded, for the next time."""
    if lab.harvest():
        link(lab.paths.debs.iterdir(), Lab.open().paths.debs)


def link(sources: Iterable[Path], destination: Path) -> None:
    """Copy folders by hard links; what is there already stays."""
    subprocess.run(["cp", "-aln", *sources, destination], check=True)
