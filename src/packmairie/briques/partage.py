# SPDX-License-Identifier: GPL-3.0-or-later
"""The file space of a commune: agents and élus inside, links and drop boxes for outsiders, WebDAV for workstations."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from packmairie.briques.contract import Brique, Secrets
from packmairie.briques.partage_checks import PARTAGE_SERVICES, commune_checks, platform_checks
from packmairie.briques.partage_tenant import (
    COMMUNES_PER_LOT,
    FILES_ROOT,
    GROUP,
    HOST_LABEL,
    TREE,
    lot_of,
    salt_of,
    tenant_trees,
)
from packmairie.model.commune import PROBE_LOCAL_PART, Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Check
from packmairie.model.problem import fail
from packmairie.model.record import Record
from packmairie.model.sauvegarde import Source
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Part, Tree, TreeFile

CODE_FOLDER = "/usr/local/lib/packmairie/partage_hote"


class Partage(Brique):
    """Shared files, on the host that plays the group ``partage``; a pack without such a host has none."""

    name = "partage"
    title = "Partage de fichiers"
    units = PARTAGE_SERVICES

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return how long things are kept, the salt of hashes, and whose signatures the antivirus has."""
        policy = pack.file.partage
        return {
            GROUP: {
                "partage_salt": salt_of(pack),
                "partage_bin_days": policy.corbeille_jours,
                "partage_link_days": policy.lien_jours,
                "partage_stand_in_signatures": policy.signatures == "laboratoire",
            }
        }

    def records(self, commune: Commune, pack: Pack) -> tuple[Record, ...]:
        """Return the name of the commune's file space."""
        if not pack.shares_files():
            return ()
        for kept in commune.domaine.enregistrements:
            if kept.nom == HOST_LABEL:
                raise ValueError(f"« {HOST_LABEL} » {kept.type} mène ailleurs, or la plateforme sert ce nom")
        web = f"{pack.file.plateforme.host_name('web')}."
        return (Record(HOST_LABEL, "CNAME", (web,), pack.file.dns.ttl, "espace de fichiers de la mairie"),)

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the commune's volumes, accounts and limits, and its host name for Caddy."""
        if not pack.shares_files():
            return ()
        return tenant_trees(commune, pack, secrets)

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the code that runs on the host. Raise PackmairieError when a lot is too full."""
        if not pack.shares_files():
            return ()
        refuse_full_lots(pack)
        return (Tree(TREE, GROUP, tuple(code_files())),)

    def secrets(self, commune: Commune, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the passwords of the commune's people, where mail does not wish them already."""
        if not pack.shares_files() or commune.deploys("messagerie"):
            return ()
        people = [*(agent.identifiant for agent in commune.agents), PROBE_LOCAL_PART]
        return tuple(SecretWish(f"messagerie.boites.{local}", SecretKind.MAILBOX) for local in people)

    def sources(self, commune: Commune, pack: Pack) -> tuple[Source, ...]:
        """Return the commune's files, the bin among them; what is still arriving or held for the antivirus is not."""
        if not pack.shares_files() or not commune.deploys(self.name):
            return ()
        return (
            Source("fichiers", "Espace de fichiers", GROUP, (f"{FILES_ROOT}/{commune.insee}",), ("*.PARTIAL", ".hist")),
        )

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove a file's round trip, that links end, and that there is room."""
        if not pack.shares_files() or not commune.deploys(self.name):
            return ()
        return commune_checks(commune, pack)

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove the host's disk, its deposits and its antivirus."""
        return platform_checks(pack) if pack.shares_files() else ()


def refuse_full_lots(pack: Pack) -> None:
    """Raise PackmairieError when a process would hold more communes than it can."""
    lots = pack.file.partage.lots
    counts = [0] * lots
    for commune in pack.communes:
        if commune.deploys("partage"):
            counts[lot_of(commune.insee, lots)] += 1
    if max(counts) > COMMUNES_PER_LOT:
        wished = -(-sum(counts) // (COMMUNES_PER_LOT * 5 // 8))
        raise fail(
            "pack.yml",
            f"partage.lots : {max(counts)} communes dans un même processus, {COMMUNES_PER_LOT} au plus",
            f"écrire partage.lots: {max(wished, lots + 1)}",
        )


def code_files() -> Iterator[TreeFile]:
    """Yield what runs on the host, as its Python reads it."""
    for entry in sorted(files("packmairie.partage_hote").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".py"):
            yield TreeFile(f"{CODE_FOLDER}/{entry.name}", (Part(entry.read_text(encoding="utf-8")),))
