#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make services run what their files say, whatever interrupted the run that wrote them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packmairie_services
short_description: Make services run what their files say
description:
  - A handler is lost when a run dies between a file and its reload; the next run finds the file as wished and the
    service keeps what it read before. This module compares what each service has read with what stands on disk.
  - What a service has read is remembered as a digest, taken before it is told to read. The configuration is checked
    first; one that is refused leaves the service as it is, and the task fails.
  - Services are followed in the order of the list.
options:
  services:
    description: What to follow.
    type: list
    elements: dict
    required: true
    suboptions:
      unit:
        description: The systemd unit.
        type: str
        required: true
      restart:
        description: Files and folders whose change needs a restart. A link counts by where it leads.
        type: list
        elements: path
        default: []
      reload:
        description: Files and folders whose change needs a reload.
        type: list
        elements: path
        default: []
      check:
        description: Commands that say whether the configuration is good.
        type: list
        elements: str
        default: []
      reload_command:
        description: Command that makes the service read its files, where its unit has no reload of its own.
        type: str
      ready:
        description: Socket or file that appears once the service answers; waited for after a start.
        type: path
      active:
        description: Whether it runs by itself. A service that something else starts (a timer, a path) is only enabled.
        type: bool
        default: true
      wanted:
        description: False for a unit of a package that must neither run nor start.
        type: bool
        default: true
author:
  - packmairie
"""

EXAMPLES = r"""
- name: Make Knot run what its files say
  packmairie_services:
    services:
      - unit: knot.service
        restart: [/etc/knot/knot.conf, /etc/systemd/system/knot.service.d]
        reload: [/etc/knot/communes]
        check: [knotc -c /etc/knot/knot.conf conf-check]
"""

RETURN = r"""
changes:
  description: One entry a unit that was started, restarted, reloaded, enabled or disabled.
  type: list
  returned: always
pending:
  description: Whether systemd has files of its own to read again, which check mode leaves as they are.
  type: bool
  returned: always
