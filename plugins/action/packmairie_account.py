# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible.builtin.user`` for the account of a service, executed only when the host's own list does not show it so.

The account is made without a home folder and cannot log in. A run that changes nothing asks ``getent``, which takes a
thirtieth of the module's time.
"""

from __future__ import annotations

import shlex
from typing import Any

from ansible.plugins.action import ActionBase

LOCKED = {"create_home": False, "shell": "/usr/sbin/nologin"}


def stands(entry: str, wanted: dict[str, Any]) -> bool:
    """Given a line of getent (RFC 2307 fields, by colons) and the wish, tell whether the account is as wished.

    Only what the line shows can be judged: any other argument is the module's to look at.
    """
    fields = entry.strip().split(":")
    if len(fields) != 7 or set(wanted) - {"name", "uid", "comment", "home", "shell", "system", "create_home"}:
        return False
    name, _password, uid, _gid, comment, home, shell = fields
    found = {"name": name, "uid": uid, "comment": comment, "home": home, "shell": shell}
    return all(str(wanted[key]) == found[key] for key in found if key in wanted)


def told(entry: str) -> dict[str, Any]:
    """Given a line of getent, return what the module would say of the account: roles write rules by its number."""
    name, _password, uid, gid, comment, home, shell = entry.strip().split(":")
    return {"name": name, "uid": int(uid), "group": int(gid), "comment": comment, "home": home, "shell": shell}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ask getent, then the module when it must."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Given ``name`` and what else ``ansible.builtin.user`` takes, return its result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = {"system": True} | LOCKED | self._task.args
        line = f"getent passwd {shlex.quote(str(wanted['name']))} 2>/dev/null; :"
        entry = str(self._low_level_execute_command(line).get("stdout", ""))
        if stands(entry, wanted):
            return result | {"changed": False} | told(entry)
        answer: dict[str, Any] = self._execute_module(
            module_name="ansible.builtin.user", module_args=wanted, task_vars=task_vars
        )
        return result | answer
