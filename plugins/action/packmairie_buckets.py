# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the communes' buckets from the controller through boto3, in check mode and with diff."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from packmairie.model.problem import PackmairieError, PartialError
from packmairie.operations.controller import chosen_by, pack_of, told, tolerated
from packmairie.operations.sauvegarde_buckets import ensure_buckets


class ActionModule(ActionBase):
    """Runs on the controller only: the store is reached by its public name."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, and make what is missing unless in check mode. Returns changes as ``packmairie_tree`` does."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        with_diff = bool(self._task.diff)
        try:
            try:
                changes = ensure_buckets(
                    pack_of(variables, "packmairie_buckets"),
                    communes=frozenset(chosen_by(variables)),
                    dry_run=bool(self._task.check_mode),
                )
            except PartialError as error:
                return result | tolerated(error, variables, with_diff=with_diff)
        except PackmairieError as error:
            raise AnsibleActionFail(str(error)) from error
        return result | told(changes, with_diff=with_diff)
