# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack: the platform that serves the communes, its policy, and the communes themselves."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from packmairie.model.commune import Commune
from packmairie.model.fields import DomainName, MailAddress, PhoneNumber, Strict, Text

HostName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
GROUPS = ("dns", "frontal", "messagerie", "stockage", "partage", "portail")


class Operateur(Strict):
    """Who runs the platform."""

    nom: Text
    courriel: MailAddress = Field(description="Adresse qui reçoit les alertes et sert au compte ACME")
    adresse: Text | None = Field(default=None, description="Adresse postale, pour les mentions légales des sites")
    telephone: PhoneNumber | None = Field(default=None, description="Téléphone, pour les mentions légales des sites")


class Eligibilite(Strict):
    """Which communes the pack accepts."""

    departements: list[Annotated[str, StringConstraints(pattern=r"^([0-9]{2,3}|2[AB])$")]] = Field(
        default_factory=lambda: ["59", "62"]
    )
    population_moins_de: int = Field(default=1000, ge=1, description="Seuil strict, habitants")
    millesime: int = Field(default=2026, description="Millésime de population auquel le seuil s'applique")


class Hote(Strict):
    """One shared host, and the groups (parts of the platform) that it plays."""

    adresse: IPv4Address | IPv6Address = Field(description="Adresse par laquelle Ansible le joint")
    groupes: list[Literal["dns", "frontal", "messagerie", "stockage", "partage", "portail"]] = Field(min_length=1)
    connexion: dict[str, Any] = Field(
        default_factory=dict, description="Variables de connexion Ansible (ansible_user …)"
    )


class Plateforme(Strict):
    """The shared platform: its domain, its public addresses, its hosts."""

    domaine: DomainName = Field(description="Domaine propre de la plateforme, par exemple pack.exemple.fr")
    ipv4: list[IPv4Address] = Field(min_length=1, description="Adresses publiques de la messagerie et du frontal")
    ipv6: list[IPv6Address] = Field(default_factory=list)
    serveurs_dns: dict[HostName, list[IPv4Address | IPv6Address]] = Field(
        min_length=1, description="Serveurs faisant autorité, nom court et adresses, par exemple ns1: [192.0.2.1]"
    )
    pays: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field(
        default="FR", description="Pays d'hébergement déclaré par l'opérateur (ISO 3166-1 alpha-2)"
    )
    hotes: dict[HostName, Hote] = Field(min_length=1)

    def host_name(self, short: str) -> str:
        """Return the full name of a service of the platform, e.g. ``mx`` → ``mx.pack.exemple.fr``."""
        return f"{short}.{self.domaine}"


class Dns(Strict):
    """How zones are published."""

    ttl: int = Field(default=3600, ge=60, le=86400, description="Durée de cache des enregistrements, secondes")
    serveur: IPv4Address | IPv6Address | None = Field(
        default=None,
        description="Serveur primaire qui reçoit les mises à jour (défaut : le premier de plateforme.serveurs_dns)",
    )


class Acme(Strict):
    """The authority that issues certificates."""

    annuaire: Annotated[str, StringConstraints(pattern=r"^https://\S+$")] = Field(
        default="https://acme-v02.api.letsencrypt.org/directory", description="Adresse de l'annuaire ACME (RFC 8555)"
    )
    caa: list[DomainName] = Field(
        default_factory=lambda: ["letsencrypt.org"], description="Autorités autorisées à émettre (RFC 8659)"
    )
    racine: Text | None = Field(
        default=None,
        description="Certificat racine supplémentaire pour les vérifications (autorité privée, laboratoire)",
    )


class PolitiqueMessagerie(Strict):
    """Mail policy of the pack."""

    quota_mo: int = Field(default=5000, ge=50, le=100_000, description="Taille d'une boîte, Mo")
    taille_message_mo: int = Field(default=25, ge=5, le=150, description="Taille maximale d'un message, Mo")
    envois_par_heure: int = Field(default=100, ge=1, le=10_000, description="Messages sortants par boîte et par heure")
    dmarc: Literal["none", "quarantine", "reject"] = Field(default="quarantine", description="Politique DMARC publiée")
    reputation_externe: bool = Field(
        default=True, description="Interroger les listes de réputation (DNSBL) ; false sans accès à Internet"
    )
    mta_sts: Literal["testing", "enforce"] = Field(default="enforce", description="Mode MTA-STS publié (RFC 8461)")


class Temoin(Strict):
    """A mailbox elsewhere, by which mail is proven to leave and to arrive; its password is in the pack's vault."""

    adresse: MailAddress
    imap: DomainName = Field(description="Serveur IMAPS (port 993)")
    soumission: DomainName = Field(description="Serveur d'envoi (port 587, STARTTLS)")
    mot_de_passe_fichier: Text | None = Field(
        default=None, description="Fichier qui contient le mot de passe, sinon secrets/plateforme.yml"
    )


class PackFile(Strict):
    """The content of ``pack.yml``."""

    nom: Text
    operateur: Operateur
    plateforme: Plateforme
    eligibilite: Eligibilite = Field(default_factory=Eligibilite)
    dns: Dns = Field(default_factory=Dns)
    acme: Acme = Field(default_factory=Acme)
    messagerie: PolitiqueMessagerie = Field(default_factory=PolitiqueMessagerie)
    resolveurs: list[IPv4Address | IPv6Address] = Field(
        default_factory=list, description="Résolveurs des vérifications (défaut : ceux de la machine)"
    )
    geoip: Text | None = Field(
        default=None, description="Base pays au format MMDB (DB-IP, GeoLite2…) pour le critère RPNT 2.8"
    )
    temoin: Temoin | None = Field(
        default=None, description="Boîte extérieure des vérifications d'envoi et de réception"
    )

    @model_validator(mode="after")
    def _every_group_has_a_host(self) -> PackFile:
        played = {group for host in self.plateforme.hotes.values() for group in host.groupes}
        missing = [group for group in ("dns", "frontal", "messagerie") if group not in played]
        if missing:
            raise ValueError(f"plateforme.hotes : aucun hôte ne joue {', '.join(missing)}")
        return self


class Pack(Strict):
    """A validated pack: policy and communes, in the order of their INSEE codes."""

    folder: str
    file: PackFile
    communes: tuple[Commune, ...]

    def commune(self, insee: str) -> Commune:
        """Return the commune with this code; raise KeyError when the pack has none."""
        for commune in self.communes:
            if commune.insee == insee:
                return commune
        raise KeyError(insee)
