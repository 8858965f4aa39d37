# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish the pack's zones from the controller through octoDNS, in check mode and with diff."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from packmairie.model.problem import PackmairieError, PartialError
from packmairie.operations.controller import chosen_by, pack_of, told, tolerated
from packmairie.operations.records import publish_records


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only: the host's part is its DNS server."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Plan, and apply unless in check mode. Returns changes as ``packmairie_tree`` does."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        with_diff = bool(self._task.diff)
        try:
            try:
                changes = publish_records(
                    pack_of(variables, "packmairie_records"),
                    communes=frozenset(chosen_by(variables)),
                    dry_run=bool(self._task.check_mode),
                    force=bool(variables.get("packmairie_force_dns", False)),
                )
            except PartialError as error:
                return result | tolerated(error, variables, with_diff=with_diff)
        except PackmairieError as error:
            raise AnsibleActionFail(str(error)) from error
        return result | told(changes, with_diff=with_diff)
