# SPDX-License-Identifier: GPL-3.0-or-later
"""A commune as its file describes it: what the register knows, and what the technician decides."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from packmairie.model.envois import Archivage, Marches, Teletransmission
from packmairie.model.fields import (
    AbsolutePath,
    DeclaredText,
    DomainName,
    InseeCode,
    LocalPart,
    PostalCode,
    Siren,
    Siret,
    SpfMechanism,
    Strict,
    Text,
    plain_text,
)
from packmairie.model.poste import Poste
from packmairie.model.site import Site

BRIQUE_NAMES = (
    "messagerie",
    "presence",
    "partage",
    "sauvegarde",
    "postes",
    "archivage",
    "teletransmission",
    "marches",
    "signalement",
)
RESERVED_LOCAL_PARTS = ("postmaster", "abuse")
SHARED_LOCAL_PART = "contact"
SITE_LOCAL_PART = "site"
"""The address by which agents change their site: never a box, nor another name of one."""
PROBE_LOCAL_PART = "sonde"
"""The technical account by which packmairie proves that mail arrives; it reads contact@ as an agent does."""


class DnsMode(StrEnum):
    """Who publishes the commune's zone."""

    GEREE = "geree"
    EXTERNE = "externe"


class Enregistrement(Strict):
    """A record that the commune keeps in its managed zone beside those of its briques (another provider's MX …)."""

    nom: Annotated[str, StringConstraints(pattern=r"^(@|[a-z0-9_*]([a-z0-9_.-]*[a-z0-9_])?)$")] = "@"
    type: Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"]
    valeurs: list[Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(plain_text)]] = Field(
        min_length=1
    )
    ttl: int | None = Field(default=None, ge=60, le=86400)


class Domaine(Strict):
    """The commune's domain name."""

    nom: DomainName = Field(description="Nom de domaine, par exemple riencourt-les-bapaume.fr")
    dns: DnsMode = Field(
        default=DnsMode.GEREE, description="geree : zone publiée par la plateforme ; externe : ailleurs"
    )
    enregistrements: list[Enregistrement] = Field(
        default_factory=list, description="Enregistrements d'autres prestataires à garder dans la zone gérée"
    )
    confirme: bool = Field(default=True, description="false tant que le nom proposé n'est pas réservé par la commune")


class Groupe(StrEnum):
    """The file spaces that a person of the commune shares."""

    AGENTS = "agents"
    ELUS = "elus"


class Agent(Strict):
    """Someone who works or sits at the mairie and has a mailbox."""

    identifiant: LocalPart = Field(description="Partie gauche de l'adresse, par exemple prenom.nom")
    nom: Text = Field(description="Nom affiché")
    quota_mo: int | None = Field(
        default=None, ge=50, le=100_000, description="Taille de la boîte en Mo, sinon celle du pack"
    )
    groupes: list[Groupe] = Field(
        default_factory=lambda: [Groupe.AGENTS],
        min_length=1,
        description="Espaces de fichiers ouverts à cette personne : ceux des agents, ceux des élus, ou les deux",
    )


class Epci(Strict):
    """The intercommunality that the commune belongs to."""

    siren: Siren
    nom: Text


class Convention(Strict):
    """The commune's agreement with the operator."""

    depuis: date = Field(description="Date de signature ; une commune conventionnée reste éligible")


class ServicePublic(Strict):
    """What Service-Public.gouv.fr declares for the mairie: the RPNT judges these, not what is deployed."""

    courriel: DeclaredText | None = Field(default=None, description="Première adresse déclarée")
    site: DeclaredText | None = Field(default=None, description="Premier site déclaré, avec https://")
    constate_le: date = Field(description="Jour où la fiche a été lue")


class Messagerie(Strict):
    """What the commune adds to the pack's mail policy."""

    alias: dict[LocalPart, list[LocalPart]] = Field(
        default_factory=lambda: {"mairie": [SHARED_LOCAL_PART]},
        description="Adresses supplémentaires et les boîtes qui les reçoivent",
    )
    spf: list[SpfMechanism] = Field(
        default_factory=list, description="Mécanismes SPF d'autres expéditeurs, ex. include:spf.exemple.fr"
    )


class SauvegardeCommune(Strict):
    """What the commune adds to the pack's backup policy, for its workstations."""

    dossiers: list[AbsolutePath] = Field(
        default_factory=list,
        description="Dossiers des logiciels métiers à sauvegarder sur les postes, en plus des dossiers personnels",
    )


class Partage(Strict):
    """What the commune adds to the pack's policy of file spaces."""

    quota_mo: int | None = Field(
        default=None, ge=100, le=10_000_000, description="Place de la commune en Mo, sinon celle du pack"
    )


