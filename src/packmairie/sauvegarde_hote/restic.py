# SPDX-License-Identifier: GPL-3.0-or-later
"""Run restic on a repository: no secret in its arguments, its password through a descriptor that only it inherits."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .codes import Outcome, outcome_of
from .settings import Depot, HostSettings

HOURS = 12


@dataclass(frozen=True)
class Run:
    """What a run of restic left: its exit code, what it means, what it printed."""

    code: int
    outcome: Outcome
    out: str
    err: str

    def summary(self) -> dict[str, Any]:
        """Return the last line of ``backup --json``; empty when there is none."""
        for line in reversed(self.out.splitlines()):
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and message.get("message_type") == "summary":
                return message
        return {}


def run(settings: HostSettings, depot: Depot, arguments: Sequence[str], text: str | None = None) -> Run:
    """Run restic with these arguments; ``text`` is given on its standard input."""
    reader = password_descriptor(depot.password)
    lookup = "path" if depot.path_style else "dns"
    command = ["restic", "-o", f"s3.bucket-lookup={lookup}", "-o", f"s3.region={depot.region}", "--quiet"]
    if settings.upload_kib:
        command += ["--limit-upload", str(settings.upload_kib)]
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(settings.cache),
        "LANG": "C.UTF-8",
        "RESTIC_REPOSITORY": depot.url,
        "RESTIC_PASSWORD_FILE": f"/dev/fd/{reader}",
        "RESTIC_CACHE_DIR": str(settings.cache),
        "RESTIC_PROGRESS_FPS": "0.016",
        "AWS_ACCESS_KEY_ID": depot.key_id,
        "AWS_SECRET_ACCESS_KEY": depot.key_secret,
        "TMPDIR": str(settings.cache),
    }
    try:
        done = subprocess.run(  # noqa: S603 — a list of arguments, no shell
            [*command, *arguments],
            env=environment,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            pass_fds=(reader,),
            timeout=HOURS * 3600,
            check=False,
        )
    except FileNotFoundError:
        return Run(127, Outcome("echec", "restic n'est pas installé"), "", "")
    except subprocess.TimeoutExpired:
        return Run(124, Outcome("echec", f"restic n'a pas fini en {HOURS} heures"), "", "")
    finally:
        os.close(reader)
    return Run(done.returncode, outcome_of(done.returncode, done.stderr), done.stdout, done.stderr)


def password_descriptor(password: str) -> int:
    """Return a descriptor from which the password is read, once or several times; it is in no file."""
    descriptor = os.memfd_create("restic", 0)
    os.write(descriptor, f"{password}\n".encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
