# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's unit runs: every source of every repository of this host, a few communes at a time."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .backup import back_up
from .settings import Depot, HostSettings, read_depots, read_host_settings

HOOKS_RECORD = "crochets.json"


def main(wanted: list[str]) -> int:
    """Back up the repositories of the communes named (none means all); 1 when one did not succeed."""
    settings_folder = Path(os.environ.get("PACKMAIRIE_SAUVEGARDE", "/etc/packmairie/sauvegarde"))
    state = Path(os.environ.get("STATE_DIRECTORY", "/var/lib/packmairie/sauvegarde"))
    cache = Path(os.environ.get("CACHE_DIRECTORY", "/var/cache/packmairie-sauvegarde"))
    settings = read_host_settings(settings_folder / "hote.json", state, cache)
    depots = [
        depot
        for depot in read_depots(settings_folder / "depots", settings.groups)
        if not wanted or depot.commune in wanted
    ]
    hooks = hooks_failure(settings.state / HOOKS_RECORD)
    with ThreadPoolExecutor(max_workers=settings.parallel) as pool:
        results = list(pool.map(lambda depot: _depot(settings, depot, hooks), depots))
    for line in (line for lines in results for line in lines):
        sys.stderr.write(line + "\n")
    bad = sum(len(lines) for lines in results)
    done = sum(len(depot.sources) for depot in depots)
    sys.stdout.write(f"{done - bad} sauvegardes réussies sur {done}\n")
    return 1 if bad else 0


def _depot(settings: HostSettings, depot: Depot, hooks: str) -> list[str]:
    """Back up one repository; return a line for each source that did not succeed."""
    lines = []
    for source in depot.sources:
        try:
            state = back_up(settings, depot, source, hooks)
        except Exception as error:  # noqa: BLE001 — one commune's trouble must not stop the next one's backup
            lines.append(f"{depot.commune} {depot.name} {source.name} : {error.__class__.__name__} : {error}")
            continue
        if state["etat"] != "reussie":
            lines.append(f"{depot.commune} {depot.name} {source.name} : {state['etat']} : {state['cause']}")
        if state.get("annonce"):
            lines.append(f"{depot.commune} {depot.name} {source.name} : {state['annonce']}")
    return lines


def hooks_failure(record: Path) -> str:
    """Return why the hooks before this run failed, empty when they did not or when there are none."""
    try:
        failed = json.loads(record.read_text(encoding="utf-8"))["echecs"]
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError):
        return "le compte rendu des crochets est illisible"
    return f"crochet en échec : {', '.join(failed)}" if failed else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
