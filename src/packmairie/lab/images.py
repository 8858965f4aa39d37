# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts are made of: a base Debian, the lists of its archive, and converged layers.

Each is a folder below `images/` that is never changed once a host stands on it;
a host is an overlay of them with a folder of its own on top.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from packmairie.lab import commands, keys
from packmairie.lab.inheritance import RELEASE, Inheritance
from packmairie.lab.paths import Paths, read_json, write_atomically, write_json

Progress = Callable[[str], None]

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "python3-apt",
    "ca-certificates",
    "iproute2",
    "nftables",
)
RECIPE = 5
"""Raised whenever `build_base` makes something else of the same input."""
LISTS_AGE = 24 * 3600
APT_CACHE = Path("var/cache/apt/archives")
APT_LISTS = Path("var/lib/apt/lists")
_PACKAGE_CACHES = ("var/cache/apt", "var/lib/apt/lists")
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")


@dataclass(frozen=True)
class Layer:
    """A converged host kept to start others from: its tree, and the layers below it, nearest first."""

    name: str
    digest: str
    folder: Path
    below: tuple[str, ...]
    made: float

    @property
    def tree(self) -> Path:
        """The files."""
        return self.folder / "tree"

    @property
    def base(self) -> str:
        """Name of the base that it stands on."""
        return self.below[-1]


def base_digest(inheritance: Inheritance, authority: str) -> str:
    """Return what identifies a base: its recipe, packages, inherited settings and trusted authority.

    Nothing of it depends on the lab's network: labs can share a base.
    """
    parts = [
        str(RECIPE),
        RELEASE,
        *PACKAGES,
        inheritance.sources_file(),
        *inheritance.options,
        authority,
        *(path.read_text() for path in inheritance.authorities),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def tree_digest(paths: Iterable[Path], *more: str) -> str:
    """Return a digest of files and folders (names and contents) and of further texts, for `layer` names."""
    digest = hashlib.sha256()
    for root in sorted(paths):
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root.parent)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    for text in more:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()[:12]


