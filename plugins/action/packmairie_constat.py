# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a workstation whether it is still as its last full run left it, for everything that a run would bring to it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from packmairie.model.problem import PackmairieError
from packmairie.operations.controller import pack_of
from packmairie.operations.desired import remembered_pack, remembered_trees
from packmairie.operations.postes_bundle import wish_digest

PREFIXES = ("socle_", "postes_", "sauvegarde_")
"""How the variables of the roles that a workstation plays begin."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's half: it computes the wish."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send the wish's digest. Returns the module's result, and the wish."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        # What is remembered is what was wished when the run began, whatever has been edited since.
        wish = self._task.args.get("wish") or self._wish(variables)
        arguments = {"phase": self._task.args["phase"], "wish": wish}
        answer: dict[str, Any] = self._execute_module(
            module_name="packmairie_constat", module_args=arguments, task_vars=variables
        )
        answer.pop("invocation", None)
        return result | answer | {"wish": wish}

    def _wish(self, variables: dict[str, Any]) -> str:
        folder = pack_of(variables, "packmairie_constat")
        insee = str(variables["commune_insee"])
        try:
            wished = remembered_trees(folder, frozenset({insee}), False)
            wish = wish_digest(remembered_pack(folder), wished, insee, str(variables["inventory_hostname"]))
        except PackmairieError as error:
            raise AnsibleActionFail(str(error)) from error
        # What a technician gives on the command line is wished too.
        given = {name: variables[name] for name in variables if name.startswith(PREFIXES)}
        text = json.dumps(given, sort_keys=True, default=str)
        return hashlib.sha256(f"{wish}\n{text}".encode()).hexdigest()
