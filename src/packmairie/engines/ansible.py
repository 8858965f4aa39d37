# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the repository's playbooks through ansible-runner, and read its events as changes and failures."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

from packmairie.model.change import PLATEFORME, Action, Change
from packmairie.model.problem import fail

PROJECT_VARIABLE = "PACKMAIRIE_PROJECT"
UNCENSORED = "(contenu masqué)"
UNTOLD = "n'a pas dit ce qui a changé : rien ne permet de le croire inchangé"
ANY_LENGTH = 2**62
"""More characters than any result has."""


@dataclass(frozen=True)
class Failure:
    """One task that failed, or one host that could not be reached."""

    host: str
    task: str
    reason: str
    unreachable: bool = False
    commune: str = ""
    """The commune that alone failed; empty when it is the host, with all that it serves."""


@dataclass
class RunResult:
    """What a run of a playbook did, told by its own events."""

    changes: list[Change] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    """The hosts that took part; empty means that nothing at all was run."""
    tasks: int = 0
    status: str = ""

    @property
    def succeeded(self) -> bool:
        """Tell whether the run went to its end without failure, on at least one host."""
        return self.status == "successful" and not self.failures and bool(self.hosts)


@dataclass(frozen=True)
class Step:
    """Where a run stands, for a progress bar: the part (role) and the task that begins."""

    role: str
    task: str


def project_folder() -> Path:
    """Return the folder that holds the playbooks and the roles.

    Raise PackmairieError when packmairie runs away from its repository and PACKMAIRIE_PROJECT does not say where.
    """
    named = os.environ.get(PROJECT_VARIABLE)
    candidates = [Path(named)] if named else [Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents]
    for folder in candidates:
        if (folder / "ansible.cfg").is_file() and (folder / "roles" / "socle").is_dir():
            return folder.resolve()
    raise fail("projet", "dossier des rôles introuvable", f"lancer depuis le dépôt, ou indiquer {PROJECT_VARIABLE}")


def run_playbook(
    playbook: str,
    pack_folder: Path,
    artifacts: Path,
    *,
    check: bool = False,
    variables: Mapping[str, Any] | None = None,
    tags: Sequence[str] = (),
    limit: str = "",
    on_step: Callable[[Step], None] | None = None,
) -> RunResult:
    """Run a playbook of the repository on a pack and return what happened.

    ``check`` runs Ansible's check mode with diff: nothing is written on any host. ``artifacts`` receives
    ansible-runner's own folder; the environment, which may hold secrets, is not written there.
    """
    project = project_folder()
    result = RunResult()

    def on_event(event: dict[str, Any]) -> bool:
        step = read_event(event, result)
        if step and on_step:
            on_step(step)
        return True

    def on_status(status: dict[str, Any], runner_config: Any) -> None:
        if status.get("status") == "running":
            forget_environment(artifacts / "artifacts" / "ansible" / "command")

    artifacts.mkdir(parents=True, exist_ok=True)
    options = " ".join(
        part for part in ("--check" if check else "", "--diff", f"--tags {','.join(tags)}" if tags else "") if part
    )
    runner = ansible_runner.run(
        private_data_dir=str(artifacts),
        project_dir=str(project),
        playbook=str(project / playbook),
        inventory=str(pack_folder.resolve()),
        ident="ansible",
        extravars=dict(variables or {}),
        envvars={
            "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "ANSIBLE_NOCOLOR": "1",
            # ansible-runner adds its own folder to this one, and would otherwise put it in the place of ours.
            "ANSIBLE_CALLBACK_PLUGINS": str(project / "plugins" / "callback"),
            # It empties longer results, and with them the changes of a whole territory.
            "MAX_EVENT_RES": str(ANY_LENGTH),
            "PACKMAIRIE_PARENT": str(os.getpid()),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("src")),
        },
        cmdline=options,
        limit=limit or None,
        event_handler=on_event,
        status_handler=on_status,
        quiet=True,
        suppress_env_files=True,
    )
    result.status = str(runner.status)
    if result.status != "successful" and not result.failures:
        result.failures.append(
            Failure("", "démarrage d'Ansible", _tail(artifacts / "artifacts" / "ansible" / "stdout"))
        )
    return result


