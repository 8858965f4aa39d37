# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail: contact@commune.fr and its agents' mailboxes on the shared platform.

The records follow RFC 7208 (SPF), 6376 (DKIM), 7489 (DMARC), 8461 (MTA-STS), 8460 (TLS-RPT),
6186 and 8314 (client discovery).
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from packmairie.briques.contract import Brique, Paper, Secrets
from packmairie.briques.messagerie_checks import SERVICES, commune_checks, platform_checks
from packmairie.briques.messagerie_tenant import platform_trees, tenant_trees
from packmairie.model.commune import PROBE_LOCAL_PART, Commune
from packmairie.model.export import Export
from packmairie.model.pack import Pack
from packmairie.model.probe import Check
from packmairie.model.record import Record
from packmairie.model.sauvegarde import Source
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Part, Tree, TreeFile

SELECTORS = ("pm1", "pm2")
ACTIVE_SELECTOR = "messagerie.dkim.actif"
SITES_FOLDER = "/srv/communes"
MTA_STS_MAX_AGE = 7 * 86400
"""Seconds; RFC 8461 §3.2 advises weeks or more once the policy is stable."""

MAIL_LEFT_OUT = ("dovecot.index*", "dovecot.list.index*", "dovecot-uidlist.lock", "*.tmp", "tmp")
"""Names under a mailbox that hold no mail (Dovecot documentation, « Mailbox formats: Maildir »)."""


