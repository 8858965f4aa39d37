# SPDX-License-Identifier: GPL-3.0-or-later
"""What a human has to carry elsewhere: records for another DNS host, DS for a registrar."""

from __future__ import annotations

from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset

from packmairie.inventory.loader import load_pack
from packmairie.model.commune import DnsMode
from packmairie.model.pack import Pack
from packmairie.model.problem import fail
from packmairie.model.record import Zone
from packmairie.operations.desired import commune_zone, select

KEY_SIGNING_FLAG = 257
"""A DNSKEY with the secure entry point bit (RFC 4034 §2.1.1)."""


def records_to_enter(folder: Path, code: str) -> Zone:
    """Given a pack's folder and a commune, return the records that its zone must hold, whoever publishes it."""
    pack = load_pack(folder)
    select(pack, [code])
    return commune_zone(pack.commune(code), pack)


def delegation_signers(folder: Path, domain: str) -> tuple[str, ...]:
    """Given a pack's folder and a managed domain, return its DS records (RFC 4034 §5), SHA-256, for the registrar.

    They are computed from the keys that the primary server publishes now. Raise PackmairieError for a domain that the
    pack does not manage, or when the server gives no key.
    """
    pack = load_pack(folder)
    if domain not in managed_domains(pack):
        raise fail(domain, "n'est pas une zone gérée de ce pack", "voir « packmairie inventory list »")
    servers = pack.file.plateforme.serveurs_dns
    server = str(pack.file.dns.serveur or servers[sorted(servers)[0]][0])
    name = dns.name.from_text(domain)
    try:
        reply = dns.query.tcp(dns.message.make_query(name, "DNSKEY"), server, timeout=5)
    except (OSError, dns.exception.DNSException) as error:
        raise fail(server, f"le serveur DNS ne répond pas ({error})", "déployer d'abord, puis relancer") from error
    keys = next((rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.DNSKEY), None)
    signing = [key for key in keys or () if key.flags == KEY_SIGNING_FLAG]
    if not signing:
        raise fail(domain, "la zone n'est pas encore signée", f"packmairie deploy, puis « packmairie dns ds {domain} »")
    return tuple(sorted(dns.dnssec.make_ds(name, key, "SHA256").to_text() for key in signing))


def managed_domains(pack: Pack) -> tuple[str, ...]:
    """Return the domains whose zones the platform publishes, its own first."""
    managed = [commune.domaine.nom for commune in pack.communes if commune.domaine.dns is DnsMode.GEREE]
    return (pack.file.plateforme.domaine, *managed)
