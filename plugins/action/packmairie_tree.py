# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a tree on the controller and make the host's copy equal to it, in one or two executions.

The first execution carries digests only; when the host answers that nothing
differs, it is the last. Otherwise a second one carries the content that the host lacks.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from packmairie.model.problem import PackmairieError
from packmairie.model.tree import Part, TreeFile
from packmairie.operations.desired import host_tree

ARGUMENTS = frozenset({"tree", "templates", "attributes", "directories", "exclusive", "validate", "check"})
TEMPLATE_SUFFIX = ".j2"


def outgoing(wish: dict[str, Any], with_content: bool) -> dict[str, Any]:
    """Return a wish as the module reads it: parts by digest, with their content (zlib, base64) when asked for."""
    parts = []
    for part in wish["parts"]:
        raw = part["content"].encode("utf-8")
        sent = {"commune": part["commune"], "sha256": hashlib.sha256(raw).hexdigest()}
        if with_content:
            sent["content"] = base64.b64encode(zlib.compress(raw)).decode("ascii")
        parts.append(sent)
    return wish | {"parts": parts}


def selected_communes(variables: dict[str, Any]) -> list[str]:
    """Return the communes that the run is about (``packmairie_communes``, separated by commas); none means all."""
    return [code for code in str(variables.get("packmairie_communes") or "").split(",") if code]


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's half of ``packmairie_tree``."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, ask what differs, send it. Returns the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        unknown = set(self._task.args) - ARGUMENTS
        if unknown:
            raise AnsibleActionFail(f"packmairie_tree : option inconnue {', '.join(sorted(unknown))}")
        wishes = self._wishes(variables)
        answer = self._execute("inspect", [outgoing(wish, False) for wish in wishes], variables)
        if not answer.get("failed") and answer.get("changed"):
            wanted = set(answer["wanted"])
            files = [outgoing(wish, wish["path"] in wanted) for wish in wishes]
            answer = self._execute("apply", files, variables)
        answer.pop("invocation", None)
        answer.pop("wanted", None)
        if not self._task.diff:
            answer.pop("diff", None)
        result.update(answer)
        return result

    def _execute(self, phase: str, files: list[dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
        arguments = {
            "tree": self._task.args["tree"],
            "files": files,
            "communes": selected_communes(variables),
            "directories": self._task.args.get("directories", []),
            "exclusive": self._task.args.get("exclusive", []),
            "validate": self._task.args.get("validate", {}),
            "check": self._task.args.get("check", []),
            "phase": phase,
        }
        answer: dict[str, Any] = self._execute_module(
            module_name="packmairie_tree", module_args=arguments, task_vars=variables
        )
        return answer

    def _wishes(self, variables: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the role's rendered templates and the communes' files, refusing a path claimed twice."""
        wishes = [*self._rendered_templates(variables), *self._communes_files(variables)]
        paths = [wish["path"] for wish in wishes]
        twice = sorted({path for path in paths if paths.count(path) > 1}) if len(set(paths)) != len(paths) else []
        if twice:
            raise AnsibleActionFail(f"packmairie_tree : écrit deux fois : {', '.join(twice)}")
        return wishes

    def _communes_files(self, variables: dict[str, Any]) -> list[dict[str, Any]]:
        folder = variables.get("packmairie_pack")
        if not folder:
            raise AnsibleActionFail("packmairie_tree : l'inventaire n'est pas celui d'un pack (packmairie_pack manque)")
        try:
            tree = host_tree(Path(str(folder)), str(self._task.args["tree"]), allow_missing=bool(self._task.check_mode))
        except PackmairieError as error:
            raise AnsibleActionFail(str(error)) from error
        return [file.payload() for file in tree.files]

    def _rendered_templates(self, variables: dict[str, Any]) -> list[dict[str, Any]]:
        """Render ``templates/<templates>/**.j2`` of the role; a template's path below it is its destination."""
        name = self._task.args.get("templates")
        if not name:
            return []
        root = Path(self._find_needle("templates", name))
        attributes = self._task.args.get("attributes", {})
        wishes = []
        for source in sorted(root.rglob("*" + TEMPLATE_SUFFIX)):
            path = "/" + str(source.relative_to(root)).removesuffix(TEMPLATE_SUFFIX)
            templar = self._templar.copy_with_new_env(
                searchpath=[str(source.parent), str(root)], available_variables=variables
            )
            text = templar.template(
                trust_as_template(source.read_text(encoding="utf-8")),
                escape_backslashes=False,
                overrides={"trim_blocks": True, "lstrip_blocks": True},
            )
            file = TreeFile(path, (Part(str(text or "")),), **attributes.get(path, {}))
            wishes.append(file.payload())
        return wishes
