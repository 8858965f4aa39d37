# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask each night for what communes publish of their contracts, and for their buyer profile; keep what was found.

A state for each commune: when each address was last good, and since when it is not. The checks read it: an evening's
failure of a platform is not told as a profile that is gone.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/packmairie/marches/communes")
STATE = Path("/var/lib/packmairie/marches")
SECONDS = 30
OCTETS = 20_000_000


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it may lead where this account may not go."""

    def redirect_request(self, *_words: Any) -> None:
        """Return nothing."""


def ask(url: str, context: ssl.SSLContext) -> tuple[int, bytes]:
    """Return the status and the content of an address. Raise OSError, ValueError."""
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Stay())
    request = urllib.request.Request(url, headers={"User-Agent": "packmairie"})  # noqa: S310 — https alone, see look
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            return int(answer.status), answer.read(OCTETS + 1)
    except urllib.error.HTTPError as error:
        return error.code, b""


def look(url: str, digest: str | None, context: ssl.SSLContext) -> str:
    """Return what is wrong with an address, nothing when it is as expected (``digest``: SHA-256 of its content)."""
    if not url.startswith("https://"):
        return "adresse sans https"
    try:
        status, content = ask(url, context)
    except (OSError, ValueError) as error:
        return f"pas de réponse ({getattr(error, 'reason', error)})"[:200]
    # A redirection is an answer; of what is published here, only the very file is.
    if not 200 <= status < (400 if digest is None else 300):
        return f"réponse HTTP {status}"
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        return "le contenu n'est pas celui qui a été publié"
    return ""


def after(before: Mapping[str, Any], wrong: str, now: str) -> dict[str, Any]:
    """Given what was known of an address and what is wrong now, return what is known of it."""
    if not wrong:
        return {"vu": now, "depuis": None, "defaut": ""}
    return {"vu": before.get("vu"), "depuis": before.get("depuis") or now, "defaut": wrong}


def watch(settings: Path, state: Path, now: datetime) -> Iterator[str]:
    """Look at every commune's addresses, keep what was found; yield what is wrong."""
    context = ssl.create_default_context()
    moment = now.isoformat(timespec="seconds")
    wished = {path.stem: path for path in sorted(settings.glob("*.json"))}
    for code, path in wished.items():
        told = json.loads(path.read_text(encoding="utf-8"))
        kept = state / f"{code}.json"
        try:
            before = json.loads(kept.read_text(encoding="utf-8"))["adresses"]
        except (OSError, ValueError, KeyError):
            before = {}
        found = {}
        for url, digest in told["adresses"].items():
            wrong = look(url, digest, context)
            found[url] = after(before.get(url, {}), wrong, moment)
            if wrong:
                yield f"{code} {url} : {wrong}"
        temporary = state / f".{code}.part"
        temporary.write_text(
            json.dumps({"fin": moment, "adresses": found}, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        temporary.replace(kept)
    for kept in state.glob("*.json"):
        if kept.stem not in wished:
            kept.unlink()


def main() -> int:
    """Entry point of the unit; what is wrong is told in the journal, and is no failure of the watch."""
    for line in watch(SETTINGS, STATE, datetime.now(UTC)):
        sys.stderr.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
