# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that backups lay on hosts: what each backs up and where, the store's keys, the platform's maintenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any

from packmairie.briques.contract import Secrets
from packmairie.briques.sauvegarde_repositories import all_sources, bucket_name, endpoint, has_store
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.sauvegarde import Repository, Source
from packmairie.model.tree import Part, TreeFile

PLANNED_GROUP = "entretien"
PLANNED_FOLDER = "/etc/packmairie/entretien"
PLANNED_CODE = "/usr/local/lib/packmairie-entretien"
PLANNED_MODULES = {
    "": ("__init__",),
    "engines": ("__init__", "names", "questions", "relay", "restic", "restic_bridge", "s3"),
    "model": ("__init__", "preuve", "probe", "probes_sauvegarde", "problem", "sauvegarde"),
    "operations": (
        "__init__",
        "sauvegarde_compare",
        "sauvegarde_planned",
        "sauvegarde_proof",
        "sauvegarde_upkeep",
    ),
    "sauvegarde_hote": ("__init__", "backup", "codes", "manifest", "restic", "settings", "store"),
}
"""Our own modules that the platform's maintenance runs, by package."""
IDENTITIES_FOLDER = "/etc/packmairie/stockage/identites"
DEPOTS_FOLDER = "/etc/packmairie/sauvegarde/depots"
CODE_FOLDER = "/usr/local/lib/packmairie"
HOST_PACKAGE = "sauvegarde_hote"


def workstation_tree(name: str) -> str:
    """Return the name of the tree that only this workstation receives."""
    return f"sauvegarde-{name}"


def depot_file(
    commune: Commune, pack: Pack, repository: Repository, sources: Iterable[Source], secrets: Secrets
) -> TreeFile:
    """Return what a host needs to back up into a repository."""
    policy, key = pack.file.sauvegarde, secrets[repository.key]
    content = {
        "commune": commune.insee,
        "depot": repository.name,
        "endpoint": endpoint(pack),
        "region": policy.region,
        "chemin": policy.adressage == "chemin",
        "seau": repository.bucket,
        "prefixe": repository.prefix,
        "cle": {"identifiant": str(key["identifiant"]), "secret": str(key["secret"])},
        "mot_de_passe": str(secrets[repository.password]),
        "sources": [
            {
                "nom": source.name,
                "groupe": source.group,
                "chemins": list(source.paths),
                "exclus": list(source.excludes),
                "bases": list(source.databases),
                "extraits": [
                    {"base": extract.database, "valeur": extract.value, "tables": dict(extract.tables)}
                    for extract in source.extracts
                ],
            }
            for source in sources
        ],
    }
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return TreeFile(
        f"{DEPOTS_FOLDER}/{commune.insee}-{repository.name}.json",
        (Part(text, commune.insee),),
        mode="0600",
        secret=True,
    )


def credential(key: Any) -> dict[str, str]:
    """Return an S3 key as SeaweedFS reads it."""
    return {"accessKey": str(key["identifiant"]), "secretKey": str(key["secret"])}


def identity_name(repository: Repository) -> str:
    """Return the name by which the store knows a repository's key, in its policies too."""
    return f"{repository.commune}-{repository.name}"


def identity(repository: Repository, key: Any) -> dict[str, Any]:
    """Return a repository's key for SeaweedFS: to read, list and add under its prefix, and nowhere else."""
    place = f"{repository.bucket}/{repository.prefix}/*"
    actions = [f"{action}:{place}" for action in ("Read", "Write", "List")]
    return {"name": identity_name(repository), "credentials": [credential(key)], "actions": actions}


def identities_file(name: str, identities: list[dict[str, Any]], commune: str | None) -> TreeFile:
    """Return the keys of a commune, or the maintenance key, as one file; the host joins them."""
    text = json.dumps(identities, indent=1, sort_keys=True) + "\n"
    return TreeFile(f"{IDENTITIES_FOLDER}/{name}.json", (Part(text, commune),), mode="0600", secret=True)


def planned_file(
    commune: Commune, pack: Pack, repositories_in_service: Iterable[Repository], secrets: Secrets
) -> TreeFile:
    """Return what the platform's maintenance needs to know of a commune's repositories."""
    content = {
        "commune": commune.insee,
        "nom": commune.nom,
        "seau": bucket_name(commune.insee, pack),
        "depots": [
            {
                "nom": repository.name,
                "mot_de_passe": str(secrets[repository.password]),
                "sources": {source.name: source.title for source in all_sources(commune, pack, repository)},
            }
            for repository in repositories_in_service
        ],
    }
    return planned_secret(f"communes/{commune.insee}.json", content, commune.insee)


def planned_store_file(pack: Pack, key: Any) -> TreeFile:
    """Return where the store is for the platform's maintenance, its key, and what of the policy it keeps."""
    policy = pack.file.sauvegarde
    content = {
        "endpoint": endpoint(pack),
        "region": policy.region,
        "chemin": policy.adressage == "chemin",
        "cle": {"identifiant": str(key["identifiant"]), "secret": str(key["secret"])},
        "verrou": policy.verrou,
        "retention_jours": policy.retention_jours,
        "garder": policy.garder.model_dump(),
    }
    return planned_secret("stockage.json", content, None)


def planned_secret(name: str, content: dict[str, Any], commune: str | None) -> TreeFile:
    """Return one file of the platform's maintenance, which its account alone may read."""
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return TreeFile(f"{PLANNED_FOLDER}/{name}", (Part(text, commune),), mode="0640", group=PLANNED_GROUP, secret=True)


def planned_code() -> Iterator[TreeFile]:
    """Yield what the platform's maintenance runs."""
    for package, modules in PLANNED_MODULES.items():
        folder = files(f"packmairie.{package}" if package else "packmairie")
        for module in modules:
            place = "/".join(part for part in (PLANNED_CODE, "packmairie", package, f"{module}.py") if part)
            yield TreeFile(place, (Part((folder / f"{module}.py").read_text(encoding="utf-8")),))


def planned_hosts(pack: Pack) -> tuple[str, ...]:
    """Return the host that maintains and drills by itself: the first that keeps something of the communes."""
    kept = {"frontal", "messagerie", "partage"}
    return tuple(
        name for name, host in sorted(pack.file.plateforme.hotes.items()) if has_store(pack) and kept & {*host.groupes}
    )[:1]


def code_files() -> Iterator[TreeFile]:
    """Yield what a host runs to back itself up."""
    for entry in sorted(files(f"packmairie.{HOST_PACKAGE}").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".py"):
            yield TreeFile(f"{CODE_FOLDER}/{HOST_PACKAGE}/{entry.name}", (Part(entry.read_text(encoding="utf-8")),))
