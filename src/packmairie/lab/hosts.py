# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab host: an overlay on the images, booted by systemd-nspawn, stopped by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from packmairie.lab import commands, images, inheritance, keys, processes
from packmairie.lab.network import Network
from packmairie.lab.paths import Paths, read_json, write_atomically, write_json
from packmairie.model.problem import fail

STOP_SECONDS = 25
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_PER_HOST = 16
"""A host's own systemd and services open some eight of them, which this machine's root all pays for: 128 by default."""
_CGROUP_ROOT = Path("/sys/fs/cgroup")
_ENTER_CGROUPS = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs" || exit 3; shift; n=$((n-1)); done; exec "$@"'
)
"""Put this process into the given cgroups, then become the given program: the process id stays."""


@dataclass(frozen=True)
class Host:
    """A host's name, addresses and folder."""

    name: str
    addresses: tuple[str, ...]
    folder: Path
    network: Network

    @property
    def address(self) -> str:
        """The main address."""
        return self.addresses[0]

    @property
    def root(self) -> Path:
        """Where the overlay is mounted."""
        return self.folder / "root"

    @property
    def upper(self) -> Path:
        """What the host has written."""
        return self.folder / "upper"

    @property
    def record(self) -> Path:
        """The record of its nspawn process."""
        return self.folder / "process.json"

    @property
    def console(self) -> Path:
        """Its console log."""
        return self.folder / "console.log"

    @property
    def machine(self) -> str:
        """Name that nspawn uses on this machine, unique among labs."""
        return f"{self.network.bridge}-{self.name}"

    @property
    def process(self) -> processes.Recorded | None:
        """Its nspawn process, if it runs."""
        return processes.recorded(self.record)

    @property
    def created(self) -> bool:
        """Say whether it has a disk to boot from; one from before the machine last booted is not trusted."""
        same_boot = read_json(self.folder / "host.json").get("machine_boot") == machine_boot()
        return same_boot and bool(self.lowers) and self.upper.is_dir()

    @property
    def lowers(self) -> list[Path]:
        """The folders that it stands on, nearest first; empty when it does not exist (any more)."""
        recorded = [Path(text) for text in read_json(self.folder / "host.json").get("lowers", [])]
        return recorded if all(path.is_dir() for path in recorded) else []

    @property
    def layer(self) -> str:
        """Name and digest of the converged layer that it was created from, or an empty string."""
        return str(read_json(self.folder / "host.json").get("layer", ""))


def machine_boot() -> str:
    """Return what identifies the time since this machine booted (see random(4), boot_id)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def cgroup_folders(machine: str, root: Path = _CGROUP_ROOT) -> list[Path]:
    """Return the cgroup folders to make for one host.

    One of the unified hierarchy, wherever it is mounted, and one of systemd's own
    hierarchy where the machine has a hybrid setup.
    """
    if (root / "cgroup.controllers").exists():
        return [root / machine]
    return [root / tree / machine for tree in ("unified", "systemd") if (root / tree / "cgroup.procs").exists()]


def mount_overlay(root: Path, lowers: list[Path], upper: Path, work: Path) -> None:
    """Mount an overlay at `root`. Raise when the kernel refuses.

    It is volatile: nothing waits for the disk, so packages install in half the time,
    and a host whose machine lost power must be made anew (see `Host.created`).
    """
    # The kernel marks such an overlay as not to be mounted twice; a crash of the host alone harms nothing.
    images.remove_tree(work / "work/incompat")
    lower = ":".join(str(folder) for folder in lowers)
    options = f"volatile,lowerdir={lower},upperdir={upper},workdir={work}"
    commands.must(["mount", "-t", "overlay", "overlay", "-o", options, root])


def unmount(root: Path) -> None:
    """Unmount whatever is mounted at and below `root`; lazily when it is still busy."""
    for _ in range(20):
        points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        below = [point for point in points if point == str(root) or point.startswith(f"{root}/")]
        if not below:
            return
        deepest = max(below, key=len)
        if commands.run(["umount", deepest]).returncode != 0:
            commands.run(["umount", "--lazy", deepest])
    raise fail(str(root), "impossible de démonter ce dossier", f"umount --lazy {root}")


def create(host: Host, paths: Paths, lowers: list[Path], layer: str) -> None:
    """Give a stopped host a fresh disk above `lowers` and its identity; nothing is booted."""
    release(host)
    for name in ("upper", "work"):
        images.remove_tree(host.folder / name)
    for name in ("upper", "work", "root"):
        (host.folder / name).mkdir(parents=True, exist_ok=True)
    write_identity(host, paths)
    write_json(
        host.folder / "host.json",
        {
            "lowers": [str(path) for path in lowers],
            "layer": layer,
            "addresses": list(host.addresses),
            "machine_boot": machine_boot(),
        },
    )


def write_identity(host: Host, paths: Paths) -> None:
    """Write what makes this host itself in its upper folder: name, network, machine-id, SSH keys."""
    etc, net = host.upper / "etc", host.network
    write_atomically(etc / "hostname", f"{host.name}\n")
    write_atomically(etc / "machine-id", f"{keys.machine_id(paths, host.name)}\n", 0o444)
    write_atomically(etc / "hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {host.name}\n")
    write_atomically(etc / "systemd/network/10-labo.network", network_file(host.addresses))
    write_atomically(etc / "resolv.conf", f"nameserver {net.resolver}\noptions timeout:2 attempts:2\n")
    write_atomically(etc / "apt/apt.conf.d/99zz-labo-mandataire", inheritance.proxy_options(net.proxy))
    # sshd keeps out whoever connects without logging in too often; the lab looks at its banner.
    write_atomically(etc / "ssh/sshd_config.d/05-labo.conf", f"PerSourcePenaltyExemptList {net.machine}\n")
    # Some services (rspamd among them) wait out their clients; a lab host is thrown away.
    write_atomically(etc / "systemd/system.conf.d/labo.conf", "[Manager]\nDefaultTimeoutStopSec=4s\n")
    private = keys.host_key(paths, host.name)
    for source, mode in ((private, 0o600), (private.with_suffix(".pub"), 0o644)):
        write_atomically(etc / "ssh" / source.name, source.read_bytes(), mode)
    public = keys.technician_key(paths).with_suffix(".pub").read_text()
    write_atomically(host.upper / "root/.ssh/authorized_keys", public, 0o600)
    for folder in (host.upper / "root", host.upper / "root/.ssh"):
        folder.chmod(0o700)
    # A timer that was never run starts at boot; its apt would hold the lock that tests need.
    for timer in images.TIMERS:
        write_atomically(host.upper / "var/lib/systemd/timers" / f"stamp-{timer}", "")


def network_file(addresses: tuple[str, ...]) -> str:
    """Return the systemd.network(5) file of a host: its addresses, and no route to anywhere else."""
    lines = ["[Match]", "Name=host0", "", "[Network]", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    lines += ["LLMNR=no", "MulticastDNS=no", *(f"Address={address}/24" for address in addresses)]
    return "\n".join(lines) + "\n"


def boot(host: Host) -> processes.Recorded:
    """Mount the disk of a created, stopped host and start it; does not wait for it to be up."""
    release(host)
    mount_overlay(host.root, host.lowers, host.upper, host.folder / "work")
    groups = cgroup_folders(host.machine)
    for group in groups:
        group.mkdir(exist_ok=True)
    return processes.start(
        [
            "sh",
            "-c",
            _ENTER_CGROUPS,
            "sh",
            str(len(groups)),
            *groups,
            "systemd-nspawn",
            "--quiet",
            f"--directory={host.root}",
            f"--machine={host.machine}",
            f"--hostname={host.name}",
            f"--network-bridge={host.network.bridge}",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=pipe",
        ],
        host.record,
        host.console,
        # systemd 257 does not boot on a machine with hybrid cgroups without it.
        {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
    )


def make_room(count: int) -> None:
    """Raise the machine's limit on inotify instances to what this many hosts may open; it is never lowered."""
    wanted = count * INOTIFY_PER_HOST
    if int(INOTIFY.read_text(encoding="ascii")) < wanted:
        INOTIFY.write_text(f"{wanted}\n", encoding="ascii")


