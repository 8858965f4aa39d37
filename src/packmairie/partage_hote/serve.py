# SPDX-License-Identifier: GPL-3.0-or-later
"""Start copyparty with one thing changed: no file is unlinked before the bin has it.

copyparty unlinks in one function, whoever asks (DELETE, PUT and MOVE over a file, the browser). It has no hook before
a PUT, MOVE or COPY that replaces. Refuse to start when that function is not where it was read.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

from packmairie.partage_hote.keeping import keep
from packmairie.partage_hote.places import Places

USERS = ("copyparty.httpcli", "copyparty.up2k")


def install(places: Places) -> None:
    """Wrap copyparty's ``wunlink``. Raise RuntimeError when its modules do not all use the wrapped one."""
    util: Any = importlib.import_module("copyparty.util")
    original = util.wunlink

    def kept_first(log: Any, path: str, flags: Any) -> Any:
        keep(places, path)
        return original(log, path, flags)

    util.wunlink = kept_first
    for name in USERS:
        if getattr(importlib.import_module(name), "wunlink", None) is not kept_first:
            raise RuntimeError(f"{name} does not unlink as it did: the bin would miss files")


if __name__ == "__main__":
    # Until copyparty listens to it, a request to reload must not end the process.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    install(Places())
    sys.argv[0] = "copyparty"
    importlib.import_module("copyparty.__main__").main()
