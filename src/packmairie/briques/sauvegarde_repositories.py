# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a pack's backups go: its store, a bucket for each commune, the repositories in it and what fills them."""

from __future__ import annotations

from typing import Any

from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.sauvegarde import PLATFORM_REPOSITORY, Repository, Source

STORE_NAME = "s3"
STORE_GROUP = "stockage"
MAINTENANCE_KEY = "sauvegarde.cle_entretien"
WORKSTATION_GROUP = "postes"
CACHES = (".cache", "Cache", "CacheStorage", "Code Cache", "GPUCache", "Trash", "lost+found", "*.tmp")
"""Names never backed up on a workstation: what programs make again by themselves."""


def store_hosts(pack: Pack) -> tuple[Any, ...]:
    """Return the hosts that play the store; none when it is another's, or when the pack has none."""
    if pack.file.sauvegarde.endpoint is not None:
        return ()
    return tuple(host for _name, host in sorted(pack.file.plateforme.hotes.items()) if STORE_GROUP in host.groupes)


def has_store(pack: Pack) -> bool:
    """Tell whether the pack has anywhere to send backups."""
    return pack.file.sauvegarde.endpoint is not None or bool(store_hosts(pack))


def endpoint(pack: Pack) -> str:
    """Return the store's address."""
    return pack.file.sauvegarde.endpoint or f"https://{pack.file.plateforme.host_name(STORE_NAME)}"


def bucket_name(insee: str, pack: Pack) -> str:
    """Return the name of a commune's bucket (3 to 63 characters, lower case)."""
    prefix = pack.file.sauvegarde.prefixe or pack.file.plateforme.domaine.replace(".", "-")
    return f"{prefix[:50].rstrip('-')}-{insee.lower()}"


def repositories(commune: Commune, pack: Pack) -> tuple[Repository, ...]:
    """Return the commune's repositories, the platform's first; their sources are not told here."""
    policy, bucket = pack.file.sauvegarde, bucket_name(commune.insee, pack)
    platform = Repository(
        commune.insee,
        PLATFORM_REPOSITORY,
        bucket,
        "sauvegarde.plateforme.cle",
        "sauvegarde.plateforme.mot_de_passe",
        policy.age_max_heures,
    )
    return (
        platform,
        *(
            Repository(
                commune.insee,
                poste.nom,
                bucket,
                f"sauvegarde.{poste.nom}.cle",
                f"sauvegarde.{poste.nom}.mot_de_passe",
                policy.age_max_postes_heures,
            )
            for poste in commune.postes
        ),
    )


def in_service(commune: Commune, pack: Pack) -> tuple[Repository, ...]:
    """Return the repositories that are still filled: what a revoked workstation left is kept, and its key is closed."""
    revoked = {poste.nom for poste in commune.postes if poste.revoque_le is not None}
    return tuple(repository for repository in repositories(commune, pack) if repository.name not in revoked)


def with_sources(commune: Commune, pack: Pack, repository: Repository) -> Repository:
    """Return a repository that knows the sources expected in it."""
    titles = {source.name: source.title for source in all_sources(commune, pack, repository)}
    return Repository(
        repository.commune,
        repository.name,
        repository.bucket,
        repository.key,
        repository.password,
        repository.max_age_hours,
        titles,
    )


def all_sources(commune: Commune, pack: Pack, repository: Repository) -> tuple[Source, ...]:
    """Return what goes into a repository: what every brique keeps on the platform, or a workstation's folders."""
    from packmairie.briques.catalogue import CATALOGUE  # noqa: PLC0415 — the catalogue lists this brique

    if repository.name == PLATFORM_REPOSITORY:
        played = {group for host in pack.file.plateforme.hotes.values() for group in host.groupes}
        return tuple(
            source
            for brique in CATALOGUE
            if brique.elsewhere or commune.deploys(brique.name)
            for source in brique.sources(commune, pack)
            if source.group in played
        )
    found = [Source("personnels", "Dossiers personnels", WORKSTATION_GROUP, ("/home",), CACHES)]
    if commune.sauvegarde.dossiers:
        folders = tuple(commune.sauvegarde.dossiers)
        found.append(Source("metiers", "Logiciels métiers", WORKSTATION_GROUP, folders, CACHES))
    return tuple(found)