class Commune(Strict):
    """One tenant: a row of the official register plus what its file adds."""

    insee: InseeCode = Field(description="Code officiel géographique")
    nom: Text
    departement: Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|2[AB])$")]
    siren: Siren
    siret: Siret
    codes_postaux: list[PostalCode] = Field(min_length=1)
    population: int = Field(ge=0, description="Population municipale au millésime indiqué")
    millesime: int = Field(ge=2000, le=2100)
    epci: Epci | None = None
    latitude: float = Field(ge=-90, le=90, description="Degrés WGS84")
    longitude: float = Field(ge=-180, le=180, description="Degrés WGS84")
    domaine: Domaine
    convention: Convention | None = None
    derogation: Text | None = Field(default=None, description="Motif d'une admission hors des règles d'éligibilité")
    agents: list[Agent] = Field(default_factory=list)
    messagerie: Messagerie = Field(default_factory=Messagerie)
    partage: Partage = Field(default_factory=Partage)
    existant: dict[str, Text] = Field(
        default_factory=dict, description="Briques que la commune a déjà et par qui : vérifiées, jamais déployées"
    )
    service_public: ServicePublic | None = None
    sauvegarde: SauvegardeCommune = Field(default_factory=SauvegardeCommune)
    postes: list[Poste] = Field(default_factory=list, description="Postes de travail de la mairie")
    site: Site = Field(default_factory=Site, description="Ce que montre le site de la commune")
    marches: Marches | None = Field(default=None, description="Publication des marchés ; absent : rien n'est publié")
    archivage: Archivage | None = Field(default=None, description="Versement au SAE ; absent : rien n'est versé")
    teletransmission: Teletransmission | None = Field(
        default=None, description="Dépôt des actes au tiers de télétransmission ; absent : rien n'est déposé"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Commune:
        reasons = [f"existant : « {name} » n'est pas une brique" for name in self.existant if name not in BRIQUE_NAMES]
        if not self.siret.startswith(self.siren):
            reasons.append("siret : ne commence pas par le SIREN")
        if not self.insee.startswith(self.departement):
            reasons.append("departement : ne correspond pas au code INSEE")
        reasons += self._address_conflicts()
        names = [poste.nom for poste in self.postes]
        reasons += [
            f"postes : « {name} » n'est pas un poste de cette commune (poste-{self.insee}-N)"
            for name in names
            if not name.startswith(f"poste-{self.insee}-")
        ]
        reasons += [f"postes : « {name} » est en double" for name in sorted({n for n in names if names.count(n) > 1})]
        known = {agent.identifiant for agent in self.agents}
        reasons += [
            f"postes : « {login} » ({poste.nom}) n'est pas un agent de la commune"
            for poste in self.postes
            for login in poste.agents
            if login not in known
        ]
        if self.site.redirections and self.deploys("presence"):
            reasons.append(
                "site.redirections : réservées aux communes qui ont un site ailleurs (existant: {presence: …})"
            )
        if self.loses_its_mail():
            reasons.append(
                "domaine : la zone gérée n'aurait pas de MX et la messagerie existante ne recevrait plus rien"
                " (ajouter ses MX, SPF… dans domaine.enregistrements, ou choisir dns: externe)"
            )
        if reasons:
            raise ValueError(" ; ".join(reasons))
        return self

    def loses_its_mail(self) -> bool:
        """Tell whether publishing the zone would cut mail that another provider serves."""
        return (
            self.domaine.dns is DnsMode.GEREE
            and not self.deploys("messagerie")
            and not any(record.type == "MX" for record in self.domaine.enregistrements)
        )

    def _address_conflicts(self) -> list[str]:
        names = [agent.identifiant for agent in self.agents]
        fixed = {SHARED_LOCAL_PART, PROBE_LOCAL_PART, SITE_LOCAL_PART, *RESERVED_LOCAL_PARTS}
        reasons = [f"agents : « {name} » est en double" for name in sorted({n for n in names if names.count(n) > 1})]
        reasons += [f"agents : « {name} » est réservé" for name in names if name in fixed]
        boxes = {*names, SHARED_LOCAL_PART}
        for alias, targets in self.messagerie.alias.items():
            if alias in boxes or alias == PROBE_LOCAL_PART:
                reasons.append(f"messagerie.alias : « {alias} » est déjà une boîte")
            if alias == SITE_LOCAL_PART:
                reasons.append(
                    f"messagerie.alias : « {alias} » est réservé : les agents y écrivent pour changer le site"
                )
            if not targets:
                reasons.append(f"messagerie.alias : « {alias} » ne mène à aucune boîte")
            reasons += [
                f"messagerie.alias : « {alias} » mène à « {target} », qui n'existe pas"
                for target in targets
                if target not in boxes
            ]
        return reasons

    def users_of(self, poste: Poste) -> list[Agent]:
        """Return the agents who have a session on a workstation, in the order of the file."""
        return [agent for agent in self.agents if not poste.agents or agent.identifiant in poste.agents]

    def deploys(self, brique: str) -> bool:
        """Tell whether packmairie deploys this brique here (what the commune already has is only checked)."""
        return brique not in self.existant
