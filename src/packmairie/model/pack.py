# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack: the platform that serves the communes, its policy, and the communes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from packmairie.model.commune import Commune
from packmairie.model.deployment import PolitiqueDeploiement
from packmairie.model.envois import PolitiqueMarches, Sae, Tdt
from packmairie.model.fields import DomainName, MailAddress, PhoneNumber, Strict, Text
from packmairie.model.poste import PolitiquePostes

HostName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
GROUPS = ("dns", "frontal", "messagerie", "stockage", "partage", "portail", "acces")


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
    groupes: list[Literal["dns", "frontal", "messagerie", "stockage", "partage", "portail", "acces"]] = Field(
        min_length=1
    )
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
    commandes_par_heure: int = Field(
        default=80,
        ge=1,
        le=10_000,
        description="Certificats commandés d'avance par heure (Let's Encrypt en accepte 300 en trois heures)",
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


class Garder(Strict):
    """How many backups of each source are kept."""

    jours: int = Field(default=14, ge=1, le=366, description="Une par jour pendant ce nombre de jours")
    semaines: int = Field(default=8, ge=0, le=520, description="puis une par semaine")
    mois: int = Field(default=12, ge=0, le=240, description="puis une par mois")


class PolitiqueSauvegarde(Strict):
    """Where backups go, how long nothing can destroy them, and how they must be proven."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]+(:[0-9]{1,5})?$")] | None = Field(
        default=None, description="Adresse S3 (défaut : https://s3.<domaine>, servie par l'hôte du groupe stockage)"
    )
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,40}$")] = Field(
        default="us-east-1", description="Région S3"
    )
    adressage: Literal["chemin", "domaine"] = Field(
        default="chemin", description="Le nom du seau est dans le chemin, ou devant le domaine"
    )
    prefixe: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")] | None = Field(
        default=None, description="Début du nom des seaux (défaut : le domaine de la plateforme)"
    )
    verrou: bool = Field(default=True, description="Verrouiller chaque objet (object lock, mode COMPLIANCE)")
    retention_jours: int = Field(
        default=35, ge=1, le=3650, description="Pendant combien de jours personne ne peut rien détruire"
    )
    heures: list[Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]] = Field(
        default_factory=lambda: ["02:15", "14:15"], min_length=1, description="Heures des sauvegardes"
    )
    etalement_minutes: int = Field(default=60, ge=0, le=720, description="Retard au hasard de chaque hôte, minutes")
    debit_ko: int = Field(default=0, ge=0, description="Débit d'envoi, Kio/s ; 0 : sans limite")
    simultane: int = Field(default=2, ge=1, le=16, description="Communes sauvegardées en même temps sur un hôte")
    garder: Garder = Field(default_factory=Garder)
    age_max_heures: int = Field(default=24, ge=1, le=8760, description="Âge d'une sauvegarde de la plateforme")
    age_max_postes_heures: int = Field(
        default=240,
        ge=1,
        le=8760,
        description="Âge d'une sauvegarde d'un poste : les mairies n'ouvrent pas tous les jours",
    )
    essai_max_jours: int = Field(default=35, ge=1, le=400, description="Âge du dernier essai de restauration")
    entretien_max_jours: int = Field(default=8, ge=1, le=100, description="Âge du dernier contrôle des dépôts")
    cle_secours: Annotated[str, StringConstraints(pattern=r"^age1[0-9a-z]{58}$")] | None = Field(
        default=None, description="Clé publique age hors ligne de l'opérateur, pour le séquestre des mots de passe"
    )


class PolitiquePartage(Strict):
    """Policy of the file spaces."""

    quota_mo: int = Field(
        default=20_000, ge=100, le=10_000_000, description="Place d'une commune, corbeille non comptée, Mo"
    )
    depot_mo: int = Field(
        default=2000, ge=1, le=100_000, description="Ce que peut recevoir une boîte de dépôt en tout, Mo"
    )
    corbeille_jours: int = Field(default=30, ge=1, le=365, description="Durée de garde de ce qui est supprimé, jours")
    lien_jours: int = Field(default=90, ge=1, le=730, description="Durée de vie la plus longue d'un lien, jours")
    lots: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Processus entre lesquels les communes sont réparties : un pour 25 communes",
    )
    signatures: Literal["officielles", "laboratoire"] = Field(
        default="officielles",
        description="Signatures de l'antivirus ; laboratoire : le fichier d'essai EICAR seul, là où Internet manque",
    )


class PolitiquePortail(Strict):
    """The portal of the CdG: the reporting channel and the surveys, on the host that plays the group ``portail``."""

    nom: DomainName | None = Field(
        default=None,
        description="Nom du portail (défaut : portail.<domaine de la plateforme>) ; un nom d'ailleurs doit y mener",
    )
    processus: int = Field(default=2, ge=1, le=16, description="Processus qui répondent ; un par cœur suffit")


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
    sauvegarde: PolitiqueSauvegarde = Field(default_factory=PolitiqueSauvegarde)
    partage: PolitiquePartage = Field(default_factory=PolitiquePartage)
    portail: PolitiquePortail = Field(default_factory=PolitiquePortail)
    postes: PolitiquePostes = Field(default_factory=PolitiquePostes)
    deploiement: PolitiqueDeploiement = Field(default_factory=PolitiqueDeploiement)
    resolveurs: list[IPv4Address | IPv6Address] = Field(
        default_factory=list, description="Résolveurs des vérifications (défaut : ceux de la machine)"
    )
    geoip: Text | None = Field(
        default=None, description="Base pays au format MMDB (DB-IP, GeoLite2…) pour le critère RPNT 2.8"
    )
    temoin: Temoin | None = Field(
        default=None, description="Boîte extérieure des vérifications d'envoi et de réception"
    )
    schemas: Text | None = Field(
        default=None, description="Dossier des schémas officiels (decp, seda, actes), absolu ou relatif au pack"
    )
    marches: PolitiqueMarches = Field(default_factory=PolitiqueMarches)
    sae: Sae | None = Field(default=None, description="Système d'archivage mutualisé")
    tdt: Tdt | None = Field(default=None, description="Tiers de télétransmission mutualisé")

    @model_validator(mode="after")
    def _every_group_has_a_host(self) -> PackFile:
        played = {group for host in self.plateforme.hotes.values() for group in host.groupes}
        missing = [group for group in ("dns", "frontal", "messagerie") if group not in played]
        if missing:
            raise ValueError(f"plateforme.hotes : aucun hôte ne joue {', '.join(missing)}")
        for name, host in self.plateforme.hotes.items():
            if "stockage" in host.groupes and len(host.groupes) > 1:
                raise ValueError(
                    f"plateforme.hotes.{name} : stockage doit être seul sur son hôte,"
                    " qui prend la plateforme prendrait aussi ses sauvegardes"
                )
        sharing = [host.groupes for host in self.plateforme.hotes.values() if "partage" in host.groupes]
        if len(sharing) > 1 or any("frontal" not in groups for groups in sharing):
            raise ValueError("plateforme.hotes : le groupe partage est joué par un seul hôte, qui joue aussi frontal")
        portals = [host.groupes for host in self.plateforme.hotes.values() if "portail" in host.groupes]
        if len(portals) > 1 or any(not {"frontal", "messagerie"} <= set(groups) for groups in portals):
            raise ValueError(
                "plateforme.hotes : le groupe portail est joué par un seul hôte, qui joue aussi frontal et messagerie"
            )
        return self


class Pack(Strict):
    """A validated pack: policy and communes, in the order of their INSEE codes.

    ``coats`` are the images of coats of arms by INSEE code; ``contents`` the first files of the sites, by INSEE code
    and by path below the commune's folder, each with its absolute path on this machine; ``publications`` the texts
    that a commune serves beside its site, by INSEE code, part (``marches``) and name; ``attachments`` the files that a
    host needs to send for communes, by their name there, each with its absolute path on this machine.
    """

    folder: str
    file: PackFile
    communes: tuple[Commune, ...]
    coats: Mapping[str, bytes] = Field(default_factory=dict)
    contents: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    publications: Mapping[str, Mapping[str, Mapping[str, str]]] = Field(default_factory=dict)
    attachments: Mapping[str, str] = Field(default_factory=dict)

    def shares_files(self) -> bool:
        """Tell whether a host of the platform plays the group ``partage``."""
        return any("partage" in host.groupes for host in self.file.plateforme.hotes.values())

    def portal_name(self) -> str:
        """Return the host name of the portal, empty when no host of the platform plays the group ``portail``."""
        if not any("portail" in host.groupes for host in self.file.plateforme.hotes.values()):
            return ""
        return self.file.portail.nom or self.file.plateforme.host_name("portail")

    def commune(self, insee: str) -> Commune:
        """Return the commune with this code; raise KeyError when the pack has none."""
        for commune in self.communes:
            if commune.insee == insee:
                return commune
        raise KeyError(insee)