def stop(running: list[Host], seconds: float = STOP_SECONDS) -> None:
    """Stop hosts in order, all at once: shut down, and after `seconds` end; then free their mounts."""
    for host in running:
        process = host.process
        if process is not None:
            process.signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for host in running:
        process = host.process
        if process is not None and not process.wait(max(0.0, deadline - time.monotonic())):
            process.signal(signal.SIGKILL)
            process.wait(5)
        release(host)


def release(host: Host) -> None:
    """Free what a stopped (or crashed) host left: processes, cgroups, mounts, nspawn's own folder."""
    if host.process is not None:
        raise RuntimeError(f"{host.name} still runs")
    for group in cgroup_folders(host.machine):
        empty_cgroup(group)
    unmount(host.root)
    propagate = Path("/run/systemd/nspawn/propagate") / host.machine
    if propagate.is_dir():
        unmount(propagate)
        shutil.rmtree(propagate, ignore_errors=True)
    host.record.unlink(missing_ok=True)


def empty_cgroup(group: Path) -> None:
    """Kill what is left in a cgroup of ours and remove it."""
    if not group.is_dir():
        return
    kill = group / "cgroup.kill"
    if kill.exists():
        kill.write_text("1")
    for _ in range(100):
        if not members(group):
            break
        time.sleep(0.05)
    for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        _remove_cgroup(folder)
    _remove_cgroup(group)


def _remove_cgroup(folder: Path) -> None:
    """Remove one cgroup; the kernel may need a moment after its last process has gone."""
    for _ in range(20):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return


def members(group: Path) -> list[int]:
    """Return the ids of the processes in a cgroup and all below it."""
    found: list[int] = []
    for file in [group / "cgroup.procs", *group.rglob("cgroup.procs")]:
        try:
            found.extend(int(line) for line in file.read_text().split() if line != "0")
        except OSError:
            continue
    return sorted(set(found))


def memory(host: Host) -> int:
    """Return the memory of a host's processes in bytes, what they share counted once (PSS)."""
    total = 0
    for pid in members(cgroup_folders(host.machine)[0]):
        try:
            text = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return total * 1024


def leftovers(network: Network) -> list[str]:
    """Return the names of cgroups of this lab on the machine: hosts of a state folder that vanished."""
    found = set()
    for group in cgroup_folders("x"):
        if os.access(group.parent, os.R_OK):
            found |= {path.name for path in group.parent.glob(f"{network.bridge}-*")}
    return sorted(found)
