# SPDX-License-Identifier: GPL-3.0-or-later
"""Have services run what their files say: a first look at the host, and the module where there is something to do."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Most runs find every service as its files say."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Given the arguments of the module, return its result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        answer = self._looked(variables)
        if answer is None:
            answer = self._execute_module(
                module_name="packmairie_services", module_args=self._task.args, task_vars=variables
            )
        answer.pop("pending", None)
        return result | answer

    def _looked(self, variables: dict[str, Any]) -> dict[str, Any] | None:
        try:
            from packmairie.engines.first_look import look  # noqa: PLC0415 - absent from workstations
        except ImportError:
            return None
        return look(self, "packmairie_services", self._task.args, variables)
