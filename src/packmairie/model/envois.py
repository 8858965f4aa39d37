# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of a pack say of what communes send: contracts, acts and archives. Left out, nothing is sent."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from packmairie.model.fields import DomainName, HttpsUrl, Strict, Text

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
"""An identifier that an archivist or a platform gives: it also becomes part of file names."""
Folder = Annotated[str, StringConstraints(pattern=r"^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", max_length=200)]
Digest = Annotated[str, StringConstraints(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")]
"""A host key's fingerprint as ``ssh-keygen -l`` shows it."""


class Seuil(Strict):
    """Amounts in force since a date, in euros without tax."""

    depuis: date
    decp: int = Field(ge=0, description="Publication des données essentielles")
    liste: int = Field(ge=0, description="Liste annuelle possible entre ce seuil et decp")
    dispense_travaux: int = Field(ge=0, description="Sous ce montant, sans publicité (travaux)")
    dispense_autres: int = Field(ge=0, description="Sous ce montant, sans publicité (fournitures et services)")
    formalisee_travaux: int = Field(ge=0, description="Procédure formalisée à partir de ce montant (travaux)")
    formalisee_autres: int = Field(ge=0, description="Procédure formalisée à partir de ce montant (autres)")


class PolitiqueMarches(Strict):
    """What the pack says of public contracts."""

    seuils: list[Seuil] = Field(default_factory=list, description="Remplace les seuils connus du logiciel")


class Marches(Strict):
    """The commune's contracts: their register is marches/<INSEE>.yml or .csv in the pack."""

    compte: Text | None = Field(
        default=None, description="Compte de la commune sur la plateforme de marchés (nom affiché, jamais un secret)"
    )
    liste_annuelle: bool = Field(
        default=True, description="Contrats entre les deux seuils : liste annuelle (false : avec les autres, en DECP)"
    )


class Sae(Strict):
    """The archival system that receives the transfers; its secrets are in the vault of the commune, or of the pack."""

    depot: Literal["sftp", "vitam", "asalae"] = Field(description="Façon de déposer")
    hote: DomainName | None = Field(default=None, description="Serveur SFTP")
    port: int = Field(default=22, ge=1, le=65535, description="Port SFTP")
    compte: Code | None = Field(default=None, description="Compte SFTP ou as@lae")
    empreinte: Digest | None = Field(default=None, description="Empreinte de la clé du serveur SFTP (ssh-keygen -l)")
    dossier: Folder = Field(default="depot", description="Dossier SFTP où déposer")
    retours: Folder = Field(default="retours", description="Dossier SFTP où lire les accusés et les réponses")
    url: HttpsUrl | None = Field(default=None, description="Adresse de Vitam ou d'as@lae")
    tenant: int | None = Field(default=None, ge=0, description="Tenant Vitam")
    morceaux_mo: int | None = Field(
        default=None, ge=1, le=64, description="as@lae : envoyer en morceaux de cette taille (Mo) ce qui la dépasse"
    )
    autorite: Text | None = Field(default=None, description="Fichier de l'autorité qui signe le certificat du serveur")
    certificat: Text | None = Field(default=None, description="Fichier du certificat client (Vitam)")
    cle: Text | None = Field(default=None, description="Fichier de la clé de ce certificat, lisible de son seul compte")

    @model_validator(mode="after")
    def _complete(self) -> Sae:
        needed = {
            "sftp": ("hote", "compte", "empreinte"),
            "vitam": ("url", "tenant", "certificat", "cle"),
            "asalae": ("url", "compte"),
        }[self.depot]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"depot {self.depot} : {', '.join(missing)} à renseigner")
        return self


class Archivage(Strict):
    """The commune as the archival system knows it: what its archivist gave in the transfer agreement."""

    accord: Code = Field(description="Accord de versement (ArchivalAgreement)")
    service_archives: Code = Field(description="Identifiant du service d'archives (ArchivalAgency)")
    service_versant: Code = Field(description="Identifiant du service versant (TransferringAgency)")
    service_producteur: Code | None = Field(
        default=None, description="Identifiant du service producteur (défaut : service versant)"
    )
    seda: Literal["2.1", "2.2", "2.3"] = Field(default="2.2", description="Version du SEDA attendue par le SAE")
    profil_rng: Text | None = Field(default=None, description="Profil d'archivage RELAX NG de l'archiviste (fichier)")
    deposer: bool = Field(
        default=False, description="La plateforme dépose d'elle-même les actes acquittés (false : une commande le fait)"
    )


class Tdt(Strict):
    """The transmission operator (S²LOW): the machine deposits, the agent confirms with its own certificate."""

    url: HttpsUrl = Field(description="Adresse de S²LOW")
    autorite: Text | None = Field(default=None, description="Fichier de l'autorité qui signe le certificat du serveur")
    certificat: Text = Field(description="Fichier du certificat client de la machine, jamais celui d'un agent")
    cle: Text = Field(description="Fichier de la clé de ce certificat, lisible de son seul compte")


class Teletransmission(Strict):
    """The commune as the control of legality knows it."""

    depuis: date = Field(description="Date de la convention avec le préfet")
    arrondissement: Annotated[str, StringConstraints(pattern=r"^[0-9]$")] = Field(
        description="Arrondissement, un chiffre"
    )
    compte: Code | None = Field(default=None, description="Compte S²LOW, si plusieurs partagent le certificat")
    publier: bool = Field(default=False, description="Publier sur le site les actes dont l'acquittement est arrivé")
    archiver: bool = Field(default=True, description="Préparer l'archivage des actes dont l'acquittement est arrivé")
    deposer: bool = Field(
        default=False,
        description="La plateforme dépose d'elle-même les actes conformes de a-transmettre ; l'agent les confirme",
    )


KindName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class ProfilArchivage(Strict):
    """How the documents of one kind are kept: the identifiers of the rules are the archivist's."""

    titre: Text = Field(description="Titre de l'unité d'archives, par exemple Délibérations du conseil municipal")
    conservation: Code = Field(description="Règle de durée d'utilité administrative (AppraisalRule), ex. APP-00001")
    sort: Literal["conserver", "detruire"] = Field(description="Sort final")
    acces: Code = Field(description="Règle de communicabilité (AccessRule), ex. ACC-00001")
    niveau: Literal[
        "Fonds", "Subfonds", "Class", "Collection", "Series", "Subseries", "RecordGrp", "SubGrp", "File"
    ] = Field(default="RecordGrp", description="Niveau de description de l'unité")
    description: Text | None = None


class ProfilsArchivage(Strict):
    """The content of ``archivage/profils.yml``: one profile for each kind, a folder of a-archiver/ having its name."""

    profils: dict[KindName, ProfilArchivage] = Field(min_length=1)


def host_file_names(sae: Sae | None, tdt: Tdt | None) -> dict[str, str]:
    """Return the files that both sections name, by the name that each takes below the folder of a host."""
    named = {
        f"cles/{section}-{key}.pem": getattr(part, key)
        for section, part in (("sae", sae), ("tdt", tdt))
        if part is not None
        for key in ("autorite", "certificat", "cle")
    }
    return {name: path for name, path in named.items() if path}
