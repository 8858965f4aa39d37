# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups that ransomware at the mairie cannot destroy, and that are proven by restoring.

Each commune has one bucket, where every object is locked for the days of the policy; in it one restic repository for
what the platform keeps of the commune, and one for each of its workstations, each with a password and a key of its
own. A key opens its repository's prefix and nothing else. The store's maintenance key is the operator's alone.
"""

from __future__ import annotations

from typing import Any, ClassVar

from packmairie.briques.contract import Brique, Paper, Secrets
from packmairie.briques.sauvegarde_checks import commune_checks, platform_checks, timer_check
from packmairie.briques.sauvegarde_files import (
    PLANNED_GROUP,
    code_files,
    credential,
    depot_file,
    identities_file,
    identity,
    planned_code,
    planned_file,
    planned_hosts,
    planned_store_file,
    workstation_tree,
)
from packmairie.briques.sauvegarde_repositories import (
    MAINTENANCE_KEY,
    STORE_GROUP,
    STORE_NAME,
    WORKSTATION_GROUP,
    all_sources,
    bucket_name,
    has_store,
    in_service,
    repositories,
    store_hosts,
    with_sources,
)
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Check
from packmairie.model.record import Record
from packmairie.model.sauvegarde import PLATFORM_REPOSITORY
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Tree

MAINTENANCE_NAME = "entretien"
PLANNED_KEY = "sauvegarde.cle_entretien_plateforme"
PLANNED_NAME = "entretien-plateforme"
STORE_UNITS = ("packmairie-stockage.service", "caddy.service", "packmairie-stockage-cycle.timer")
TIMER = "packmairie-sauvegarde.timer"
PLANNED_TIMER = "packmairie-entretien.timer"


class Sauvegarde(Brique):
    """The store, the repositories and what fills them."""

    name = "sauvegarde"
    title = "Sauvegarde"
    units = (STORE_UNITS[0], STORE_UNITS[2], TIMER, PLANNED_TIMER)
    ports: ClassVar = {STORE_GROUP: {"tcp": (80, 443)}}

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return what the roles stockage and sauvegarde are told; nothing where the pack has no store."""
        if not has_store(pack):
            return {}
        policy = pack.file.sauvegarde
        rhythm = {
            "sauvegarde_hours": list(policy.heures),
            "sauvegarde_spread_minutes": policy.etalement_minutes,
            "sauvegarde_upload_kib": policy.debit_ko,
            "sauvegarde_parallel": policy.simultane,
        }
        return {
            STORE_GROUP: {
                "stockage_name": pack.file.plateforme.host_name(STORE_NAME),
                "stockage_acme_directory": pack.file.acme.annuaire,
                "stockage_acme_contact": pack.file.operateur.courriel,
            },
            "sauvegarde": dict(rhythm),
            WORKSTATION_GROUP: dict(rhythm),
        }

    def platform_records(self, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the store's name, where it is ours."""
        hosts = store_hosts(pack)
        if not hosts:
            return ()
        ttl = pack.file.dns.ttl
        by_type = {"A": [], "AAAA": []}  # type: dict[str, list[str]]
        for host in hosts:
            by_type["A" if host.adresse.version == 4 else "AAAA"].append(str(host.adresse))
        return tuple(
            Record(STORE_NAME, kind, tuple(values), ttl, "stockage des sauvegardes")
            for kind, values in by_type.items()
            if values
        )

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the commune's keys for the store, and what each of its hosts backs up."""
        if not has_store(pack):
            return ()
        trees = []
        live = in_service(commune, pack)
        for repository in live:
            sources = all_sources(commune, pack, repository)
            settings = depot_file(commune, pack, repository, sources, secrets)
            if repository.name == PLATFORM_REPOSITORY:
                trees.append(Tree("sauvegarde", "sauvegarde", (settings,)))
            else:
                trees.append(Tree(workstation_tree(repository.name), WORKSTATION_GROUP, (settings,)))
        if store_hosts(pack):
            identities = [identity(repository, secrets[repository.key]) for repository in live]
            trees.append(Tree("stockage", STORE_GROUP, (identities_file(commune.insee, identities, commune.insee),)))
        trees.append(Tree(PLANNED_GROUP, PLANNED_GROUP, (planned_file(commune, pack, live, secrets),)))
        return tuple(trees)

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the maintenance key for the store, and the code that the platform's hosts run."""
        if not has_store(pack):
            return ()
        trees = [Tree("sauvegarde_code", "sauvegarde", tuple(code_files()))]
        if store_hosts(pack):
            key = secrets[MAINTENANCE_KEY]
            admin = {"name": MAINTENANCE_NAME, "credentials": [credential(key)], "actions": ["Admin"]}
            planned = {
                "name": PLANNED_NAME,
                "credentials": [credential(secrets[PLANNED_KEY])],
                "actions": ["Read", "Write", "List", "GetObjectRetention", "PutObjectRetention"],
            }
            trees.append(Tree("stockage", STORE_GROUP, (identities_file(MAINTENANCE_NAME, [admin, planned], None),)))
        trees.append(Tree(PLANNED_GROUP, PLANNED_GROUP, (planned_store_file(pack, secrets[PLANNED_KEY]),)))
        trees.append(Tree("entretien_code", PLANNED_GROUP, tuple(planned_code())))
        return tuple(trees)

    def buckets(self, commune: Commune, pack: Pack) -> tuple[str, ...]:
        """Return the commune's bucket."""
        return (bucket_name(commune.insee, pack),) if has_store(pack) else ()

    def secrets(self, commune: Commune, pack: Pack) -> tuple[SecretWish, ...]:
        """Return a key and a password for each repository."""
        if not has_store(pack):
            return ()
        return tuple(
            wish
            for repository in repositories(commune, pack)
            for wish in (
                SecretWish(repository.key, SecretKind.CLE_S3),
                SecretWish(repository.password, SecretKind.PASSWORD),
            )
        )

    def platform_secrets(self, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the operator's key, which opens everything, and the platform's own, which destroys nothing."""
        if not has_store(pack):
            return ()
        return (SecretWish(MAINTENANCE_KEY, SecretKind.CLE_S3), SecretWish(PLANNED_KEY, SecretKind.CLE_S3))

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove the commune's backups."""
        if not has_store(pack) or not commune.deploys(self.name):
            return ()
        found = tuple(with_sources(commune, pack, repository) for repository in in_service(commune, pack))
        return commune_checks(commune, pack, found)

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove what the store supports, its services and its room."""
        if not has_store(pack):
            return ()
        planned = tuple(timer_check("entretien", name, PLANNED_TIMER) for name in planned_hosts(pack))
        return (*platform_checks(pack, STORE_UNITS, TIMER), *planned)

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return the escrow: without it, the loss of the vault is the loss of every backup."""
        if not has_store(pack):
            return ()
        present = pack.file.sauvegarde.cle_secours is not None
        return (
            Paper("Séquestre des mots de passe de sauvegarde", present, "écrire sauvegarde.cle_secours dans pack.yml"),
        )
