# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish the pack's zones from the controller through octoDNS, in check mode and with diff."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from packmairie.model.problem import PackmairieError
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
        folder = variables.get("packmairie_pack")
        if not folder:
            raise AnsibleActionFail(
                "packmairie_records : l'inventaire n'est pas celui d'un pack (packmairie_pack manque)"
            )
        selected = frozenset(code for code in str(variables.get("packmairie_communes") or "").split(",") if code)
        try:
            changes = publish_records(
                Path(str(folder)),
                communes=selected,
                dry_run=bool(self._task.check_mode),
                force=bool(variables.get("packmairie_force_dns", False)),
            )
        except PackmairieError as error:
            raise AnsibleActionFail(str(error)) from error
        result["changed"] = bool(changes)
        result["changes"] = [asdict(change) for change in changes]
        if self._task.diff:
            result["diff"] = [
                {"prepared": f"{change.place} {change.action.sign} {change.what}\n{change.detail}\n"}
                for change in changes
            ]
        return result
