#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell in one execution whether a host is still as its last full run left it, for the same wish."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packmairie_constat
short_description: Tell whether a host is still as its last full run left it
description:
  - With C(keep), at the end of a run that went well, remembers what was wished and how the host stands.
  - With C(compare), before a run, says C(unchanged) only when the wish is the same and nothing that the roles look at
    has been touched since - packages, accounts, files (their content's time, their attributes), units, boot.
  - Whatever it does not know, or has known for too long, is not unchanged. It never changes what roles manage.
options:
  phase:
    description: Which of the two.
    type: str
    choices: [compare, keep]
    required: true
  wish:
    description: Digest of everything that the run would apply (roles, modules, variables, files); computed by the
      action of the same name with C(compare), which returns it.
    type: str
    required: true
  hours:
    description: How long an observation is worth something.
    type: int
    default: 20
author:
  - packmairie
"""

EXAMPLES = r"""
- name: See whether anything is to be done
  packmairie_constat:
    phase: compare
"""

RETURN = r"""
unchanged:
  description: Whether a full run would find everything as it wishes it.
  type: bool
  returned: always
why:
  description: What tells otherwise.
  type: str
  returned: always
"""

import hashlib
import json
import os
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

STATE = "/var/lib/packmairie/constat.json"
FORMAT = 1
ROOTS = ("/etc", "/usr/local", "/var/lib/packmairie", "/root/.ssh")
SINGLE = (
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/updates",
    "/usr/lib/locale/locale-archive",
    "/usr/share/pam-configs",
    "/usr/lib/thunderbird/packmairie.cfg",
)
LIVING = frozenset(
    (
        STATE,
        "/etc/.pwd.lock",
        "/etc/adjtime",
        "/etc/cups",
        "/etc/mtab",
        "/etc/resolv.conf",
        "/var/lib/packmairie/sauvegarde",
        "/var/lib/packmairie/tirage",
    )
)
"""What changes by itself, and that no role of a workstation lays."""
TREES = "/var/lib/packmairie/trees"
UNIT_PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "Type", "RemainAfterExit")
OWN_UNITS = (
    "nftables.service",
    "ssh.service",
    "unattended-upgrades.service",
    "systemd-journald.service",
    "packmairie-*",
    "fichiers-*",
    "pcscd.socket",
    "usbguard.service",
    "apparmor.service",
    "smartmontools.service",
)


def stamp(path):
    """Return what changes with a file: place, kind, attributes, times; the time of the inode cannot be set by hand."""
    try:
        facts = os.lstat(path)
    except OSError:
        return f"{path}\0absent"
    link = os.readlink(path) if os.path.islink(path) else ""
    shown = (facts.st_mode, facts.st_uid, facts.st_gid, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, link)
    return f"{path}\0{shown}"


def walk(path):
    """Yield the stamps of a file or of everything below a folder."""
    if path in LIVING:
        return
    yield stamp(path)
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from walk(os.path.join(path, name))


def owned_elsewhere():
    """Return the files of the trees that stand outside of what is walked anyway."""
    found = set()
    for name in sorted(os.listdir(TREES)) if os.path.isdir(TREES) else ():
        with open(os.path.join(TREES, name), encoding="utf-8") as handle:
            found.update(json.load(handle)["owned"])
    return sorted(path for path in found if not path.startswith(tuple(root + "/" for root in ROOTS)))


def homes():
    """Return the folders of the people of this host."""
    return sorted(os.path.join("/home", name) for name in (os.listdir("/home") if os.path.isdir("/home") else ()))


def attributes(path):
    """Return the owner and the mode of a folder whose content is nobody's business."""
    try:
        facts = os.lstat(path)
    except OSError:
        return f"{path}\0absent"
    return f"{path}\0{facts.st_mode} {facts.st_uid} {facts.st_gid}"


def standing(block):
    """Given what systemctl shows of a unit, return what is wished of it.

    That a backup or a pull is under way, went well or failed says nothing of that.
    """
    lines = sorted(block.splitlines())
    if "Type=oneshot" in lines and "RemainAfterExit=no" in lines:
        lines = [line for line in lines if not line.startswith("ActiveState=")]
    return "\n".join(lines)


def observe(module):
    """Return {part: digest} of how this host stands."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
        boot = handle.read()
    parts = {root: list(walk(root)) for root in ROOTS}
    parts["paquets et fichiers"] = [line for path in (*SINGLE, *owned_elsewhere()) for line in walk(path)]
    parts["dossiers personnels"] = [attributes(path) for path in homes()]
    parts["démarrage"] = [boot]
    properties = [f"-p{name}" for name in UNIT_PROPERTIES]
    code, out, _err = module.run_command(["systemctl", "show", "--all", *properties, *OWN_UNITS])
    parts["unités"] = sorted(standing(block) for block in out.split("\n\n")) if code == 0 else [str(time.time())]
    return {
        name: hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        for name, lines in parts.items()
    }


def remembered():
    """Return what the last full run remembered, empty when nothing readable is there."""
    try:
        with open(STATE, encoding="utf-8") as handle:
            data = json.load(handle)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and data.get("format") == FORMAT else {}


def keep(content):
    """Write what is remembered, atomically."""
    os.makedirs(os.path.dirname(STATE), 0o755, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".constat", dir="/run")
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(content, handle, sort_keys=True)
    # Not by a rename: the folder itself is observed, and its time must not change.
    with open(temporary, encoding="utf-8") as written, open(STATE, "w", encoding="utf-8") as handle:
        handle.write(written.read())
    os.unlink(temporary)


def difference(known, wish, now, hours, observed):
    """Return why a host must be gone through again, empty when it need not."""
    if not known:
        return "jamais constaté"
    if known.get("voeu") != wish:
        return "l'état voulu a changé"
    if not 0 <= now - float(known.get("le", 0)) < hours * 3600:
        return "constat trop ancien"
    before = known.get("etat", {})
    touched = sorted(name for name in {*before, *observed} if before.get(name) != observed.get(name))
    return "touché depuis : " + ", ".join(touched) if touched else ""


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "phase": {"type": "str", "choices": ["compare", "keep"], "required": True},
            "wish": {"type": "str", "required": True},
            "hours": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    wish, now = module.params["wish"], time.time()
    if module.params["phase"] == "keep":
        if not module.check_mode:
            # Written before it is looked at: its first writing touches its folder, on an overlay even where it was.
            keep({})
            keep({"format": FORMAT, "voeu": wish, "le": now, "etat": observe(module)})
        module.exit_json(changed=False, unchanged=True, why="")
    why = difference(remembered(), wish, now, module.params["hours"], observe(module))
    module.exit_json(changed=False, unchanged=not why, why=why)


if __name__ == "__main__":
    main()
