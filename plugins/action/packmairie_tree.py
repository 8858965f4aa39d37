# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a tree on the controller and make the host's copy equal to it, in one or two executions.

The first execution carries digests only; when the host answers that nothing
differs, it is the last. Otherwise a second one carries the content that the host lacks.

On a workstation that applies its own bundle, packmairie is not installed: files come from the bundle, already rendered.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

ARGUMENTS = frozenset({"tree", "templates", "attributes", "directories", "exclusive", "validate", "check"})
TEMPLATE_SUFFIX = ".j2"
BUNDLE = "packmairie_paquet"
"""The variable that names, beside the playbook, the folder of the trees of a bundle."""
PLAIN = {
    "binary": False,
    "shared": False,
    "mode": "0644",
    "owner": "root",
    "group": "root",
    "secret": False,
    "once": False,
}
"""A file of nobody's, as :class:`packmairie.model.tree.TreeFile` gives it to the module."""


def outgoing(wish: dict[str, Any], with_content: bool) -> dict[str, Any]:
    """Return a wish as the module reads it: parts by digest, with their content (zlib, base64) when asked for."""
    parts = []
    for part in wish["parts"]:
        raw = Path(part["source"]).read_bytes() if part.get("source") else part["content"].encode("utf-8")
        sent = {"commune": part["commune"], "sha256": hashlib.sha256(raw).hexdigest()}
        if with_content:
            sent["content"] = base64.b64encode(zlib.compress(raw)).decode("ascii")
        parts.append(sent)
    return wish | {"parts": parts}


def own_commune(variables: dict[str, Any]) -> list[str]:
    """Return the commune of a workstation, nothing for a shared host."""
    return [str(variables["commune_insee"])] if "commune_insee" in variables else []


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
            self._refuse_removal(answer.get("leaving", []), variables)
            wanted = set(answer["wanted"])
            files = [outgoing(wish, wish["path"] in wanted) for wish in wishes]
            answer = self._execute("apply", files, variables)
        answer.pop("invocation", None)
        answer.pop("wanted", None)
        answer.pop("leaving", None)
        if not self._task.diff:
            answer.pop("diff", None)
        result.update(answer)
        return result

    def _refuse_removal(self, leaving: list[str], variables: dict[str, Any]) -> None:
        """Fail before anything is written when a commune that left the pack would be taken off this host."""
        if self._task.check_mode or not leaving or variables.get(BUNDLE):
            return
        from packmairie.operations.controller import pack_of  # noqa: PLC0415 - absent from workstations
        from packmairie.operations.desired import communes_of  # noqa: PLC0415
        from packmairie.operations.guard import removal_refused  # noqa: PLC0415

        known = communes_of(pack_of(variables, "packmairie_tree"))
        gone = [code for code in leaving if code not in known]
        if gone and not variables.get("packmairie_allow_removal"):
            raise AnsibleActionFail(
                f"{removal_refused(gone)} (ansible-playbook : -e packmairie_allow_removal=true) ; rien n'a été remplacé"
            )

    def _execute(self, phase: str, files: list[dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
        if variables.get(BUNDLE):
            chosen = []
        else:
            from packmairie.operations.controller import chosen_by  # noqa: PLC0415 - absent from workstations

            chosen = chosen_by(variables)
        arguments = {
            "tree": self._task.args["tree"],
            "files": files,
            "communes": chosen,
            "directories": self._task.args.get("directories", []),
            "exclusive": self._task.args.get("exclusive", []),
            "validate": self._task.args.get("validate", {}),
            "check": self._task.args.get("check", []),
            "phase": phase,
        }
        if phase == "inspect" and not variables.get(BUNDLE):
            from packmairie.engines.first_look import look  # noqa: PLC0415 - absent from workstations

            # Outside check mode it writes the list of what stands there, where the host lost its own.
            seen = look(self, "packmairie_tree", arguments, variables, check=bool(self._task.check_mode))
            if seen is not None:
                return seen
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
        name = str(self._task.args["tree"])
        if variables.get(BUNDLE):
            tree = Path(str(variables["playbook_dir"])) / str(variables[BUNDLE]) / f"{name}.json"
            wishes: list[dict[str, Any]] = json.loads(tree.read_text(encoding="utf-8")) if tree.is_file() else []
            return wishes
        from packmairie.model.problem import PackmairieError  # noqa: PLC0415 - absent from workstations
        from packmairie.operations.controller import chosen_by, pack_of  # noqa: PLC0415
        from packmairie.operations.desired import host_tree  # noqa: PLC0415

        try:
            tree = host_tree(
                pack_of(variables, "packmairie_tree"),
                name,
                # A workstation's trees are its own commune's: no other vault is opened, nothing else is rendered.
                communes=chosen_by(variables) or own_commune(variables),
                allow_missing=bool(self._task.check_mode),
            )
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
            parts = [{"commune": None, "content": str(text or "")}]
            wishes.append(PLAIN | {"path": path, "parts": parts} | attributes.get(path, {}))
        return wishes
