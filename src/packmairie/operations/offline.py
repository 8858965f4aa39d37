# SPDX-License-Identifier: GPL-3.0-or-later
"""``plan --offline``: render and lint everything that would be deployed, contacting nothing, opening no secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packmairie.engines.dns import octodns_zone
from packmairie.inventory.loader import load_pack
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, Problem
from packmairie.model.record import Zone, zone_text
from packmairie.model.tree import Tree
from packmairie.operations.desired import offline_secrets, select, trees, zones

LONGEST_LINE = 32_000
"""Bytes; well under what any of the services reads as one line."""
CONTROL = re.compile("[\x00-\x08]")


@dataclass(frozen=True)
class OfflinePlan:
    """Everything rendered: the zones, and the trees of the shared hosts."""

    pack: Pack
    communes: tuple[str, ...]
    zones: tuple[Zone, ...]
    trees: dict[str, Tree]

    def counts(self) -> dict[str, int]:
        """Return how much was rendered."""
        files = [file for tree in self.trees.values() for file in tree.files]
        return {
            "communes": len(self.communes),
            "zones": len(self.zones),
            "records": sum(len(zone.records) for zone in self.zones),
            "files": len(files),
            "parts": sum(len(file.parts) for file in files),
            "bytes": sum(len(part.content) for file in files for part in file.parts),
        }


def plan_offline(folder: Path, wanted: Iterable[str] = (), write_to: Path | None = None) -> OfflinePlan:
    """Given a pack's folder, validate it, render every file and zone and lint them.

    ``write_to`` receives what was rendered, to be read or compared between two commits. Secrets are placeholders.
    Raise PackmairieError with every reason.
    """
    pack = load_pack(folder)
    communes = select(pack, wanted)
    source = offline_secrets(pack)
    rendered = OfflinePlan(pack, communes, zones(pack, source), trees(pack, source))
    problems = [*lint_zones(rendered.zones), *lint_trees(rendered.trees.values())]
    if problems:
        raise PackmairieError(problems)
    if write_to is not None:
        write_rendered(rendered, write_to)
    return rendered


def lint_zones(wished: Iterable[Zone]) -> list[Problem]:
    """Return what octoDNS refuses in the zones."""
    problems: list[Problem] = []
    for zone in wished:
        try:
            octodns_zone(zone)
        except PackmairieError as error:
            problems += error.problems
    return problems


def lint_trees(wished: Iterable[Tree]) -> list[Problem]:
    """Return what no service could read: relative or doubled paths, control characters, lines without end."""
    problems = []
    seen: set[str] = set()
    for tree in wished:
        for file in tree.files:
            if not file.path.startswith("/") or ".." in file.path.split("/") or file.path in seen:
                problems.append(Problem(file.path, "chemin relatif ou en double", "signaler ce défaut de packmairie"))
            seen.add(file.path)
            for part in file.parts:
                fault = text_fault(part.content)
                if fault:
                    place = f"{file.path} ({part.commune or 'plateforme'})"
                    problems.append(Problem(place, fault, "corriger le fichier de la commune"))
    return problems


def text_fault(text: str) -> str | None:
    """Return what is wrong with a rendered text, or None."""
    if not text:
        return None
    if not text.endswith("\n"):
        return "la dernière ligne n'est pas terminée"
    if CONTROL.search(text):
        return "caractère de contrôle"
    if len(text) > LONGEST_LINE and max(map(len, text.splitlines())) > LONGEST_LINE:
        return "ligne trop longue"
    return None


def write_rendered(rendered: OfflinePlan, folder: Path) -> None:
    """Write zones under ``zones/`` and host files under ``hotes/``; secret files hold placeholders only."""
    for zone in rendered.zones:
        _write(folder / "zones" / f"{zone.name}.zone", zone_text(zone))
    for tree in rendered.trees.values():
        for file in tree.files:
            _write(folder / "hotes" / tree.group / file.path.lstrip("/"), file.text())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
