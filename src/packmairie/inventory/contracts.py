# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of contracts of a commune, as YAML or CSV in the pack: ``marches/<INSEE>.yml`` or ``.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packmairie.formats.decp.register import Row
from packmairie.formats.decp.tabular import MAX_BYTES, read_csv
from packmairie.formats.findings import Finding, Report, report
from packmairie.inventory.source import Node, read_source
from packmairie.model.problem import fail

REGISTER_FOLDER = "marches"
TEXT_COLUMNS = ("numero", "accord_cadre", "cpv")


def register_of(pack_folder: Path, insee: str) -> Path:
    """Return the register of a commune; raise PackmairieError when it has none, or two."""
    found = [
        path for suffix in ("yml", "csv") if (path := pack_folder / REGISTER_FOLDER / f"{insee}.{suffix}").exists()
    ]
    if len(found) > 1:
        raise fail(str(found[0]), f"{found[1].name} existe aussi", "garder un seul registre")
    if not found:
        place = str(pack_folder / REGISTER_FOLDER / f"{insee}.yml")
        raise fail(place, "le registre des marchés manque", "le créer (modèle : docs/briques/marches.md)")
    return found[0]


def read_register(file: Path, pack_folder: Path) -> tuple[tuple[Row, ...], Report]:
    """Given a register, return its rows with their lines, and what is wrong with its form."""
    if file.suffix == ".csv":
        if file.is_symlink() and not file.resolve().is_relative_to(pack_folder.resolve()):
            return (), report([Finding(0, "", "lien symbolique qui sort du pack", "mettre le fichier lui-même")])
        with file.open("rb") as stream:
            return read_csv(stream.read(MAX_BYTES + 1))
    source = read_source(file, pack_folder)
    findings = [Finding(problem.line, "", problem.reason, problem.remedy) for problem in source.problems]
    if source.root is None:
        return (), report(findings)
    for key in source.root.value:
        if key != "marches":
            line = source.root.nearest((key,)).line
            findings.append(Finding(line, "", f"clé « {key} » inconnue", "le registre n'a qu'une liste, marches"))
    below = source.root.child("marches")
    if below is None or not isinstance(below.children, list):
        findings.append(Finding(1, "", "pas de liste « marches »", "écrire « marches: » puis un tiret par contrat"))
        return (), report(findings)
    rows = []
    for node in below.children:
        if not isinstance(node.children, dict):
            findings.append(Finding(node.line, "", "un contrat est une liste de colonnes", "écrire « - numero: … »"))
            continue
        rows.append(_row(node))
    return tuple(rows), report(findings)


def _row(node: Node) -> Row:
    assert isinstance(node.children, dict)  # noqa: S101 — its caller looked
    values: dict[str, Any] = {}
    for name, below in node.children.items():
        # A number typed without quotes in a column of text keeps the form that was typed (« 2026-01 », « 007 »).
        values[name] = below.raw if below.raw is not None and name in TEXT_COLUMNS else below.value
    return Row(values, node.line, {name: below.line for name, below in node.children.items()})
