# SPDX-License-Identifier: GPL-3.0-or-later
"""The reporting channel that every public employer owes to its agents, run by the cell of the CdG.

Articles L135-6 and R135-1 to R135-10 CGFP (ex-décret 2020-256). The service is the portal (role ``portail``); cells,
members and adhesions are the CdG's to make there, and nothing of a report is ever known here.
"""

from __future__ import annotations

from typing import Any

from packmairie.briques.contract import Brique, Paper, Secrets
from packmairie.briques.portail import (
    GROUP,
    PORTAL_SERVICES,
    certificate_check,
    channel_address,
    page_check,
    portal_host,
    services_check,
)
from packmairie.briques.presence import HOSTS_FOLDER, addresses
from packmairie.briques.signalement_checks import commune_checks, platform_checks
from packmairie.model.commune import Commune
from packmairie.model.export import Export
from packmairie.model.pack import Pack
from packmairie.model.probe import Check
from packmairie.model.record import Record
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Part, Tree, TreeFile

PORTAL_KEY = "signalement.cle_portail"
KEY_FILE = "/etc/packmairie/portail/cle"
COMMAND = "/usr/local/sbin/portail-gerer"


class Signalement(Brique):
    """The reporting channel; a pack without a host in the group ``portail`` has none."""

    name = "signalement"
    title = "Signalement"
    units = PORTAL_SERVICES

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return the portal's name, its sender, and how many processes answer."""
        name = pack.portal_name()
        if not name:
            return {}
        return {
            GROUP: {
                "portail_name": name,
                "portail_sender": f"ne-pas-repondre@{pack.file.plateforme.domaine}",
                "portail_workers": pack.file.portail.processus,
            },
            "frontal": {"frontal_portal_name": name},
        }

    def platform_records(self, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the portal's name, where it is in the platform's zone."""
        suffix = f".{pack.file.plateforme.domaine}"
        name = pack.portal_name()
        return addresses(name.removesuffix(suffix), pack, "portail du CdG") if name.endswith(suffix) else ()

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the portal's key, and its host name for Caddy."""
        name = pack.portal_name()
        if not name:
            return ()
        key = TreeFile(KEY_FILE, (Part(f"{secrets[PORTAL_KEY]}\n"),), mode="0640", group="portail", secret=True)
        admitted = TreeFile(f"{HOSTS_FOLDER}/{name}/.admis", (Part("Nom servi par Caddy.\n"),))
        return (Tree("portail", GROUP, (key,)), Tree("frontal", "frontal", (admitted,)))

    def platform_secrets(self, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the key of the portal's sessions and tokens; it opens no report."""
        return (SecretWish(PORTAL_KEY, SecretKind.PASSWORD),) if pack.portal_name() else ()

    def exports(self, commune: Commune, pack: Pack) -> tuple[Export, ...]:
        """Return what the portal writes for a commune that leaves: its adhesions, and its cells' anonymous tables."""
        if not pack.portal_name():
            return ()
        title = "Adhésions et bilans anonymes du dispositif de signalement"
        command = (COMMAND, "commune_exporter", commune.insee)
        return (Export(self.name, title, GROUP, command=command, file="lignes.json"),)

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove the commune's channel, its cell and its notice; of a channel elsewhere, the notice alone."""
        here = bool(pack.portal_name()) and commune.deploys(self.name)
        return commune_checks(commune, channel_address(commune, pack), portal_host(pack) if here else "", pack)

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove the portal's page, certificate, services, and the state of its cells."""
        name = pack.portal_name()
        if not name:
            return ()
        return (
            certificate_check(self.name, pack),
            services_check(self.name, pack),
            page_check(self.name, "portail", "Le portail de signalement répond", f"https://{name}/", "En danger"),
            *platform_checks(portal_host(pack)),
        )

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return nothing: the act and the convention are followed in the portal's adhesions, which a check reads."""
        return ()
