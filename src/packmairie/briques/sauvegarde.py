# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups that ransomware at the mairie cannot destroy, and that are proven by restoring.

Each commune has one bucket, where every object is locked for the days of the policy; in it one restic repository for
what the platform keeps of the commune, and one for each of its workstations, each with a password and a key of its
own. A key opens its repository's prefix and nothing else. The store's maintenance key is the operator's alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any, ClassVar

from packmairie.briques.contract import Brique, Paper, Secrets
from packmairie.briques.sauvegarde_checks import commune_checks, platform_checks, timer_check
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Check
from packmairie.model.record import Record
from packmairie.model.sauvegarde import PLATFORM_REPOSITORY, Repository, Source
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Part, Tree, TreeFile

STORE_NAME = "s3"
STORE_GROUP = "stockage"
MAINTENANCE_KEY = "sauvegarde.cle_entretien"
MAINTENANCE_NAME = "entretien"
PLANNED_KEY = "sauvegarde.cle_entretien_plateforme"
PLANNED_NAME = "entretien-plateforme"
PLANNED_GROUP = "entretien"
PLANNED_FOLDER = "/etc/packmairie/entretien"
PLANNED_CODE = "/usr/local/lib/packmairie-entretien"
PLANNED_MODULES = {
    "": ("__init__",),
    "engines": ("__init__", "names", "relay", "restic", "restic_bridge", "s3"),
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
WORKSTATION_GROUP = "postes"
CACHES = (".cache", "Cache", "CacheStorage", "Code Cache", "GPUCache", "Trash", "lost+found", "*.tmp")
"""Names never backed up on a workstation: what programs make again by themselves."""
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
