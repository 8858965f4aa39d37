# SPDX-License-Identifier: GPL-3.0-or-later
"""A first look at a host by one of our own modules, without what Ansible sends and compiles for each execution.

A module of Ansible costs its host half a second before its first line: its framework travels as source and is compiled
anew each time. Ours need little of it to say that nothing is to be done. This sends their source alone, with a stand-in
for ``AnsibleModule`` that changes nothing, over the same connection. Whatever is not a plain "nothing to do" (an error,
an unknown word, a difference) is left to the real execution (decision 0035).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

MARK = "packmairie-premier-regard:"
LIBRARIES = ("packmairie_files", "packmairie_parts", "packmairie_comparison")
"""Our own ``module_utils``, in the order in which they need one another."""
RUNNER = """
import json, subprocess, sys, types

class AnsibleModule:
    def __init__(self, argument_spec, supports_check_mode=False):
        self.params = filled(argument_spec, sent["arguments"])
        self.check_mode = sent["check"]
        self._diff = False
    def warn(self, text):
        sys.exit(3)
    def fail_json(self, **result):
        sys.exit(3)
    def exit_json(self, **result):
        print(sent["mark"] + json.dumps(result))
        sys.exit(0)
    def run_command(self, words, check_rc=False):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True)
        if check_rc and done.returncode:
            sys.exit(3)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

def filled(spec, given):
    found = {}
    if set(given) - set(spec):
        sys.exit(3)
    for name, rule in spec.items():
        value = given.get(name, rule.get("default"))
        if value is None and rule.get("required"):
            sys.exit(3)
        if value is not None and not isinstance(value, KINDS[rule.get("type", "str")]):
            sys.exit(3)
        if value is not None and "options" in rule:
            value = [filled(rule["options"], one) for one in value]
        found[name] = value
    return found

KINDS = {"str": str, "path": str, "list": list, "dict": dict, "bool": bool, "int": int}

def add(name, **words):
    module = types.ModuleType(name)
    module.__dict__.update(words)
    sys.modules[name] = module
    return module

sys.dont_write_bytecode = True
add("ansible"); add("ansible.module_utils"); add("ansible.module_utils.basic", AnsibleModule=AnsibleModule)
for name, text in sent["libraries"]:
    exec(compile(text, name, "exec"), add("ansible.module_utils." + name).__dict__)
exec(compile(sent["module"], "module", "exec"), add("__main__", __name__="__main__").__dict__)
"""
START = "import json, sys; sent = json.load(sys.stdin); exec(sent['runner'])"
"""All that is in the host's list of processes: what is sent comes by standard input."""


def command(python: str) -> str:
    """Return the command by which a host reads what :func:`package` made. Isolated: nothing of its user's is loaded."""
    return f"{shlex.quote(python)} -I -S -c {shlex.quote(START)}"


def package(plugins: Path, module: str, arguments: Mapping[str, Any], *, check: bool = True) -> bytes:
    """Given the folder of the project's plugins, a module of it and its arguments, return what the host is sent.

    ``check`` is the module's check mode: false only for a module that then writes what it knows and nothing else.
    """
    sent = {"mark": MARK, "check": check, "runner": RUNNER, "module": _source(plugins, f"modules/{module}")}
    libraries = [(name, _source(plugins, f"module_utils/{name}")) for name in LIBRARIES]
    return json.dumps({**sent, "libraries": libraries, "arguments": _plain(arguments)}).encode("ascii")


def read(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Given the answer of a command, return the module's result when nothing is to be done; None in any other case."""
    if said.get("rc") != 0:
        return None
    lines = [line for line in str(said.get("stdout", "")).splitlines() if line.startswith(MARK)]
    if len(lines) != 1:
        return None
    try:
        result: Any = json.loads(lines[0].removeprefix(MARK))
    except ValueError:
        return None
    if not isinstance(result, dict) or result.get("changed") is not False or result.get("failed"):
        return None
    return None if result.pop("pending", False) else result


def _plain(value: Any) -> Any:
    """Return a value of Ansible's, whose containers are resolved as they are read, as plain data."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


@cache
def _source(plugins: Path, name: str) -> str:
    return (plugins / f"{name}.py").read_text(encoding="utf-8")


def look(
    action: Any, module: str, arguments: Mapping[str, Any], variables: Mapping[str, Any], *, check: bool = True
) -> dict[str, Any] | None:
    """Given an action of Ansible at work, ask its host by one of our modules whether there is nothing to do.

    Return the module's result then, and None otherwise: the module is to be executed. The variable
    ``packmairie_first_look: false`` has it always executed.
    """
    if str(variables.get("packmairie_first_look", "")).lower() in ("false", "no", "0"):
        return None
    python = str(variables.get("ansible_python_interpreter") or "/usr/bin/python3")
    plugins = Path(__file__).resolve().parents[3] / "plugins"
    if not python.startswith("/") or not plugins.is_dir():
        return None
    said = action._low_level_execute_command(command(python), in_data=package(plugins, module, arguments, check=check))
    return read(said)
