# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file or a folder of the host is: its content, its owner, its rights. Sent with the module."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import tempfile

TEMPORARY_PREFIX = ".packmairie-tree-"
REASONS = {
    errno.ENOSPC: "le disque est plein",
    errno.EDQUOT: "le quota de disque est atteint",
    errno.EROFS: "le disque est en lecture seule",
    errno.EACCES: "accès refusé",
    errno.EIO: "le disque ne lit ou n'écrit plus",
}


def reason_of(error):
    """Return in French why the system refused to read or write."""
    return REASONS.get(error.errno) or error.strerror or str(error)


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


def make_folder(path):
    """Create the missing parents of a file, root's and 0755."""
    if path and not os.path.isdir(path):
        make_folder(os.path.dirname(path))
        os.mkdir(path, 0o755)


def write_beside(path, content, settle=None):
    """Write a new file beside its destination, synced; return its temporary path. A failure leaves nothing.

    ``settle`` is called with that path, to give it the owner and rights of the destination.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        if settle:
            settle(temporary)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def snapshot(path):
    """Return (content, mode, uid, gid) of a file, the target of a link, or None when there is neither."""
    if os.path.islink(path):
        return os.readlink(path)
    content = read(path)
    if content is None:
        return None
    info = os.lstat(path)
    return content, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid


def restore(before):
    """Put files back as they were before this run."""
    for path, known in before.items():
        if known is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            continue
        if isinstance(known, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.symlink(known, path)
            continue
        content, mode, uid, gid = known
        temporary = write_beside(path, content)
        os.chown(temporary, uid, gid)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
