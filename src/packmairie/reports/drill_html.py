# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence of a restore as a page that a commune hands to its insurer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader

from packmairie.model.pack import Pack


def drill_html(pack: Pack, evidences: Iterable[Any], folder: Path) -> list[Path]:
    """Given the evidences of a drill, write one page for each commune under a folder; return the pages."""
    by_commune: dict[str, list[Any]] = {}
    for evidence in evidences:
        by_commune.setdefault(evidence.commune, []).append(evidence)
    environment = Environment(
        loader=PackageLoader("packmairie.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"heure": french_time, "taille": weight}
    template = environment.get_template("restauration.html.j2")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for insee, found in sorted(by_commune.items()):
        path = folder / f"{found[0].at:%Y-%m-%d}-{insee}-restauration.html"
        text = template.render(
            commune=pack.commune(insee),
            operateur=pack.file.operateur,
            essais=found,
            prouve=all(evidence.prouve for evidence in found),
            jour=found[0].at,
            retention=pack.file.sauvegarde.retention_jours,
        )
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def french_time(moment: datetime | str) -> str:
    """Return a moment (or its ISO text) as a French reader writes it, in French time."""
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{value.astimezone(ZoneInfo('Europe/Paris')):%d/%m/%Y à %H:%M}"


def weight(octets: int) -> str:
    """Return a size in the unit that a reader would use."""
    for unit, size in (("Go", 1e9), ("Mo", 1e6), ("ko", 1e3)):
        if octets >= size:
            return f"{octets / size:.1f} {unit}".replace(".", ",")
    return f"{octets} octets"
