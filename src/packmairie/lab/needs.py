# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs from the machine, each need named with what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from packmairie.lab import commands, hosts, inheritance, network
from packmairie.lab.locking import held
from packmairie.model.problem import ExitCode, PackmairieError, Problem, fail

MINIMUM_DISK = 3 * 1024**3
INSTALLING = Path("/run/packmairie-besoins.lock")
APT_INSTALL = ("apt-get", "install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")


@dataclass(frozen=True)
class Tool:
    """A program that the lab runs and the Debian package that has it."""

    program: str
    package: str


TOOLS = (
    Tool("systemd-nspawn", "systemd-container"),
    Tool("mmdebstrap", "mmdebstrap"),
    Tool("tinyproxy", "tinyproxy-bin"),
    Tool("nft", "nftables"),
    Tool("ip", "iproute2"),
    Tool("ssh", "openssh-client"),
    Tool("ssh-keygen", "openssh-client"),
    Tool("mount", "mount"),
    Tool("unshare", "util-linux"),
    Tool("apt-config", "apt"),
    # Not for the hosts: what is backed up in them is restored on the machine.
    Tool("restic", "restic"),
)


def missing(state: Path) -> list[Problem]:
    """Return every need that this machine does not meet to boot hosts with their state in a folder.

    What can only be tried with the tools and as root is not tried without them.
    """
    if sys.platform != "linux":
        return [Problem("système", "le labo démarre des machines Linux", "le lancer sur une machine Linux")]
    problems = [*missing_tools(), *missing_kernel(), *missing_mirror(), *missing_disk(state)]
    if os.geteuid() != 0:
        problems.insert(0, Problem("droits", "démarrer des hôtes demande d'être root", "relancer avec sudo ou en root"))
    elif not problems:
        problems += refused_by_kernel()
    return problems


def missing_tools() -> list[Problem]:
    """Return a problem for each program that is not installed."""
    return [
        Problem(tool.program, "programme absent de cette machine", f"apt-get install {tool.package}")
        for tool in TOOLS
        if _find(tool.program) is None
    ]


def _find(program: str) -> str | None:
    # Administration programs live where an ordinary user's PATH does not look.
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def missing_kernel() -> list[Problem]:
    """Return a problem for each kernel ability that can be seen to be absent without being root."""
    problems = []
    filesystems = Path("/proc/filesystems").read_text().split()
    if "overlay" not in filesystems and not _module("overlay"):
        problems.append(Problem("overlayfs", "le noyau ne sait pas superposer des dossiers", "modprobe overlay"))
    if not hosts.cgroup_folders("packmairie"):
        problems.append(
            Problem(
                "cgroup v2",
                "la hiérarchie unifiée des cgroups n'est pas montée",
                "monter cgroup2 sur /sys/fs/cgroup/unified",
            )
        )
    return problems


def _module(name: str) -> bool:
    program = _find("modprobe")
    return program is not None and commands.run([program, "--dry-run", name]).returncode == 0


def missing_mirror() -> list[Problem]:
    """Return a problem when the machine has no Debian mirror to share with its lab."""
    if inheritance.read_sources():
        return []
    return [
        Problem(
            "/etc/apt",
            "aucune source apt de Debian (main, http ou https) à partager avec le labo",
            "déclarer un miroir Debian dans /etc/apt/sources.list.d",
        )
    ]


def missing_disk(state: Path) -> list[Problem]:
    """Return a problem when there is too little room for the images."""
    folder = state
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free >= MINIMUM_DISK:
        return []
    return [
        Problem(
            str(folder),
            f"{free / 1024**3:.1f} Gio libres, le labo en demande {MINIMUM_DISK // 1024**3}",
            "libérer de la place, ou choisir un autre dossier avec PACKMAIRIE_LAB",
        )
    ]


def refused_by_kernel() -> list[Problem]:
    """Try, as root, each thing that a container or a hardened kernel may refuse; undo it at once."""
    problems = []
    probe = f"pmt{os.getpid() % 100000}"
    attempts: tuple[tuple[str, list[str], list[str], str], ...] = (
        (
            "interface bridge",
            ["ip", "link", "add", probe, "type", "bridge"],
            ["ip", "link", "delete", probe],
            "modprobe bridge, ou sortir du conteneur",
        ),
        (
            "interface veth",
            ["ip", "link", "add", probe, "type", "veth", "peer", "name", f"{probe}p"],
            ["ip", "link", "delete", probe],
            "modprobe veth, ou sortir du conteneur",
        ),
        (
            "espaces de noms",
            ["unshare", "--net", "--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "true"],
            [],
            "lancer le labo hors d'un conteneur, ou dans un conteneur privilégié",
        ),
        (
            "nftables",
            ["nft", "add", "table", "inet", probe],
            ["nft", "delete", "table", "inet", probe],
            "modprobe nf_tables, ou sortir du conteneur",
        ),
    )
    for place, attempt, undo, remedy in attempts:
        result = commands.run(attempt)
        if result.returncode != 0:
            said = (result.stderr.strip() or "refusé").splitlines()[0]
            problems.append(Problem(place, f"le noyau refuse : {said}", remedy))
        elif undo:
            commands.run(undo)
    for group in hosts.cgroup_folders(probe):
        try:
            group.mkdir()
            group.rmdir()
        except OSError as error:
            problems.append(
                Problem(
                    str(group.parent),
                    f"impossible d'y créer un cgroup : {error.strerror}",
                    "sortir du conteneur",
                )
            )
    filtering = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    filtered = network.foreign_filter(
        commands.run(["nft", "-j", "list", "chains"]).stdout,
        filtering.read_text() if filtering.exists() else "0",
    )
    return [*problems, filtered] if filtered else problems


def install() -> list[str]:
    """Install, as root, the packages of the tools that are missing; return their names.

    Two labs that begin at the same time on one machine do it one after the other, and wait for another program's apt.
    Raise `PackmairieError` when not root or when apt refuses.
    """
    if not (packages := missing_packages()):
        return []
    if os.geteuid() != 0:
        raise fail("droits", "installer des paquets demande d'être root", f"sudo apt-get install {' '.join(packages)}")
    with held(INSTALLING, lambda _told: None):
        if packages := missing_packages():
            environment = {"DEBIAN_FRONTEND": "noninteractive"}
            apt_install = [*APT_INSTALL, *packages]
            if commands.run(apt_install, timeout=600, environment=environment).returncode != 0:
                commands.must(["apt-get", "-q", "update"], timeout=300)
                commands.must(apt_install, timeout=600, environment=environment)
    return packages


def missing_packages() -> list[str]:
    """Return the packages of the tools that are not installed."""
    return sorted({tool.package for tool in TOOLS if _find(tool.program) is None})


def require(state: Path) -> None:
    """Raise one error with every need that is not met; does nothing when all are."""
    problems = missing(state)
    if problems:
        raise PackmairieError(problems, ExitCode.UNAVAILABLE)