def forget_environment(path: Path) -> None:
    """Given the file in which ansible-runner has just written its command, take the caller's environment out of it."""
    written = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: value for key, value in written.items() if key != "env"}), encoding="utf-8")


def read_event(event: Mapping[str, Any], result: RunResult) -> Step | None:
    """Given one event of ansible-runner, add what it tells to the result; return the step when a task begins."""
    kind, data = event.get("event", ""), event.get("event_data", {}) or {}
    role, task = str(data.get("role") or data.get("play") or ""), str(data.get("task") or "")
    if kind == "playbook_on_task_start":
        result.tasks += 1
        return Step(role, task)
    host, answer = str(data.get("host") or ""), data.get("res", {}) or {}
    if kind == "runner_on_ok":
        result.hosts.add(host)
        result.failures += [
            Failure(host, task, str(entry["reason"]), commune=str(entry["commune"]))
            for entry in answer.get("commune_failures") or []
        ]
        if "changed" not in answer and "censored" not in answer:
            result.failures.append(Failure(host, task, UNTOLD))
        if answer.get("changed"):
            result.changes += changes_of(role, task, host, answer)
    elif kind == "runner_on_failed" and not data.get("ignore_errors"):
        result.hosts.add(host)
        result.failures.append(Failure(host, task, reason_of(answer)))
    elif kind == "runner_on_unreachable":
        result.hosts.add(host)
        result.failures.append(Failure(host, task, reason_of(answer), unreachable=True))
    return None


def changes_of(role: str, task: str, host: str, answer: Mapping[str, Any]) -> list[Change]:
    """Given a task's result, return its changes: those that our own modules list, or the task itself as one."""
    listed = answer.get("changes")
    if isinstance(listed, list) and listed:
        return [
            Change(
                str(entry.get("commune") or PLATEFORME),
                str(entry.get("brique") or role),
                str(entry.get("place") or host),
                Action(entry["action"]),
                str(entry.get("path") or entry.get("what")),
                str(entry.get("detail") or ""),
            )
            for entry in listed
        ]
    return [Change(PLATEFORME, role, host, Action.UPDATE, task, diff_of(answer))]


def diff_of(answer: Mapping[str, Any]) -> str:
    """Return the diff that a module gave, as text; nothing when it hid it."""
    texts = []
    for diff in answer.get("diff") if isinstance(answer.get("diff"), list) else [answer.get("diff")]:  # type: ignore[union-attr]
        if isinstance(diff, dict):
            texts.append(str(diff.get("prepared") or compared(diff.get("before"), diff.get("after"))))
    return "\n".join(text.strip() for text in texts if text.strip())


def compared(before: Any, after: Any) -> str:
    """Return the lines that differ between what a module found and what it leaves: texts, or attributes by name."""
    lines = difflib.unified_diff(_lines_of(before), _lines_of(after), lineterm="", n=1)
    return "\n".join(list(lines)[2:])


def _lines_of(side: Any) -> list[str]:
    if isinstance(side, Mapping):
        return [f"{key}: {value}" for key, value in sorted(side.items())]
    return str(side or "").splitlines()


def reason_of(answer: Mapping[str, Any]) -> str:
    """Return why a task failed, in the module's words, on one line of reasonable length."""
    if answer.get("censored"):
        return UNCENSORED
    for key in ("msg", "stderr", "module_stderr", "stdout"):
        text = str(answer.get(key) or "").strip()
        if text:
            return " ".join(text.split())[:1000]
    return "raison inconnue"


def _tail(path: Path) -> str:
    """Return the end of a text file on one line, for a run that failed before its first event."""
    try:
        lines = [
            line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
    except OSError:
        return "Ansible n'a rien dit"
    return " ".join(lines[-12:])[-1500:] or "Ansible n'a rien dit"
