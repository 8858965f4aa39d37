# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as Markdown, to be read in a merge request."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from packmairie.model.change import Action, Change, Plan
from packmairie.reports.plan_text import plan_conclusion, plan_scope
from packmairie.reports.wording import brique_title, commune_label, count, printable, printable_lines

MAXIMUM_CHARACTERS = 60_000
"""Forges refuse long comments (65,536 characters on some): past this, details give way and it is said."""

_BACKTICKS = re.compile(r"`+")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$]|://)")
_BLOCK_START = re.compile(r"^(\d*)([-+#=.)])")
_ROW_OF_HIDDEN = 60
"""Room kept for the row that counts the communes left out, and for their number in the last sentence."""
_CUT = "\n_Le détail des {} ne tient pas dans ce message : « packmairie plan --json » le donne en entier._\n"


def render_plan_markdown(plan: Plan, names: Mapping[str, str], *, maximum: int = MAXIMUM_CHARACTERS) -> str:
    """Given a plan and the communes' names by INSEE code, return GitHub and GitLab flavoured Markdown.

    A summary table, then one fold per commune with its changes and diffs. Whatever a change says (names, diffs)
    is shown as it is and cannot add markup. The result holds at most about ``maximum`` characters.
    """
    parts = ["## Plan packmairie\n", f"\n**{plan_conclusion(plan)}** {plan_scope(plan)}".rstrip() + "\n"]
    parts += _unforeseen(plan)
    communes = list(plan.by_commune())
    if communes:
        parts.append("\n| Commune | + création | ~ modification | - suppression |\n|---|---:|---:|---:|\n")
    used = sum(map(len, parts)) + len(_CUT) + _ROW_OF_HIDDEN
    folds: list[str] = []
    cut = False
    hidden = 0
    for code, briques in communes:
        changes = [change for _, of_brique in briques for change in of_brique]
        row = _row(commune_label(code, names), changes)
        fold = _fold(commune_label(code, names), briques)
        if used + len(row) > maximum:
            hidden += 1
            continue
        parts.append(row)
        used += len(row)
        if used + len(fold) > maximum:
            cut = True
            continue
        folds.append(fold)
        used += len(fold)
    if hidden:
        parts.append(f"| … {count(hidden, 'autre', 'autres')} | | | |\n")
    parts += folds
    if cut or hidden:
        parts.append(_CUT.format(f"{count(len(communes) - len(folds), 'autre', 'autres')}"))
    return "".join(parts)


def _unforeseen(plan: Plan) -> list[str]:
    if not plan.unforeseen:
        return []
    lines = ["\nNe peut être connu qu'une fois une étape précédente appliquée :\n\n"]
    return lines + [f"- {_text(sentence)}\n" for sentence in plan.unforeseen]


def _row(label: str, changes: list[Change]) -> str:
    numbers = [sum(change.action is action for change in changes) for action in Action]
    return f"| {_text(label)} | {' | '.join(str(number) if number else '' for number in numbers)} |\n"


def _fold(label: str, briques: list[tuple[str, list[Change]]]) -> str:
    number = sum(len(changes) for _, changes in briques)
    lines = [f"\n<details><summary>{html.escape(label)} : {count(number, 'changement')}</summary>\n"]
    for brique, changes in briques:
        lines.append(f"\n**{_text(brique_title(brique))}**\n\n")
        for change in changes:
            lines.append(f"- {_code(f'{change.action.sign} {change.what}')} ({_code(change.place)})\n")
            if change.detail.strip():
                lines.append(_fence(change.detail))
    return "".join([*lines, "\n</details>\n"])


def _text(text: str) -> str:
    """Return text that Markdown shows as it is: every character that could be markup is escaped."""
    return _BLOCK_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", printable(text).strip()))


def _code(text: str) -> str:
    """Return a code span that its content cannot close (CommonMark §6.1)."""
    content = printable(text) or " "
    ticks = "`" * (_longest_run(content) + 1)
    space = " " if content.startswith("`") or content.endswith("`") else ""
    return f"{ticks}{space}{content}{space}{ticks}"


def _fence(text: str) -> str:
    """Return a fenced block, indented under its list item, that its content cannot close (CommonMark §4.5)."""
    lines = printable_lines(text.rstrip("\n"))
    fence = "`" * max(3, _longest_run(text) + 1)
    body = "".join(f"  {line}\n" for line in lines)
    return f"\n  {fence}diff\n{body}  {fence}\n\n"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
