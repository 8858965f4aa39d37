#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workstation tells of itself, as one line of JSON; reads only. Sent by SSH, or run by the puller itself."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from typing import Any

SKIPPED_DISKS = ("zram", "loop", "ram", "nbd")


def text(path: str) -> str:
    """Return the content of a file, empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def out(*words: str) -> tuple[int | None, str]:
    """Run a program; return its exit status (None when it cannot be run) and what it said."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, ""
    return done.returncode, done.stdout


def stamp(path: str) -> float | None:
    """Return when a file was last written, None when there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def support_of(codename: str | None) -> str | None:
    """Return the last day of Debian's security support, LTS included, by the archive's own table."""
    try:
        with open("/usr/share/distro-info/debian.csv", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["series"] == codename:
                    return row.get("eol-lts") or row.get("eol")
    except OSError:
        pass
    return None


def disks() -> list[dict[str, Any]]:
    """Return each disk, and what SMART says of it."""
    code, tree = out("lsblk", "-J", "-b", "-o", "NAME,TYPE,SIZE,MODEL,PATH")
    found = []
    for disk in json.loads(tree)["blockdevices"] if code == 0 and tree else []:
        if disk["type"] != "disk" or disk["name"].startswith(SKIPPED_DISKS) or not disk["size"]:
            continue
        _code, said = out("smartctl", "-j", "-H", "-A", disk["path"])
        try:
            smart = json.loads(said)
        except ValueError:
            smart = {}
        found.append(
            {
                "name": disk["name"],
                "model": disk["model"] or "",
                "octets": int(disk["size"]),
                "healthy": smart.get("smart_status", {}).get("passed"),
                "wear": smart.get("nvme_smart_health_information_log", {}).get("percentage_used"),
                "hours": smart.get("power_on_time", {}).get("hours"),
            }
        )
    return found


def encrypted() -> bool | None:
    """Tell whether everything below the root goes through LUKS, None when it cannot be told."""
    code, source = out("findmnt", "-n", "-o", "SOURCE", "/")
    if code != 0 or not source.startswith("/dev/"):
        return None
    code, kinds = out("lsblk", "-n", "-s", "-o", "TYPE", source.strip().split("[")[0])
    return "crypt" in kinds.split() if code == 0 and kinds.strip() else None


def security_updates() -> int | None:
    """Return how many security updates wait, None when apt does not say."""
    code, said = out("apt-get", "-s", "-o", "Debug::NoLocking=1", "dist-upgrade")
    waiting = [line for line in said.splitlines() if line.startswith("Inst ") and "Debian-Security" in line]
    return len(waiting) if code == 0 else None


def facts() -> dict[str, Any]:
    """Return everything, as plain data."""
    pairs = (line.split("=", 1) for line in text("/etc/os-release").splitlines() if "=" in line)
    release = {key: value.strip('"') for key, value in pairs}
    _code, failed = out("systemctl", "list-units", "--failed", "--plain", "--no-legend")
    _code, tables = out("nft", "list", "chain", "inet", "packmairie", "input")
    memory = [line.split()[1] for line in text("/proc/meminfo").splitlines() if line.startswith("MemTotal:")]
    # Both change when lists were really looked up, and not when a package was installed.
    stamps = [stamp("/var/lib/apt/periodic/update-stamp"), stamp("/var/lib/apt/lists")]
    return {
        "maker": text("/sys/class/dmi/id/sys_vendor"),
        "model": text("/sys/class/dmi/id/product_name"),
        "serial": text("/sys/class/dmi/id/product_serial"),
        "memory": int(memory[0]) * 1024 if memory else 0,
        "system": release.get("PRETTY_NAME", ""),
        "support": support_of(release.get("VERSION_CODENAME")),
        "encrypted": encrypted(),
        "disks": disks(),
        "updated": max([moment for moment in stamps if moment], default=None),
        "security": security_updates(),
        "failed": [line.split()[0] for line in failed.splitlines() if line.strip()],
        "reboot": os.path.exists("/run/reboot-required"),
        "container": out("systemd-detect-virt", "--container", "--quiet")[0] == 0,
        "protections": {
            "pare-feu": "policy drop" in tables,
            "AppArmor": text("/sys/module/apparmor/parameters/enabled") == "Y",
            "USBGuard": out("systemctl", "is-active", "--quiet", "usbguard.service")[0] == 0,
        },
    }


if __name__ == "__main__":
    print(json.dumps(facts()))
