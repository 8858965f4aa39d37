# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins that work on the controller share: which pack, which communes, how changes are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packmairie.model.change import Change
from packmairie.model.problem import PartialError, fail


def pack_of(variables: Mapping[str, Any], action: str) -> Path:
    """Given a task's variables and the name of its action, return the pack's folder.

    Raise PackmairieError where the inventory is not that of a pack.
    """
    folder = variables.get("packmairie_pack")
    if not folder:
        raise fail(
            action, "l'inventaire n'est pas celui d'un pack (packmairie_pack manque)", "donner -i DOSSIER_DU_PACK"
        )
    return Path(str(folder))


def chosen_by(variables: Mapping[str, Any]) -> list[str]:
    """Return the communes that a run is about (``packmairie_communes``, separated by commas); none means all."""
    return [code for code in str(variables.get("packmairie_communes") or "").split(",") if code]


def told(changes: Iterable[Change], *, with_diff: bool) -> dict[str, Any]:
    """Return changes as a task's result, in the form that ``packmairie_tree`` gives them."""
    listed = list(changes)
    result: dict[str, Any] = {"changed": bool(listed), "changes": [asdict(change) for change in listed]}
    if with_diff:
        result["diff"] = [
            {"prepared": f"{change.place} {change.action.sign} {change.what}\n{change.detail}\n"} for change in listed
        ]
    return result


def tolerated(error: PartialError, variables: Mapping[str, Any], *, with_diff: bool) -> dict[str, Any]:
    """Return the result of a task that failed for some communes alone, where the run accounts for each by itself.

    Raise the error again elsewhere: plain ``ansible-playbook`` must not end well.
    """
    if not variables.get("packmairie_accounts"):
        raise error
    failures = [
        {"commune": code, "reason": str(problem)} for code, problems in error.by_commune.items() for problem in problems
    ]
    return told(error.done, with_diff=with_diff) | {"commune_failures": failures}
