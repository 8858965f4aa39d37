# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a host a Python environment of its own, from wheels that the controller downloads and the host checks again.

The first execution asks the host which Python it has and which environment stands there; when it is the wished one, it
is the last. Otherwise the wheels are downloaded here (hashes checked), sent, and installed without any network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from packmairie.engines.ansible import project_folder
from packmairie.engines.first_look import look
from packmairie.engines.wheelhouse import Target, build, cache_folder, download, project_sources
from packmairie.model.problem import PackmairieError

ARGUMENTS = frozenset({"name", "requirements", "project"})


def project_digest(root: Path) -> str:
    """Return what identifies packmairie's own code, as a host would receive it."""
    digest = hashlib.sha256()
    for path in project_sources(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class ActionModule(ActionBase):
    """The controller's half of ``packmairie_venv``."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host, then send and install what it lacks. Returns the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        unknown = set(self._task.args) - ARGUMENTS
        if unknown:
            raise AnsibleActionFail(f"packmairie_venv : option inconnue {', '.join(sorted(unknown))}")
        requirements = Path(self._find_needle("files", self._task.args["requirements"]))
        root = project_folder() if self._task.args.get("project") else None
        wished = {"name": self._task.args["name"], "wish": self._wish(requirements, root)}
        answer = self._module({**wished, "phase": "inspect"}, variables)
        if answer.get("failed") or not answer.get("changed") or self._task.check_mode:
            return result | self._shown(answer)
        target = Target(tuple(answer["python"]), str(answer["machine"]), tuple(answer["glibc"]))
        try:
            wheels = download(requirements, cache_folder(), target)
            if root is not None:
                wheels.append(build(root, cache_folder() / f"projet-{wished['wish'][:12]}"))
        except PackmairieError as error:
            raise AnsibleActionFail(str(error)) from error
        folder = self._make_tmp_path()
        try:
            for path in (requirements, *wheels):
                self._transfer_file(str(path), self._connection._shell.join_path(folder, path.name))
            installed = {"phase": "install", "wheels": folder, "requirements": requirements.name}
            if root is not None:
                installed["project"] = wheels[-1].name
            return result | self._shown(self._module(wished | installed, variables))
        finally:
            self._remove_tmp_path(folder, force=True)

    def _wish(self, requirements: Path, root: Path | None) -> str:
        text = requirements.read_bytes() + (project_digest(root).encode() if root else b"")
        return hashlib.sha256(text).hexdigest()

    def _module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        seen = look(self, "packmairie_venv", arguments, variables) if arguments["phase"] == "inspect" else None
        if seen is not None:
            return seen
        answer: dict[str, Any] = self._execute_module(
            module_name="packmairie_venv", module_args=arguments, task_vars=variables
        )
        return answer

    def _shown(self, answer: dict[str, Any]) -> dict[str, Any]:
        answer.pop("invocation", None)
        return answer