class Messagerie(Brique):
    """Mailboxes, aliases and everything that makes their mail accepted elsewhere."""

    name = "messagerie"
    title = "Messagerie"
    units = SERVICES
    ports: ClassVar = {"messagerie": {"tcp": (25, 465, 587, 993, 4190)}}

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return the names, the authority and the policy of the mail hosts."""
        platform, acme, mail = pack.file.plateforme, pack.file.acme, pack.file.messagerie
        return {
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
            }
        }

    def records(self, commune: Commune, pack: Pack) -> tuple[Record, ...]:
        """Return what the commune's zone must hold for its mail."""
        ttl = pack.file.dns.ttl
        keys = [
            Record(
                f"{selector}._domainkey",
                "CNAME",
                (f"{key_owner(selector, commune.insee)}.{pack.file.plateforme.domaine}.",),
                ttl,
                "signature DKIM des messages, clé tenue par la plateforme",
            )
            for selector in SELECTORS
        ]
        return (*mail_records(pack, tuple(commune.messagerie.spf)), *keys)

    def shared_records(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the commune's public keys, which live in the platform's zone so that they rotate there."""
        return tuple(
            key_record(key_owner(selector, commune.insee), secrets[f"messagerie.dkim.{selector}"]["publique"], pack)
            for selector in SELECTORS
        )

    def platform_records(self, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the names of the mail services and what the platform's own domain needs to send."""
        platform, ttl = pack.file.plateforme, pack.file.dns.ttl
        records = []
        for short, why in (("mx", "réception"), ("mail", "lecture et envoi"), ("web", "pages et politiques publiées")):
            records.append(Record(short, "A", tuple(str(address) for address in platform.ipv4), ttl, why))
            if platform.ipv6:
                records.append(Record(short, "AAAA", tuple(str(address) for address in platform.ipv6), ttl, why))
        senders = [f"ip4:{address}" for address in platform.ipv4] + [f"ip6:{address}" for address in platform.ipv6]
        records.append(
            Record("_spf", "TXT", (f"v=spf1 {' '.join(senders)} -all",), ttl, "serveurs autorisés à envoyer")
        )
        records.append(
            Record(
                "*._report._dmarc", "TXT", ("v=DMARC1",), ttl, "accepte les rapports DMARC des communes (RFC 7489 §7.1)"
            )
        )
        keys = (
            key_record(f"{selector}._domainkey", secrets[f"messagerie.dkim.{selector}"]["publique"], pack)
            for selector in SELECTORS
        )
        return (*records, *mail_records(pack, ()), *keys)

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the commune's mailboxes, keys and published transport policy."""
        return (*tenant_trees(commune, pack, secrets), policy_tree(commune.domaine.nom, pack, commune.insee))

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the same for the platform's own domain."""
        return (*platform_trees(pack, secrets), policy_tree(pack.file.plateforme.domaine, pack, None))

    def secrets(self, commune: Commune, pack: Pack) -> tuple[SecretWish, ...]:
        """Return a password for each mailbox that logs in, and two signing keys."""
        logins = [agent.identifiant for agent in commune.agents] + [PROBE_LOCAL_PART]
        boxes = tuple(SecretWish(f"messagerie.boites.{login}", SecretKind.MAILBOX) for login in logins)
        return (*boxes, *signing_keys())

    def platform_secrets(self, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the postmaster's password and the platform's own signing keys."""
        return (SecretWish("messagerie.boites.postmaster", SecretKind.MAILBOX), *signing_keys())

    def sources(self, commune: Commune, pack: Pack) -> tuple[Source, ...]:
        """Return the commune's mailboxes; Dovecot makes its indexes and caches again by itself."""
        folder = f"/var/vmail/{commune.domaine.nom}"
        return (Source("boites", "Boîtes aux lettres", "messagerie", (folder,), MAIL_LEFT_OUT),)

    def exports(self, commune: Commune, pack: Pack) -> tuple[Export, ...]:
        """Return the commune's mailboxes, also as mbox; what the server makes again by itself is left out."""
        (boxes,) = self.sources(commune, pack)
        return (Export(self.name, boxes.title, boxes.group, boxes.paths, boxes.excludes, mailboxes=True),)

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove the records, the keys, the policies and the mail itself."""
        wished = {(record.name, record.type): record for record in self.records(commune, pack)}
        return commune_checks(commune, pack, wished)

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove the services, their certificate and their host."""
        return platform_checks(pack)

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return the paper that mail needs: a domain really reserved by the commune."""
        return (
            Paper(
                "nom de domaine réservé",
                commune.domaine.confirme,
                f"Réserver {commune.domaine.nom} au nom de la commune, puis mettre domaine.confirme: true.",
            ),
        )


def signing_keys() -> tuple[SecretWish, ...]:
    """Return the two DKIM keys of a domain: one signs, the other stands ready."""
    return tuple(SecretWish(f"messagerie.dkim.{selector}", SecretKind.DKIM) for selector in SELECTORS)


def key_owner(selector: str, insee: str) -> str:
    """Return the owner name, in the platform's zone, of a commune's public key."""
    return f"{selector}.{insee}._domainkey"


def key_record(owner: str, public_key: str, pack: Pack) -> Record:
    """Return a DKIM key record; an empty key would revoke (RFC 6376 §3.6.1) and is refused."""
    if not public_key.strip():
        raise ValueError(f"clé DKIM vide pour {owner}")
    return Record(owner, "TXT", (f"v=DKIM1; k=rsa; p={public_key}",), pack.file.dns.ttl, "clé publique DKIM")


def mail_records(pack: Pack, other_senders: tuple[str, ...]) -> tuple[Record, ...]:
    """Return the records by which a domain receives, and is believed when it sends.

    SPF costs one lookup: an include of the platform's ``_spf``, itself made of addresses only, so
    that a change of address touches one zone and not each commune's (RFC 7208 §4.6.4 allows ten).
    ``p=`` comes before ``sp=`` because the State's checker reads the first ``p=`` it meets.
    """
    platform, policy, ttl = pack.file.plateforme, pack.file.messagerie, pack.file.dns.ttl
    include = f"include:_spf.{platform.domaine}"
    spf = " ".join(["v=spf1", include, *other_senders, "-all"])
    dmarc = f"v=DMARC1; p={policy.dmarc}; sp={policy.dmarc}; rua=mailto:dmarc@{platform.domaine}"
    client = f"{platform.host_name('mail')}."
    discovery = {"_imaps._tcp": f"0 1 993 {client}", "_submissions._tcp": f"0 1 465 {client}"} | {
        "_submission._tcp": f"0 1 587 {client}",
        "_imap._tcp": "0 0 0 .",
        "_pop3._tcp": "0 0 0 .",
        "_pop3s._tcp": "0 0 0 .",
    }
    return (
        Record("", "MX", (f"10 {platform.host_name('mx')}.",), ttl, "serveur qui reçoit le courrier"),
        Record("", "TXT", (spf,), ttl, "SPF : serveurs autorisés à envoyer pour ce domaine"),
        Record("_dmarc", "TXT", (dmarc,), ttl, "DMARC : que faire des messages qui usurpent ce domaine"),
        Record(
            "_mta-sts", "TXT", (f"v=STSv1; id={policy_identifier(pack)}",), ttl, "MTA-STS : réception chiffrée exigée"
        ),
        Record("mta-sts", "CNAME", (f"{platform.host_name('web')}.",), ttl, "MTA-STS : adresse de la politique"),
        Record(
            "_smtp._tls", "TXT", (f"v=TLSRPTv1; rua=mailto:tlsrpt@{platform.domaine}",), ttl, "rapports de chiffrement"
        ),
        *(
            Record(name, "SRV", (value,), ttl, "réglage automatique des logiciels de courrier")
            for name, value in discovery.items()
        ),
    )


def mta_sts_policy(pack: Pack) -> str:
    """Return the transport policy that each domain publishes (RFC 8461 §3.2), lines ended by CRLF."""
    lines = (
        "version: STSv1",
        f"mode: {pack.file.messagerie.mta_sts}",
        f"mx: {pack.file.plateforme.host_name('mx')}",
        f"max_age: {MTA_STS_MAX_AGE}",
    )
    return "\r\n".join(lines) + "\r\n"


def policy_identifier(pack: Pack) -> str:
    """Return the identifier that changes when, and only when, the policy does (RFC 8461 §3.1: 1–32 letters, digits)."""
    return hashlib.sha256(mta_sts_policy(pack).encode()).hexdigest()[:16]


def policy_tree(domain: str, pack: Pack, commune: str | None) -> Tree:
    """Return the page served as https://mta-sts.<domain>/.well-known/mta-sts.txt; its folder admits the certificate."""
    path = f"{SITES_FOLDER}/mta-sts.{domain}/.well-known/mta-sts.txt"
    return Tree("frontal", "frontal", (TreeFile(path, (Part(mta_sts_policy(pack), commune),)),))
