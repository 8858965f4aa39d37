# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's output as a workstation keeps it: how many tasks, which ones changed something, which one failed."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: packmairie_bilan
type: stdout
short_description: The outcome of a run as one JSON file
description:
  - Writes C(taches), C(modifiees) and C(echec) to the file that C(PACKMAIRIE_BILAN) names; no content of any file.
"""
LONGEST = 300


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Counts; says nothing else, so that no secret can be in what it says."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "packmairie_bilan"

    def __init__(self) -> None:
        """Start with nothing done."""
        super().__init__()
        self.done: dict[str, Any] = {"taches": 0, "modifiees": [], "echec": None}

    def v2_runner_on_ok(self, result: Any) -> None:
        """Count a task that went well."""
        self.done["taches"] += 1
        if result.is_changed():
            self.done["modifiees"].append(result.task_name)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the first failure, in one line; a task that hides its result says its name alone."""
        if self.done["echec"] is None and not ignore_errors:
            said = "" if result.task.no_log else str(result.result.get("msg") or result.result.get("stderr") or "")
            self.done["echec"] = f"{result.task_name} : {' '.join(said.split())[:LONGEST]}"

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A local run that cannot run has failed."""
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the outcome."""
        with open(os.environ["PACKMAIRIE_BILAN"], "w", encoding="utf-8") as stream:
            json.dump(self.done, stream, ensure_ascii=False)
