#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a Python environment on the host from wheels that the controller sent."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packmairie_venv
short_description: A Python environment of a service, installed from hash-checked wheels without any network
description:
  - Makes C(/opt/packmairie/NAME), a link to an environment that holds exactly what a requirement file locks.
  - A new environment is built beside the one in use, tried, and then takes its place in one rename; whatever
    interrupts the run, the service keeps a whole environment.
  - Called through the action plugin of the same name, which downloads the wheels on the controller for the host's
    Python. The role restarts its service when the task changed something.
options:
  name:
    description: Name of the environment.
    type: str
    required: true
  wish:
    description: Digest of what the environment must hold.
    type: str
    required: true
  phase:
    description: C(inspect) only says whether it differs and which Python the host has, C(install) installs.
    type: str
    choices: [inspect, install]
    required: true
  wheels:
    description: Folder to which the wheels were sent.
    type: path
  requirements:
    description: Name of the requirement file in that folder; every line has its hashes.
    type: str
  project:
    description: Name of packmairie's own wheel in that folder, for services that are part of it.
    type: str
author:
  - packmairie
"""

EXAMPLES = r"""
- name: Install the file server
  packmairie_venv:
    name: partage
    requirements: requirements.txt
"""

RETURN = r"""
changes:
  description: The environment, when it is new or another one.
  type: list
  returned: always
python:
  description: Version of the host's Python (phase inspect).
  type: list
  returned: when phase is inspect
"""

import hashlib
import os
import platform
import re
import shutil
import sys

from ansible.module_utils.basic import AnsibleModule

ROOT = "/opt/packmairie"
WISH_FILE = ".packmairie-voeu"
PYTHON = "/usr/bin/python3"


def read_text(path):
    """Return the text of a file, or None when there is none."""
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except OSError:
        return None


def clean(name, kept):
    """Remove the other environments of this name, and what an interrupted run left."""
    for entry in os.listdir(ROOT):
        if entry != kept and re.fullmatch(re.escape(name) + r"-[0-9a-f]{12}", entry):
            shutil.rmtree(os.path.join(ROOT, entry), ignore_errors=True)


def install(module, link, folder):
    """Build the environment in its folder and lead the link to it."""
    params = module.params
    shutil.rmtree(folder, ignore_errors=True)

    def run(command):
        module.run_command(command, check_rc=True, cwd="/")

    run([PYTHON, "-m", "venv", folder])
    pip = [os.path.join(folder, "bin", "pip"), "install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir"]
    pip += ["--disable-pip-version-check", "--find-links", params["wheels"]]
    run([*pip, "--require-hashes", "--requirement", os.path.join(params["wheels"], params["requirements"])])
    if params["project"]:
        run([*pip, os.path.join(params["wheels"], params["project"])])
    # Only for speed: on every core, and without pip, which no service runs. Some wheels carry files of Python 2 that
    # nothing imports (olefile): they are passed over.
    compiler = [os.path.join(folder, "bin", "python"), "-m", "compileall", "-q", "-j", "0", "-x", "/site-packages/pip/"]
    module.run_command([*compiler, os.path.join(folder, "lib")], cwd="/")
    with open(os.path.join(folder, WISH_FILE), "w", encoding="utf-8") as handle:
        handle.write(params["wish"])
    os.sync()
    temporary = link + ".nouveau"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(os.path.basename(folder), temporary)
    os.replace(temporary, link)
    clean(params["name"], os.path.basename(folder))


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "wish": {"type": "str", "required": True},
            "phase": {"type": "str", "choices": ["inspect", "install"], "required": True},
            "wheels": {"type": "path"},
            "requirements": {"type": "str"},
            "project": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not re.fullmatch(r"[a-z][a-z0-9]*", params["name"]):
        module.fail_json(msg="nom d'environnement invalide : {}".format(params["name"]))
    link = os.path.join(ROOT, params["name"])
    # The Python is part of the wish: after an upgrade of Debian the environment is made again.
    wish = "{} {}.{}".format(params["wish"], *sys.version_info[:2])
    params["wish"] = wish
    folder = f"{link}-{hashlib.sha256(wish.encode()).hexdigest()[:12]}"
    known = read_text(os.path.join(link, WISH_FILE))
    changes = []
    if known != wish:
        action = "create" if known is None else "update"
        changes.append({"action": action, "path": link, "commune": None, "detail": "environnement Python"})
    result = {"changed": bool(changes), "changes": changes}
    if params["phase"] == "inspect":
        glibc = [int(number) for number in platform.libc_ver()[1].split(".")[:2]]
        result.update(python=list(sys.version_info[:2]), machine=platform.machine(), glibc=glibc)
    elif changes and not module.check_mode:
        # Services run under accounts of their own, whatever root's mask is.
        os.umask(0o022)
        os.makedirs(ROOT, 0o755, exist_ok=True)
        install(module, link, folder)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
