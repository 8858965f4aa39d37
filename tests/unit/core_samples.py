# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack and communes in memory, made from the register, for the tests of briques and operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inventory_samples import edit, make_pack

from packmairie.model.commune import Commune
from packmairie.model.pack import Pack, PackFile
from packmairie.model.probe import Absent, DnsAnswer, Found, Unanswered
from packmairie.registry.slug import slug
from packmairie.registry.table import table

PACK_FILE: dict[str, Any] = {
    "nom": "Essai",
    "operateur": {"nom": "Opérateur d'exemple", "courriel": "exploitation@pack.example"},
    "plateforme": {
        "domaine": "pack.example",
        "ipv4": ["192.0.2.10"],
        "serveurs_dns": {"ns1": ["192.0.2.10"], "ns2": ["192.0.2.11", "2001:db8::11"]},
        "hotes": {"plateforme": {"adresse": "192.0.2.10", "groupes": ["dns", "frontal", "messagerie"]}},
    },
}
SILENT = Unanswered("pas de réponse")
ABSENT = Absent("n'existe pas dans le DNS")


def commune(code: str = "62708", **changes: Any) -> Commune:
    """Return a commune of the register with one agent; ``changes`` replace keys of its file."""
    row = table()[code]
    domain = f"{slug(row.nom)}.fr"
    base: dict[str, Any] = {
        "insee": row.insee,
        "nom": row.nom,
        "departement": row.departement,
        "siren": row.siren,
        "siret": row.siret,
        "codes_postaux": list(row.codes_postaux),
        "population": row.population,
        "millesime": 2026,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "domaine": {"nom": domain},
        "agents": [{"identifiant": "secretariat", "nom": "Secrétariat"}],
        "service_public": {
            "courriel": f"contact@{domain}",
            "site": f"https://www.{domain}",
            "constate_le": "2026-11-12",
        },
    }
    return Commune.model_validate({**base, **changes})


def pack(*communes: Commune, folder: str = "inventories/essai", **changes: Any) -> Pack:
    """Return a pack with these communes; ``changes`` are merged into the content of its ``pack.yml``."""
    return Pack(folder=folder, file=PackFile.model_validate(merged(PACK_FILE, changes)), communes=communes)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a dictionary with another merged into it, at every depth."""
    result = dict(base)
    for key, value in changes.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


def found(*values: str, authenticated: bool = False) -> Found:
    """Return the answer that a record set with these values is."""
    return Found(DnsAnswer(tuple(values), authenticated))


def set_existing(folder: Path, file: str, brique: str = "messagerie") -> None:
    """Say in a commune's file that it has this brique already, its zone being kept elsewhere."""
    path = folder / "communes" / file
    path.write_text(
        path.read_text(encoding="utf-8") + f'existant:\n  {brique}: "Prestataire d\'exemple"\n', encoding="utf-8"
    )
    edit(path, "dns: geree", "dns: externe")


def same(value: Any) -> Callable[..., Any]:
    """Return a function that always returns this value."""
    return lambda *_arguments, **_options: value


__all__ = ["ABSENT", "PACK_FILE", "SILENT", "commune", "edit", "found", "make_pack", "pack", "same", "set_existing"]
