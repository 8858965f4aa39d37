# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles need to know of a pack, as Ansible variables; nothing secret is among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packmairie.briques.dns import TSIG_KEY_NAME
from packmairie.briques.presence import WEBMAIL_NAME
from packmairie.model.pack import Hote, Pack

OPEN_PORTS: dict[str, dict[str, tuple[int, ...]]] = {
    "dns": {"tcp": (53,), "udp": (53,)},
    "frontal": {"tcp": (80, 443)},
    "messagerie": {"tcp": (25, 465, 587, 993, 4190)},
}
"""The ports that each part of the platform answers on; everything else is closed."""


def group_variables(pack: Pack, folder: Path) -> dict[str, dict[str, Any]]:
    """Given a pack, return the variables of each Ansible group."""
    platform, acme, mail = pack.file.plateforme, pack.file.acme, pack.file.messagerie
    return {
        "all": {"packmairie_pack": str(folder)},
        "dns": {"dns_key_name": TSIG_KEY_NAME},
        "frontal": {
            "frontal_acme_directory": acme.annuaire,
            "frontal_acme_contact": pack.file.operateur.courriel,
            "frontal_webmail_name": platform.host_name(WEBMAIL_NAME),
            "frontal_webmail_upload_mb": mail.taille_message_mo + 5,
            "presence_addresses": [str(address) for address in (*platform.ipv4, *platform.ipv6)],
            "webmail_client_name": platform.host_name("mail"),
            "webmail_message_size_mb": mail.taille_message_mo,
        },
        "messagerie": {
            "messagerie_platform_domain": platform.domaine,
            "messagerie_mx_name": platform.host_name("mx"),
            "messagerie_client_name": platform.host_name("mail"),
            "messagerie_acme_directory": acme.annuaire,
            "messagerie_acme_contact": pack.file.operateur.courriel,
            "messagerie_quota_mb": mail.quota_mo,
            "messagerie_message_size_mb": mail.taille_message_mo,
            "messagerie_sends_per_hour": mail.envois_par_heure,
            "messagerie_external_reputation": mail.reputation_externe,
        },
    }


def host_variables(host: Hote) -> dict[str, Any]:
    """Given a host, return how it is reached and which ports its parts open."""
    ports: dict[str, list[int]] = {
        protocol: sorted({port for group in host.groupes for port in OPEN_PORTS.get(group, {}).get(protocol, ())})
        for protocol in ("tcp", "udp")
    }
    return {
        "ansible_host": str(host.adresse),
        "socle_open_tcp": ports["tcp"],
        "socle_open_udp": ports["udp"],
        "dns_listen": [str(host.adresse)],
        **host.connexion,
    }
