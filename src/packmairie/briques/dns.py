# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain name: the commune's zone on the platform's servers, signed, and its delegation.

Not one of the nine promises by itself: every other brique publishes through it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from packmairie.briques.contract import Brique, Secrets
from packmairie.briques.judging import expect_values, require_answer
from packmairie.model.commune import Commune, DnsMode
from packmairie.model.pack import Pack
from packmairie.model.probe import Answer, Check, DnsAnswer, DnsQuery, Verdict, conforme, non_conforme
from packmairie.model.record import Record, Zone, zone_text
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Part, Tree, TreeFile

TSIG_SECRET = "dns.tsig"  # noqa: S105 — the name of a secret, not a secret
TSIG_KEY_NAME = "packmairie"
SEED_FOLDER = "/var/lib/knot/zones"
KNOT_GROUP = "knot"


class Dns(Brique):
    """Zones, delegation, DNSSEC and certificate authority authorisation."""

    name = "dns"
    title = "Nom de domaine"
    ports: ClassVar = {"dns": {"tcp": (53,), "udp": (53,)}}

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return the name of the key by which the controller updates the zones."""
        return {"dns": {"dns_key_name": TSIG_KEY_NAME}}

    def records(self, commune: Commune, pack: Pack) -> tuple[Record, ...]:
        """Return the name servers of a managed zone, the authorities that may issue, and what the commune keeps."""
        records: list[Record] = list(certificate_authorities(pack))
        if commune.domaine.dns is DnsMode.GEREE:
            records.append(name_servers(pack))
            records += [
                Record(
                    "" if kept.nom == "@" else kept.nom,
                    kept.type,
                    tuple(kept.valeurs),
                    kept.ttl or pack.file.dns.ttl,
                    "gardé à la demande de la commune",
                )
                for kept in commune.domaine.enregistrements
            ]
        return tuple(records)

    def platform_records(self, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the platform's own name servers, with their addresses, and its authorities."""
        platform, ttl = pack.file.plateforme, pack.file.dns.ttl
        addresses = []
        for short, hosts in platform.serveurs_dns.items():
            for type_, version in (("A", 4), ("AAAA", 6)):
                values = tuple(str(address) for address in hosts if address.version == version)
                if values:
                    addresses.append(Record(short, type_, values, ttl, "serveur de noms"))
        return (name_servers(pack), *certificate_authorities(pack), *addresses)

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the declaration of the commune's zone to Knot, and the seed that it starts from."""
        if commune.domaine.dns is not DnsMode.GEREE:
            return ()
        return (zone_tree(commune.domaine.nom, pack, commune.insee),)

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the platform's zone and the key by which octoDNS updates every zone (RFC 8945)."""
        key = TreeFile(
            "/etc/knot/communes/cle.conf",
            (
                Part(
                    f'key:\n  - id: {TSIG_KEY_NAME}\n    algorithm: hmac-sha256\n    secret: "{secrets[TSIG_SECRET]}"\n'
                ),
            ),
            mode="0640",
            group=KNOT_GROUP,
            secret=True,
        )
        return (zone_tree(pack.file.plateforme.domaine, pack, None), Tree("dns", "dns", (key,)))

    def platform_secrets(self, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the update key."""
        return (SecretWish(TSIG_SECRET, SecretKind.TSIG),)

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove the delegation, the signature and the authorities of the commune's domain."""
        domain = commune.domaine.nom
        authorities = (
            Check(
                self.name,
                "caa",
                " et ".join(certificate_authorities(pack)[0].values),
                (DnsQuery(domain, "CAA"),),
                lambda answers: expect_values(
                    answers[0],
                    certificate_authorities(pack)[0].values,
                    f"Publier les enregistrements CAA dans la zone {domain}.",
                ),
                title="Seules les autorités choisies peuvent émettre des certificats",
            ),
        )
        if commune.domaine.dns is not DnsMode.GEREE:
            return authorities
        servers = name_servers(pack).values
        return (
            Check(
                self.name,
                "delegation",
                "serveurs de noms : " + ", ".join(servers),
                (DnsQuery(domain, "NS"),),
                lambda answers: expect_values(
                    answers[0],
                    servers,
                    f"Chez le bureau d'enregistrement, déléguer {domain} à {', '.join(servers)} ; si le nom appartient"
                    " à un homonyme, choisir un autre domaine dans le fichier de la commune.",
                ),
                title="Le nom de domaine mène à la plateforme",
            ),
            Check(
                self.name,
                "dnssec",
                "réponse signée et validée par le résolveur",
                (DnsQuery(domain, "SOA"),),
                lambda answers: judge_signature(answers[0], domain),
                title="Les réponses pour ce nom sont signées (DNSSEC)",
            ),
            *authorities,
        )

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove that each name server answers for the platform's zone with authority."""
        platform = pack.file.plateforme
        return tuple(
            Check(
                self.name,
                f"serveur-{short}-{address}",
                f"{short} répond pour {platform.domaine}",
                (DnsQuery(platform.domaine, "SOA", str(address)),),
                lambda answers: require_answer(
                    answers[0],
                    lambda value: conforme(f"SOA {value.values[0].split()[2]}"),
                    "Relancer le déploiement, puis lire le journal de Knot sur cet hôte (journalctl -u knot).",
                ),
                title=f"Le serveur de noms {short} répond",
            )
            for short, addresses in platform.serveurs_dns.items()
            for address in addresses
        )


def name_servers(pack: Pack) -> Record:
    """Return the NS set of every zone that the platform publishes."""
    platform = pack.file.plateforme
    servers = tuple(f"{platform.host_name(short)}." for short in sorted(platform.serveurs_dns))
    return Record("", "NS", servers, pack.file.dns.ttl, "délégation à la plateforme")


def certificate_authorities(pack: Pack) -> tuple[Record, ...]:
    """Return the CAA set: who may issue, nobody for wildcards (RFC 8659 §4.2, §4.3)."""
    issuers = tuple(f'0 issue "{name}"' for name in sorted(pack.file.acme.caa))
    return (Record("", "CAA", (*issuers, '0 issuewild ";"'), pack.file.dns.ttl, "autorités de certification admises"),)


def zone_tree(domain: str, pack: Pack, commune: str | None) -> Tree:
    """Return Knot's declaration of a zone, and the seed with which it exists before its first update."""
    servers = name_servers(pack)
    contact = pack.file.operateur.courriel.replace("@", ".")
    ttl = pack.file.dns.ttl
    soa = f"@ {ttl} IN SOA {servers.values[0]} {contact}. 1 7200 900 1209600 {min(ttl, 3600)}\n"
    seed = zone_text(Zone(domain, (servers,), commune)).split("\n", 1)
    glue = "".join(
        f"{short} {ttl} IN {'A' if address.version == 4 else 'AAAA'} {address}\n"
        for short, addresses in sorted(pack.file.plateforme.serveurs_dns.items())
        for address in addresses
        if domain == pack.file.plateforme.domaine
    )
    return Tree(
        "dns",
        "dns",
        (
            TreeFile(
                "/etc/knot/communes/zones.conf",
                (Part(f"zone:\n  - domain: {domain}\n    template: commune\n", commune),),
                mode="0640",
                group=KNOT_GROUP,
                shared=True,
            ),
            TreeFile(
                f"{SEED_FOLDER}/{domain}.zone",
                (Part(f"{seed[0]}\n{soa}{seed[1]}{glue}", commune),),
                mode="0640",
                owner=KNOT_GROUP,
                group=KNOT_GROUP,
                once=True,
            ),
        ),
    )


def judge_signature(answer: Answer, domain: str) -> Verdict:
    """A signed zone whose DS stands at the parent is answered with the AD bit (RFC 4035)."""

    def signed(value: DnsAnswer) -> Verdict:
        if value.authenticated:
            return conforme("réponse authentifiée (AD)")
        return non_conforme(
            "réponse sans authentification",
            f"Déposer chez le bureau d'enregistrement le DS affiché par « packmairie dns ds {domain} ».",
        )

    return require_answer(answer, signed, f"Vérifier que {domain} est délégué et que sa zone répond.")
