# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one of the platform's own commands on a host: it says what it changed, a line each, and nothing when nothing was.

As ``ansible.builtin.command`` with that ``changed_when``, without a Python on the host to start it.
"""

from __future__ import annotations

import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the command over the connection itself."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Given ``command``, run it unless in check mode. Returns its output and whether it said anything."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        words = shlex.split(str(self._task.args["command"]))
        if not words or not words[0].startswith("/"):
            raise AnsibleActionFail("packmairie_apply : une commande commence par son chemin entier")
        if self._task.check_mode:
            return result | {"changed": False, "skipped": True, "msg": "rien n'est lancé en simulation"}
        # Something on its standard input, and so no terminal: what it says and what it warns of stay apart.
        said = self._low_level_execute_command(shlex.join(words), in_data=b"\n")
        answer = {name: said.get(name) for name in ("rc", "stdout", "stderr")}
        answer["stdout_lines"] = str(said.get("stdout") or "").splitlines()
        if said.get("rc") != 0:
            reason = str(said.get("stderr") or said.get("stdout") or "").strip()[-1000:]
            return result | answer | {"failed": True, "msg": f"{words[0]} : code {said.get('rc')} : {reason}"}
        return result | answer | {"changed": bool(str(said.get("stdout") or "").strip())}
