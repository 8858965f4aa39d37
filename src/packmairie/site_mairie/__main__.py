# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's command line on the web host: ``python3 -m site_mairie build …``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

from .content import read_content
from .data import load_commune
from .pages import render_site
from .publish import publish
from .versions import Store, VersionsError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 when every site is built, 1 when one is not."""
    parser = argparse.ArgumentParser(prog="site_mairie", description="Construit les sites des communes.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMANDE")
    build = commands.add_parser("build", help="construire le site d'une commune")
    build.add_argument("--data", type=Path, required=True, help="commune.json")
    build.add_argument("--content", type=Path, required=True, help="dossier du secrétariat")
    build.add_argument("--out", type=Path, required=True, help="dossier du site")
    build_all = commands.add_parser("build-all", help="construire tous les sites")
    build_all.add_argument("--data", type=Path, required=True, help="dossier des <INSEE>.json")
    build_all.add_argument("--content", type=Path, required=True, help="dossier des dossiers <INSEE>")
    build_all.add_argument("--out", type=Path, required=True, help="dossier des sites, un par nom d'hôte")
    for command in (build, build_all):
        command.add_argument("--today", type=date.fromisoformat, default=None, help="jour à considérer (AAAA-MM-JJ)")
    for name, text in (("record", "noter les changements faits dans le dossier"), ("undo", "annuler le dernier")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--content", type=Path, required=True, help="dossier du secrétariat")
    asked = parser.parse_args(arguments)
    if asked.command == "record":
        return _record(asked.content)
    if asked.command == "undo":
        return _undo(asked.content)
    today = asked.today or datetime.now().astimezone().date()
    if asked.command == "build":
        return _build([(asked.data, asked.content, asked.out)], today)
    jobs = [(path, asked.content / path.stem, asked.out) for path in sorted(asked.data.glob("*.json"))]
    return _build(jobs, today, by_host=True)


def _build(jobs: Iterable[tuple[Path, Path, Path]], today: date, *, by_host: bool = False) -> int:
    """Build each site; one that fails is told and the others are still built."""
    failed = built = changed = 0
    start = time.monotonic()
    for data, content, out in jobs:
        try:
            commune = load_commune(data)
            target = out / commune.hote if by_host else out
            done = publish(render_site(commune, read_content(content), today), content, target)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{data}: {error} → site laissé comme il était\n")
            failed += 1
            continue
        built += 1
        changed += bool(done.changed or done.removed)
        for problem in done.problems:
            sys.stderr.write(f"{commune.insee} {problem}\n")
    sys.stdout.write(f"sites : {built}, changés : {changed}, en échec : {failed}, {time.monotonic() - start:.1f} s\n")
    return 1 if failed else 0


def _record(content: Path) -> int:
    try:
        noted = Store(content).record(datetime.now(UTC))
    except (OSError, VersionsError) as error:
        sys.stderr.write(f"{content}: {error}\n")
        return 1
    sys.stdout.write(f"fichiers changés : {noted.files}\n")
    return 0


def _undo(content: Path) -> int:
    try:
        undone = Store(content).undo("exploitant", datetime.now(UTC))
    except (OSError, VersionsError) as error:
        sys.stderr.write(f"{content}: {error}\n")
        return 1
    sys.stdout.write(f"annulé : {undone.label}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
