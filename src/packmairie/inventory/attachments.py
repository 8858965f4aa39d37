# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of this machine that a host needs to send for communes: schemas, archival profiles, certificates, keys.

They are listed here, each under the name that it takes on the host; what they hold is read when it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from packmairie.inventory.official import ACTES_PATHS, first_schema, schema_folders, seda_paths
from packmairie.inventory.profiles import PROFILES_FILE
from packmairie.model.commune import Commune
from packmairie.model.envois import host_file_names
from packmairie.model.pack import PackFile

SCHEMAS = "schemas-officiels"
ACTES_TOGETHER = ("insee-commun.xsd", "siret.xsd")
"""What the schema of acts includes."""


def list_attachments(folder: Path, file: PackFile, communes: Sequence[Commune]) -> dict[str, str]:
    """Given a pack's folder and what it says, return the files to lay: name on the host → absolute path here.

    A file that this machine lacks is left out: what needs it says so where it runs.
    """
    wished: dict[str, Path] = {}
    versions: set[str] = {commune.archivage.seda for commune in communes if commune.archivage is not None}
    acts = any(commune.teletransmission is not None for commune in communes)
    if versions or acts:
        wished |= dict(_schemas(schema_folders(folder, file.schemas), versions, acts=acts))
        wished[str(PROFILES_FILE)] = folder / PROFILES_FILE
        for commune in communes:
            if commune.archivage is not None and commune.archivage.profil_rng:
                wished[f"profils/{commune.insee}.rng"] = folder / commune.archivage.profil_rng
        for name, path in host_file_names(file.sae, file.tdt).items():
            wished[name] = folder / path
    return {name: str(path.absolute()) for name, path in sorted(wished.items()) if path.is_file()}


def _schemas(folders: tuple[Path, ...], versions: set[str], *, acts: bool) -> Iterator[tuple[str, Path]]:
    """Yield the schemas asked for, with what stands beside them: they include one another by name."""
    for version in sorted(versions):
        found = first_schema(folders, seda_paths(version))
        if found is not None:
            beside = [*found.parent.glob(f"seda-{version}-*.xsd"), *found.parent.glob("x*.xsd")]
            beside += found.parent.parent.glob("official-2.0-2.2/x*.xsd")
            for path in beside:
                yield f"{SCHEMAS}/seda/{path.name}", path
    found = first_schema(folders, ACTES_PATHS) if acts else None
    if found is not None:
        for path in (found, *(found.parent / name for name in ACTES_TOGETHER)):
            yield f"{SCHEMAS}/actes/{path.name}", path
