# SPDX-License-Identifier: GPL-3.0-or-later
"""A mairie's workstations: ready, managed, hardened; reached without anything open at the mairie.

A workstation holds what is its commune's and its own agents', and nothing of another. Its secrets are the passphrase of
its disk, its SSH host key, and the key of its tunnel; its agents' session passwords are known to the vault alone, the
host receives their hashes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from packmairie.briques import postes_tirage
from packmairie.briques.contract import Brique, Paper, Secrets
from packmairie.briques.postes_checks import commune_checks
from packmairie.briques.postes_services import has_mail
from packmairie.briques.postes_tenant import gateway_host, gateway_platform_trees, gateway_trees, workstation_trees
from packmairie.briques.postes_tunnel import GATEWAY_GROUP, GATEWAY_PORT
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste
from packmairie.model.probe import Check
from packmairie.model.record import Record
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Tree

GROUP = "postes"
GATEWAY_NAME = "acces"
GATEWAY_KEY = "postes.acces.hote"


class Postes(Brique):
    """The workstations of the communes, and the gateway that their tunnels lead to."""

    name = "postes"
    title = "Postes de travail"
    units = ("packmairie-acces.service", "packmairie-guichet.service")
    ports: ClassVar = {GATEWAY_GROUP: {"tcp": (GATEWAY_PORT,)}}

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return what every workstation is told: when it restarts, when it locks."""
        policy = pack.file.postes
        found: dict[str, dict[str, Any]] = {
            GROUP: {
                "socle_reboot_time": policy.redemarrage,
                "postes_lock_minutes": policy.verrouillage_minutes,
            }
        }
        if postes_tirage.bundle_host(pack) is not None:
            name = pack.file.plateforme.host_name(postes_tirage.NAME)
            found[postes_tirage.FRONT_GROUP] = {"frontal_postes_name": name}
        return found

    def platform_records(self, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the names of the gateway and of the bundles, where a host plays them."""
        wished = []
        if gateway_host(pack) is not None:
            wished.append((GATEWAY_NAME, "porte d'entrée des postes de travail"))
        if postes_tirage.bundle_host(pack) is not None:
            wished.append((postes_tirage.NAME, "paquets que les postes de travail viennent prendre"))
        platform, ttl = pack.file.plateforme, pack.file.dns.ttl
        records = []
        for name, why in wished:
            records.append(Record(name, "A", tuple(str(address) for address in platform.ipv4), ttl, why))
            if platform.ipv6:
                records.append(Record(name, "AAAA", tuple(str(address) for address in platform.ipv6), ttl, why))
        return tuple(records)

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the files of each workstation, and the keys of their tunnels for the gateway."""
        return (
            *workstation_trees(commune, pack, secrets),
            *gateway_trees(commune, pack, secrets),
            *postes_tirage.commune_trees(commune, pack, secrets),
        )

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return what the gateway needs before any workstation."""
        return (*gateway_platform_trees(pack, secrets), *postes_tirage.platform_trees(pack))

    def secrets(self, commune: Commune, pack: Pack) -> tuple[SecretWish, ...]:
        """Return what each workstation and each of its agents needs."""
        wishes = [
            wish
            for poste in commune.postes
            for wish in (
                SecretWish(disk_secret(poste), SecretKind.PHRASE),
                SecretWish(host_secret(poste), SecretKind.CLE_SSH),
                SecretWish(tunnel_secret(poste), SecretKind.CLE_SSH),
            )
        ]
        for poste in commune.postes:
            if postes_tirage.pulls(pack, poste):
                wishes.append(SecretWish(postes_tirage.token_secret(poste), SecretKind.PASSWORD))
                wishes.append(SecretWish(postes_tirage.reading_secret(poste), SecretKind.CLE_AGE))
        users = dict.fromkeys(agent.identifiant for poste in commune.postes for agent in commune.users_of(poste))
        return (*wishes, *(SecretWish(session_secret(login), SecretKind.SESSION) for login in users))

    def platform_secrets(self, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the gateway's host key and the key that signs bundles: workstations know both before anything."""
        found = [SecretWish(GATEWAY_KEY, SecretKind.CLE_SSH)] if gateway_host(pack) else []
        if postes_tirage.bundle_host(pack) is not None:
            found.append(SecretWish(postes_tirage.SIGNATURE_KEY, SecretKind.CLE_SSH))
        return tuple(found)

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove each workstation."""
        return commune_checks(commune, pack)

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return what the annex of the convention must name of each workstation."""
        return tuple(
            Paper(
                f"{poste.nom} : matériel décrit",
                bool(poste.modele and poste.numero_serie and poste.garantie),
                f"Écrire modele, numero_serie et garantie de {poste.nom} dans le fichier de la commune.",
            )
            for poste in commune.postes
        )


def disk_secret(poste: Poste) -> str:
    """Return the name, in the commune's vault, of what opens the disk."""
    return f"postes.{poste.nom}.disque"


def host_secret(poste: Poste) -> str:
    """Return the name of the workstation's SSH host key."""
    return f"postes.{poste.nom}.hote"


def tunnel_secret(poste: Poste) -> str:
    """Return the name of the key by which it joins the gateway."""
    return f"postes.{poste.nom}.tunnel"


def session_secret(login: str) -> str:
    """Return the name of an agent's session password."""
    return f"postes.sessions.{login}"


def mailbox_secret(login: str, commune: Commune) -> str | None:
    """Return the name of an agent's mailbox password, which opens the file space too; None without a mailbox here."""
    return f"messagerie.boites.{login}" if has_mail(commune) else None