def chroot(root: Path, argv: list[str], timeout: float = 120) -> str:
    """Run a program of a tree inside it and return its output."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
    return commands.must(["chroot", root, *argv], timeout=timeout, environment=environment)


def base(paths: Paths, inheritance: Inheritance, progress: Progress) -> Path:
    """Return the folder of the base Debian, built on first use (half a minute)."""
    certificate, _ = keys.authority(paths)
    digest = base_digest(inheritance, certificate.read_text())
    folder = paths.images / f"base-{digest}"
    if folder.is_dir():
        return folder
    progress("construction de l'image Debian de base (une fois, ~40 s)…")
    started = time.monotonic()
    building = paths.images / f".base-{digest}"
    remove_tree(building)
    build_base(building, inheritance, certificate)
    building.rename(folder)
    progress(f"image de base construite en {time.monotonic() - started:.0f} s")
    return folder


def build_base(root: Path, inheritance: Inheritance, certificate: Path) -> None:
    """Make a minimal Debian at `root` with mmdebstrap, then what every lab host has in common."""
    sources = [f"deb {source.uri} {suite} main" for source in inheritance.sources for suite in source.suites]
    options = [f"--aptopt={line}" for line in inheritance.options]
    commands.must(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            *options,
            RELEASE,
            root,
            *sources,
        ],
        timeout=900,
    )
    etc = root / "etc"
    (etc / "apt/sources.list").unlink(missing_ok=True)
    write_atomically(etc / "apt/sources.list.d/debian.sources", inheritance.sources_file())
    write_atomically(etc / "apt/apt.conf.d/99zz-labo", inheritance.apt_options())
    (etc / "apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    (etc / "resolv.conf").unlink(missing_ok=True)
    for key in (etc / "ssh").glob("ssh_host_*"):
        key.unlink()
    trusted = root / "usr/local/share/ca-certificates"
    for authority in (*inheritance.authorities, certificate):
        shutil.copyfile(authority, trusted / f"labo-{authority.name}")
    (root / "var/log/journal").mkdir(exist_ok=True)
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    chroot(root, ["update-ca-certificates"])
    chroot(root, ["systemctl", "enable", "systemd-networkd.service"])
    chroot(root, ["systemctl", "mask", "console-getty.service", "systemd-networkd-persistent-storage.service"])


def lists(
    paths: Paths,
    base_folder: Path,
    proxy: str,
    progress: Progress,
    *,
    mount: Callable[..., None],
    unmount: Callable[[Path], None],
) -> Path:
    """Return a layer with the archive's package lists, renewed when it is older than a day.

    Given the URL of the apt proxy, which must be up, and how to mount and unmount an
    overlay.
    """
    kept = sorted(paths.images.glob(f"lists-{base_folder.name}-*"))
    if kept and time.time() - int(kept[-1].name.rsplit("-", 1)[1]) < LISTS_AGE:
        return kept[-1]
    progress("mise à jour des listes de paquets…")
    scratch = paths.images / ".lists"
    unmount(scratch / "root")
    remove_tree(scratch)
    for name in ("upper", "work", "root"):
        (scratch / name).mkdir(parents=True)
    mount(scratch / "root", [base_folder], scratch / "upper", scratch / "work")
    try:
        options = [f"-oAcquire::{scheme}::Proxy={proxy}" for scheme in ("http", "https")]
        chroot(scratch / "root", ["apt-get", "-qq", *options, "-oAcquire::Retries=3", "update"], timeout=300)
    finally:
        unmount(scratch / "root")
    folder = paths.images / f"lists-{base_folder.name}-{int(time.time())}"
    target = scratch / "layer" / APT_LISTS
    target.parent.mkdir(parents=True)
    (scratch / "upper" / APT_LISTS).rename(target)
    (scratch / "layer").rename(folder)
    remove_tree(scratch)
    return folder


def layer(paths: Paths, name: str, digest: str, base_folder: Path | None = None) -> Layer | None:
    """Return the layer kept under this name and digest, unless absent or made on another base."""
    folder = paths.images / f"{name}-{digest}"
    value = read_json(folder / "layer.json")
    if not value or not (folder / "tree").is_dir():
        return None
    found = Layer(name, digest, folder, tuple(value["below"]), float(value["made"]))
    if base_folder is not None and found.base != base_folder.name:
        return None
    if not all((paths.images / below).is_dir() for below in found.below):
        return None
    return found


def lowers(paths: Paths, chosen: Layer | None, base_folder: Path, lists_folder: Path) -> list[Path]:
    """Return the folders under a new host, nearest first."""
    above = []
    if chosen is not None:
        above = [chosen.tree, *(paths.images / below / "tree" for below in chosen.below[:-1])]
    return [*above, paths.debs, lists_folder, base_folder]


def keep(paths: Paths, upper: Path, name: str, digest: str, below: tuple[str, ...]) -> Layer:
    """Turn the upper folder of a stopped host into a layer (moved, not copied) and return it.

    Package caches and lists are left out: they have layers of their own.
    """
    folder = paths.images / f"{name}-{digest}"
    building = paths.images / f".{name}-{digest}"
    remove_tree(building)
    building.mkdir()
    for cache in _PACKAGE_CACHES:
        remove_tree(upper / cache)
    for volatile in ("tmp", "var/tmp", "var/log/journal"):
        for entry in (upper / volatile).glob("*"):
            remove_tree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    upper.rename(building / "tree")
    made = time.time()
    write_json(building / "layer.json", {"below": list(below), "made": made})
    remove_tree(folder)
    building.rename(folder)
    return Layer(name, digest, folder, below, made)


def prune(paths: Paths, used: Iterable[Path]) -> list[Path]:
    """Remove the layers, lists and bases that are neither the newest of their name nor in use.

    Given the folders that hosts stand on now. Return what was removed.
    """
    kept = {folder.resolve() for folder in used}
    newest: dict[str, tuple[float, Path]] = {}
    for folder in paths.images.iterdir():
        if folder.name.startswith("."):
            continue
        name = folder.name.rsplit("-", 1)[0].split("-base-")[0]
        made = float(read_json(folder / "layer.json").get("made", folder.stat().st_mtime))
        if folder.name.startswith("lists-"):
            made = float(folder.name.rsplit("-", 1)[1])
        if name not in newest or newest[name][0] < made:
            newest[name] = (made, folder)
    kept |= {folder.resolve() for _, folder in newest.values()}
    for folder in list(kept):
        top = folder.parent if folder.name == "tree" else folder
        kept.add(top)
        for below in read_json(top / "layer.json").get("below", []):
            kept.add((paths.images / below).resolve())
    removed = []
    # What starts with a dot was being built when something crashed.
    for folder in paths.images.iterdir():
        if folder.resolve() not in kept:
            remove_tree(folder)
            removed.append(folder)
    return removed


def harvest(paths: Paths, upper: Path) -> int:
    """Move the packages that a host downloaded to the shared layer; return how many were new."""
    source, target = upper / APT_CACHE, paths.debs / APT_CACHE
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for package in source.glob("*.deb") if source.is_dir() else ():
        destination = target / package.name
        if package.is_file() and not destination.exists():
            os.link(package, destination)
            count += 1
    return count


def remove_tree(path: Path) -> None:
    """Remove a folder of ours if it is there; refuses to enter anything still mounted."""
    if path.is_symlink() or not path.exists():
        return
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    if any(point == str(path) or point.startswith(f"{path}/") for point in mounted):
        raise RuntimeError(f"{path} is still mounted")
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
