# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a pack's desired state once a run, in the process from which Ansible forks each task's worker.

Without this plugin every task that lays a tree opens the vault and renders the pack by itself: same result, later.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

from packmairie.model.problem import PackmairieError
from packmairie.operations.controller import chosen_by
from packmairie.operations.desired import remembered_secrets, remembered_trees

DOCUMENTATION = r"""
name: packmairie_state
type: aggregate
short_description: Render the desired state of a pack once a run
description:
  - Opens the vault and renders every tree before the first task that needs them, for all workers.
  - Ends the run when packmairie, which started it, is killed.
"""

ACTIONS = frozenset({"packmairie_tree", "packmairie_records", "packmairie_constat"})
PARENT_VARIABLE = "PACKMAIRIE_PARENT"
"""Process identifier of the packmairie command that started this run."""
PR_SET_PDEATHSIG = 1


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Knows the play, and renders before its first task about a tree."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "packmairie_state"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._play: Any = None
        follow_parent()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember the play: it knows the variables."""
        self._play = play

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Render what the task will ask for. What is wrong is left for the task itself to say."""
        if task.action not in ACTIONS or self._play is None:
            return
        manager = self._play.get_variable_manager()
        folder = manager._inventory.groups["all"].get_vars().get("packmairie_pack")
        if not folder:
            return
        check = bool(context.CLIARGS.get("check"))
        for communes in selections(manager._inventory.get_hosts(self._play.hosts), chosen_by(manager.extra_vars)):
            try:
                remembered_secrets(Path(str(folder)), communes, check)
                remembered_trees(Path(str(folder)), communes, check)
            except PackmairieError:
                return


def selections(hosts: Iterable[Any], chosen: Iterable[str]) -> list[frozenset[str]]:
    """Given the hosts of a play and the communes that the run is about, return what their tasks will ask to render.

    A shared host asks for all of these communes at once, a workstation for its own alone.
    """
    chosen = frozenset(chosen)
    owners = [host.vars.get("commune_insee") for host in hosts]
    own = [frozenset({str(insee)}) for insee in sorted({insee for insee in owners if insee})]
    return [chosen, *own] if chosen or None in owners else own


def follow_parent() -> None:
    """Ask Linux to end this run with the command that started it: none goes on that nobody accounts for."""
    parent = os.environ.get(PARENT_VARIABLE, "")
    if not parent.isdigit() or int(parent) != os.getppid():
        return
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    except (AttributeError, OSError):
        return
    if os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGTERM)
