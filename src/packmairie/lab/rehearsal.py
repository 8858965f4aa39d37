# SPDX-License-Identifier: GPL-3.0-or-later
"""Play, for a whole pack, the acts that a technician does elsewhere: registrar, other DNS host, hosting provider."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packmairie.inventory.loader import load_pack
from packmairie.lab import registrar
from packmairie.lab.laboratory import Lab
from packmairie.lab.registrar import Delegation
from packmairie.model.commune import DnsMode
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, fail
from packmairie.model.record import Zone, txt_strings
from packmairie.operations.desired import commune_zone
from packmairie.operations.registrar import delegation_signers, managed_domains

PORTAL_COMMAND = "/usr/local/sbin/portail-gerer"


@dataclass(frozen=True)
class Acts:
    """What was done: the domains whose delegation changed, those still without DS, those published elsewhere."""

    delegated: tuple[str, ...]
    unsigned: tuple[str, ...]
    elsewhere: tuple[str, ...]


def play_registrar(lab: Lab, folder: Path) -> Acts:
    """Given a pack's folder, delegate its domains in the lab, with their DS once the zones are signed.

    Zones that the pack does not manage are entered, as printed by ``packmairie dns records``, in monde's own servers.
    Idempotent: it is played once before the first deployment, and once after it for the DS.
    """
    pack = load_pack(folder)
    signers = {domain: _signers(folder, domain) for domain in managed_domains(pack)}
    servers = {
        pack.file.plateforme.host_name(short): str(address)
        for short, addresses in pack.file.plateforme.serveurs_dns.items()
        for address in addresses
    }
    delegated = lab.delegate({domain: Delegation(servers, ds) for domain, ds in signers.items()})
    elsewhere = _publish_elsewhere(lab, pack)
    lab.set_reverse({str(address): pack.file.plateforme.host_name("mx") for address in pack.file.plateforme.ipv4})
    lab.flush_resolver()
    return Acts(tuple(delegated), tuple(domain for domain, ds in signers.items() if not ds), tuple(elsewhere))


def play_cell(lab: Lab, folder: Path) -> str:
    """Given a pack's folder, found an example cell on its portal, as the CdG does; return its accounts, to be shown.

    Idempotent: a portal that has a cell is left as it is, and nothing is returned. Raise PackmairieError when the
    portal refuses.
    """
    pack = load_pack(folder)
    if not pack.portal_name():
        return ""
    host = next(name for name, one in pack.file.plateforme.hotes.items() if "portail" in one.groupes)
    served = ",".join(commune.insee for commune in pack.communes if commune.deploys("signalement"))
    done = lab.run(host, [PORTAL_COMMAND, "signalement_demo", "--une-fois", "--communes", served])
    if done.returncode != 0:
        raise fail(f"hôte {host}", (done.stderr or done.stdout).strip()[-200:], "packmairie deploy, puis recommencer")
    return str(done.stdout)


def _signers(folder: Path, domain: str) -> tuple[str, ...]:
    """Return the DS of a zone; none while its server is not there yet, as before a first deployment."""
    try:
        return delegation_signers(folder, domain)
    except PackmairieError:
        return ()


def _publish_elsewhere(lab: Lab, pack: Pack) -> list[str]:
    """Enter the zones of the communes whose DNS is elsewhere; monde plays that other host within its registries."""
    fragments: dict[str, dict[str, str]] = {}
    for commune in pack.communes:
        if commune.domaine.dns is DnsMode.EXTERNE:
            registry = registrar.registry_of(commune.domaine.nom)
            fragments.setdefault(registry, {})[commune.domaine.nom] = absolute_lines(commune_zone(commune, pack))
    return registrar.publish(lab.paths, lab.host("monde"), fragments) if fragments else []


def absolute_lines(zone: Zone) -> str:
    """Return a zone's records with absolute owner names, one a line."""
    return "".join(
        f"{record.owner(zone.name)} {registrar.TTL} IN {record.type} "
        f"{txt_strings(value) if record.type == 'TXT' else value}\n"
        for record in sorted(zone.records)
        for value in record.values
    )