"""

import hashlib
import json
import os
import re
import shlex
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

STATE_FOLDER = "/var/lib/packmairie/services"
READY_SECONDS = 60


def fingerprint(paths):
    """Return a digest of files and folders; what is absent counts as absent.

    The time counts beside the content: a file changed by hand, read by its service and put back as it was must be read
    again, though it is the one that was read before.
    """
    total = hashlib.sha256()

    def add(path):
        if os.path.islink(path):
            total.update(f"{path}\0lien {os.readlink(path)}\0".encode())
        elif os.path.isdir(path):
            for name in sorted(os.listdir(path)):
                add(os.path.join(path, name))
        elif os.path.isfile(path):
            with open(path, "rb") as handle:
                written = os.fstat(handle.fileno()).st_mtime_ns
                total.update(f"{path}\0{written}\0".encode() + hashlib.sha256(handle.read()).digest())

    for path in paths:
        add(path)
    return total.hexdigest()


class Follower:
    """One pass over the services."""

    def __init__(self, module):
        self.module = module
        self.changes = []
        self.pending = False

    def systemctl(self, *words):
        """Run systemctl; fail with what it says."""
        code, out, err = self.module.run_command(["systemctl", *words])
        if code != 0:
            self.module.fail_json(
                msg="systemctl {} : {} ; lire journalctl -u {}".format(
                    " ".join(words), (err or out).strip(), words[-1]
                ),
                changes=self.changes,
            )

    def show(self, unit, *properties):
        """Return properties of a unit."""
        _code, out, _err = self.module.run_command(["systemctl", "show", *[f"-p{name}" for name in properties], unit])
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def note(self, unit, what, action="update"):
        """Record a change."""
        self.changes.append({"action": action, "path": unit, "commune": None, "detail": what})

    def known(self, unit):
        """Return the digests of what a unit had read when it was last told to."""
        try:
            with open(os.path.join(STATE_FOLDER, unit), encoding="utf-8") as handle:
                return json.load(handle)
        except (OSError, ValueError):
            return {}

    def remember(self, unit, digests):
        """Keep the digests of what a unit has read, atomically."""
        os.makedirs(STATE_FOLDER, 0o755, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=STATE_FOLDER, prefix=".")
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            json.dump(digests, handle)
        os.replace(temporary, os.path.join(STATE_FOLDER, unit))

    def disable(self, unit):
        """Stop a unit that must not run, and keep it from starting."""
        facts = self.show(unit, "LoadState", "ActiveState", "UnitFileState")
        if facts.get("LoadState") != "loaded":
            return
        if facts.get("ActiveState") in ("active", "activating") or facts.get("UnitFileState") == "enabled":
            if not self.module.check_mode:
                self.systemctl("disable", "--now", "--quiet", unit)
            self.note(unit, "désactivé", "delete")

    def follow(self, service):
        """Bring one unit to what its files say."""
        unit = service["unit"]
        digests = {"restart": fingerprint(service["restart"]), "reload": fingerprint(service["reload"])}
        facts = self.show(unit, "LoadState", "ActiveState", "UnitFileState")
        if facts.get("LoadState") == "not-found" and self.module.check_mode:
            self.note(unit, "démarré", "create")
            return
        if facts.get("UnitFileState") == "disabled":
            if not self.module.check_mode:
                self.systemctl("enable", "--quiet", unit)
            self.note(unit, "activé au démarrage", "create")
        if not service["active"]:
            return
        known = self.known(unit)
        if facts.get("ActiveState") != "active":
            verb = "start"
        elif service["restart"] and known.get("restart") != digests["restart"]:
            verb = "restart"
        elif service["reload"] and known.get("reload") != digests["reload"]:
            verb = "reload"
        else:
            return
        self.note(unit, {"start": "démarré", "restart": "redémarré", "reload": "relu"}[verb])
        if not self.module.check_mode:
            self.act(service, verb)
            self.remember(unit, digests)

    def act(self, service, verb):
        """Check the configuration, then start, restart or reload; wait until the service answers."""
        unit = service["unit"]
        for command in service["check"]:
            code, out, err = self.module.run_command(shlex.split(command))
            if code != 0:
                self.module.fail_json(
                    msg=f"{unit} : configuration refusée, le service garde l'ancienne : {(err or out).strip()[-2000:]}",
                    changes=self.changes[:-1],
                )
        if verb == "reload" and service["reload_command"]:
            self.module.run_command(shlex.split(service["reload_command"]), check_rc=True)
        else:
            self.systemctl(verb, unit)
        if service["ready"]:
            deadline = time.monotonic() + READY_SECONDS
            while not os.path.exists(service["ready"]):
                if time.monotonic() > deadline:
                    self.module.fail_json(msg=f"{unit} ne répond pas après {READY_SECONDS} s : journalctl -u {unit}")
                time.sleep(0.1)

    def run(self, services):
        """Follow every service, after systemd has read its own files."""
        units = [service["unit"] for service in services]
        _code, out, _err = self.module.run_command(["systemctl", "show", "-pNeedDaemonReload", *units])
        self.pending = "NeedDaemonReload=yes" in out and self.module.check_mode
        if "NeedDaemonReload=yes" in out and not self.module.check_mode:
            self.systemctl("daemon-reload")
        for service in services:
            if service["wanted"]:
                self.follow(service)
            else:
                self.disable(service["unit"])


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "services": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "unit": {"type": "str", "required": True},
                    "restart": {"type": "list", "elements": "path", "default": []},
                    "reload": {"type": "list", "elements": "path", "default": []},
                    "check": {"type": "list", "elements": "str", "default": []},
                    "reload_command": {"type": "str"},
                    "ready": {"type": "path"},
                    "active": {"type": "bool", "default": True},
                    "wanted": {"type": "bool", "default": True},
                },
            }
        },
        supports_check_mode=True,
    )
    for service in module.params["services"]:
        if not re.fullmatch(r"[a-zA-Z0-9@._-]+\.(service|timer|path|socket)", service["unit"]):
            module.fail_json(msg="unité invalide : {}".format(service["unit"]))
    follower = Follower(module)
    follower.run(module.params["services"])
    module.exit_json(changed=bool(follower.changes), changes=follower.changes, pending=follower.pending)


if __name__ == "__main__":
    main()
