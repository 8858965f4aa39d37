# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles need to know of a pack, as Ansible variables; nothing secret is among them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packmairie.briques import postes_tirage
from packmairie.briques.catalogue import CATALOGUE
from packmairie.briques.postes_tenant import gateway_host
from packmairie.briques.postes_tenant import workstation_tree as postes_tree
from packmairie.briques.sauvegarde_files import workstation_tree
from packmairie.model.commune import Commune
from packmairie.model.pack import Hote, Pack
from packmairie.model.poste import TUNNEL_PORT, Poste

BACKED_UP = frozenset({"frontal", "messagerie", "partage"})
"""The groups whose hosts keep something that belongs to a commune."""
STATION = re.compile(r"^poste-([0-9][0-9AB][0-9]{3})-[0-9]{1,2}$")
FRONTAL_PORTS = (80, 443)
"""The web front belongs to no brique: all of them are served by it."""


def group_variables(pack: Pack, folder: Path) -> dict[str, dict[str, Any]]:
    """Given a pack, return the variables of each Ansible group.

    Raise ValueError when two briques give one variable two values: that is a fault of ours, not of the inventory.
    """
    found: dict[str, dict[str, Any]] = {
        "all": {"packmairie_pack": str(folder)},
        "frontal": {
            "frontal_acme_directory": pack.file.acme.annuaire,
            "frontal_acme_contact": pack.file.operateur.courriel,
        },
    }
    for brique in CATALOGUE:
        for group, variables in brique.variables(pack).items():
            known = found.setdefault(group, {})
            for name, value in variables.items():
                if known.setdefault(name, value) != value:
                    raise ValueError(f"{name} of group {group} has two values")
    return found


def open_ports(groups: Iterable[str], protocol: str) -> list[int]:
    """Return the ports that a host playing these groups answers on, over ``tcp`` or ``udp``; all others are closed."""
    played = frozenset(groups)
    ports = {
        port
        for brique in CATALOGUE
        for group, by_protocol in brique.ports.items()
        if group in played
        for port in by_protocol.get(protocol, ())
    }
    if protocol == "tcp" and "frontal" in played:
        ports |= set(FRONTAL_PORTS)
    return sorted(ports)


def host_variables(host: Hote) -> dict[str, Any]:
    """Given a host, return how it is reached and which ports its parts open."""
    return {
        "ansible_host": str(host.adresse),
        "socle_open_tcp": open_ports(host.groupes, "tcp"),
        "socle_open_udp": open_ports(host.groupes, "udp"),
        "dns_listen": [str(host.adresse)],
        **host.connexion,
    }


def workstation_variables(commune: Commune, poste: Poste, pack: Pack) -> dict[str, Any]:
    """Given a workstation, return how it is reached, whose it is, and the trees of files that are its own.

    One that keeps a tunnel is reached by its address on the gateway's loopback, through the gateway, and answers SSH
    from its own loopback alone: nothing is open on the mairie's network.
    """
    found = {
        "commune_insee": commune.insee,
        "sauvegarde_tree": workstation_tree(poste.nom),
        "postes_tree": postes_tree(poste.nom),
        "postes_profile": poste.profil,
        "postes_tunnel": poste.tunnelled,
        "postes_pull": postes_tirage.pulls(pack, poste),
    }
    gateway = gateway_host(pack)
    if poste.tunnelled and gateway is not None:
        found |= {
            "ansible_host": poste.loopback,
            "ansible_port": TUNNEL_PORT,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": gateway.connexion.get("ansible_ssh_private_key_file"),
            "ansible_ssh_common_args": " ".join(
                (
                    f"-o HostKeyAlias={poste.nom} -o StrictHostKeyChecking=yes",
                    f"-o UserKnownHostsFile={shlex.quote(str(known_hosts_file(pack.folder)))}",
                    f"-o ProxyCommand={shlex.quote(jump(gateway))}",
                )
            ),
            "postes_proxy_command": jump(gateway),
            "socle_ssh_from": ["127.0.0.1/32"],
        }
    elif poste.pulled:
        # It runs its own playbook: SSH answers its own loopback alone, for whoever sits before it.
        found |= {"ansible_connection": "local", "socle_ssh_from": ["127.0.0.1/32"]}
    else:
        found["ansible_host"] = str(poste.adresse)
    return {name: value for name, value in {**found, **poste.connexion}.items() if value is not None}


def known_hosts_file(folder: str) -> Path:
    """Return where the host keys of a pack's workstations are (``postes known-hosts`` writes it)."""
    return Path(folder).resolve() / "postes.known_hosts"


def jump(gateway: Hote) -> str:
    """Return the command that reaches a port of the gateway's loopback, with the technician's own access to it."""
    words = ["ssh", "-W", "[%h]:%p"]
    key = gateway.connexion.get("ansible_ssh_private_key_file")
    if key:
        words += ["-i", str(key)]
    port = gateway.connexion.get("ansible_port")
    if port:
        words += ["-p", str(port)]
    words += shlex.split(str(gateway.connexion.get("ansible_ssh_common_args", "")))
    user = gateway.connexion.get("ansible_user", "root")
    return shlex.join([*words, f"{user}@{gateway.adresse}"])


def station_commune(host: str) -> str | None:
    """Return the INSEE code of the commune that a workstation belongs to, None for a shared host."""
    found = STATION.match(host)
    return found.group(1) if found else None
