# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file or a folder of the host is: its content, its owner, its rights. Sent with the module."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat


def read(path):
    """Return the bytes of a file, or None when there is none."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def owner_ids(wish):
    """Return (uid, gid) of a wish, None for a user or group that does not exist yet."""
    uid = gid = None
    with contextlib.suppress(KeyError):
        uid = pwd.getpwnam(wish.get("owner") or "root").pw_uid
    with contextlib.suppress(KeyError):
        gid = grp.getgrnam(wish.get("group") or "root").gr_gid
    return uid, gid


def attributes_differ(path, wish):
    """Tell whether an existing file or directory has another mode, owner or group than wished."""
    info = os.lstat(path)
    uid, gid = owner_ids(wish)
    return (
        stat.S_IMODE(info.st_mode) != int(wish["mode"], 8)
        or uid is None
        or gid is None
        or (info.st_uid, info.st_gid) != (uid, gid)
    )


def sync_folder(path):
    """Make renames in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
