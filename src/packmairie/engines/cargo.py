# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of a host, taken and put back as tar over SSH, their owners by name."""

from __future__ import annotations

import shlex
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

import paramiko

from packmairie.engines.hosts import connection
from packmairie.model.pack import Hote
from packmairie.model.problem import fail

SECONDS = 3600.0
BLOCK = 1 << 20


def take(name: str, host: Hote, paths: Sequence[str], excludes: Sequence[str], to: Path) -> None:
    """Given a host and absolute paths, write a tar of those that exist, as they stand. Raise PackmairieError."""
    words = " ".join(shlex.quote(f"--exclude={pattern}") for pattern in excludes)
    present = "; ".join(f"[ ! -e {path} ] || echo {path}" for path in (shlex.quote(path) for path in paths))
    # A mailbox receives while it is read: a file that moved is not a failure, tar's own exit status 1.
    command = (
        f'set --; for path in $({present}); do set -- "$@" ".$path"; done; cd / || exit 9; '
        f'[ $# = 0 ] || tar --create --file=- --format=posix --warning=no-file-changed {words} -- "$@"; '
        "code=$?; [ $code -le 1 ]"
    )
    with to.open("wb") as target:
        output(name, host, command, target)


def output(name: str, host: Hote, command: str, target: IO[bytes]) -> None:
    """Run a command on a host and write what it says to a file. Raise PackmairieError when it fails."""

    def work(client: paramiko.SSHClient) -> None:
        _stdin, stdout, stderr = client.exec_command(command, timeout=SECONDS)
        while block := stdout.read(BLOCK):
            target.write(block)
        if stdout.channel.recv_exit_status() != 0:
            said = stderr.read().decode("utf-8", "replace").strip()[-300:]
            raise fail(name, f"lecture refusée : {said}", "vérifier l'hôte, puis relancer")

    _over(name, host, work)


def put(name: str, host: Hote, members: Iterable[tuple[tarfile.TarInfo, IO[bytes] | None]]) -> int:
    """Given a host and members named from its root, write them there; return how many. Raise PackmairieError."""
    done = 0

    def work(client: paramiko.SSHClient) -> None:
        nonlocal done
        command = "tar --extract --file=- --directory=/ --preserve-permissions --same-owner"
        stdin, stdout, stderr = client.exec_command(command, timeout=SECONDS)
        with tarfile.open(fileobj=stdin, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for member, content in members:
                archive.addfile(member, content)
                done += 1
        stdin.channel.shutdown_write()
        if stdout.channel.recv_exit_status() != 0:
            said = stderr.read().decode("utf-8", "replace").strip()[-300:]
            raise fail(name, f"écriture refusée : {said}", "vérifier l'hôte et la place sur son disque, puis relancer")

    _over(name, host, work)
    return done


def delete(name: str, host: Hote, paths: Sequence[str]) -> None:
    """Delete folders of a host, without leaving its file system. Raise PackmairieError, ValueError for a bare root."""
    if any(not path.startswith("/") or path.count("/") < 3 or ".." in path.split("/") for path in paths):
        raise ValueError("a path to delete is at least three folders deep")
    command = "rm --recursive --force --one-file-system -- " + " ".join(shlex.quote(path) for path in paths)
    with Path("/dev/null").open("wb") as nowhere:
        output(name, host, command, nowhere)


def _over(name: str, host: Hote, work: Callable[[paramiko.SSHClient], None]) -> None:
    try:
        with connection(host) as client:
            work(client)
    except (paramiko.SSHException, OSError) as error:
        raise fail(name, f"SSH impossible : {error}", "vérifier l'hôte, la clé et le réseau") from None
