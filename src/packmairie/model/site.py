# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commune's file says of its website. Every key may be left out: the register alone makes a site."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from packmairie.model.fields import HttpsUrl, MailAddress, Paragraph, PhoneNumber, PostalCode, Strict, Text
from packmairie.site_mairie.colour import parse_colour, refuse_unreadable
from packmairie.site_mairie.opening_hours import parse_days, parse_slots, week_of


def _colour(value: str) -> str:
    """Refuse what is not ``#rrggbb``; return it in lower case."""
    lowered = value.lower()
    parse_colour(lowered)
    return lowered


def _main_colour(value: str) -> str:
    """Refuse a colour on which white text cannot be read."""
    refuse_unreadable(value)
    return value


def _days(value: str) -> str:
    parse_days(value)
    return value


def _slots(value: str) -> str:
    parse_slots(value)
    return value


def _each_day_once(rows: list[Horaire]) -> list[Horaire]:
    week_of((row.jours, row.heures) for row in rows)
    return rows


Colour = Annotated[str, StringConstraints(max_length=20), AfterValidator(_colour)]


class Adresse(Strict):
    """Where the mairie is."""

    voie: Text | None = Field(default=None, description="Numéro et voie, par exemple 1 place de la Mairie")
    complement: Text | None = Field(default=None, description="Bâtiment, lieu-dit")
    code_postal: PostalCode | None = Field(default=None, description="Défaut : le premier de codes_postaux")
    commune: Text | None = Field(default=None, description="Défaut : le nom de la commune")


class Horaire(Strict):
    """When the mairie is open, on one or several days."""

    jours: Annotated[Text, AfterValidator(_days)] = Field(
        description="Par exemple « lundi, jeudi » ou « lundi au jeudi »"
    )
    heures: Annotated[Text, AfterValidator(_slots)] = Field(
        description="Par exemple « 9h-12h, 14h-17h30 » ou « fermé »"
    )


class Fermeture(Strict):
    """Days on which the mairie is closed although it would be open."""

    du: date = Field(description="Premier jour de fermeture")
    au: date | None = Field(default=None, description="Dernier jour de fermeture (défaut : le premier)")
    motif: Text | None = Field(default=None, description="Motif montré, par exemple congés")

    @model_validator(mode="after")
    def _ordered(self) -> Fermeture:
        if self.au is not None and self.au < self.du:
            raise ValueError("finit avant d'avoir commencé")
        return self


class Elu(Strict):
    """One member of the council, as shown."""

    fonction: Text = Field(description="Par exemple Maire, Première adjointe, Conseiller municipal")
    nom: Text = Field(description="Prénom et nom")


class Lien(Strict):
    """A link to a procedure or a service."""

    titre: Text = Field(description="Ce que l'habitant y fait, par exemple Demander un acte de naissance")
    adresse: HttpsUrl = Field(description="Adresse en https://")
    description: Text | None = Field(default=None, description="Une phrase d'explication")


class Couleurs(Strict):
    """The commune's colours; a pair that cannot be read is refused (WCAG 2.2, level AA)."""

    principale: Annotated[Colour, AfterValidator(_main_colour)] = Field(
        description="Fond de l'en-tête sous du texte blanc : contraste d'au moins 4,5:1, par exemple #2f5d50"
    )
    accent: Colour | None = Field(
        default=None, description="Repères sur l'en-tête : contraste d'au moins 3:1 avec la principale"
    )

    @model_validator(mode="after")
    def _readable(self) -> Couleurs:
        if self.accent is not None:
            refuse_unreadable(self.principale, self.accent)
        return self


class Hebergeur(Strict):
    """Who hosts the site, for the legal notice."""

    nom: Text = Field(description="Nom ou raison sociale")
    adresse: Text | None = Field(default=None, description="Adresse postale")
    telephone: PhoneNumber | None = Field(default=None, description="Téléphone")
    courriel: MailAddress | None = Field(default=None, description="Adresse électronique")


class Accessibilite(Strict):
    """The declared state of conformity with the RGAA; without an audit it is « non conforme »."""

    etat: Literal["non conforme", "partiellement conforme", "totalement conforme"] = Field(
        default="non conforme", description="État de conformité au RGAA 4.1"
    )
    declaration: date | None = Field(default=None, description="Jour où la déclaration a été établie")
    audit_par: Text | None = Field(default=None, description="Qui a réalisé l'audit")
    taux: int | None = Field(default=None, ge=0, le=100, description="Part des critères respectés selon l'audit, en %")
    non_accessible: list[Text] = Field(
        default_factory=list, max_length=20, description="Contenus non accessibles, une phrase chacun"
    )
    contact: MailAddress | None = Field(default=None, description="Adresse de contact (défaut : celle de la mairie)")

    @model_validator(mode="after")
    def _proven(self) -> Accessibilite:
        proven = self.audit_par is not None and self.taux is not None and self.declaration is not None
        if self.etat != "non conforme" and not proven:
            raise ValueError("annonce une conformité sans audit : ajouter declaration, audit_par et taux")
        least = {"non conforme": 0, "partiellement conforme": 50, "totalement conforme": 100}[self.etat]
        if self.taux is not None and self.taux < least:
            raise ValueError(f"annonce « {self.etat} » avec un taux de {self.taux} % (il faut {least} %)")
        return self


class Redirection(Strict):
    """A host name of the commune's domain that leads to its site elsewhere."""

    de: Literal["@", "www"] = Field(description="@ pour le domaine seul, www pour www.domaine")
    vers: HttpsUrl = Field(description="Adresse du site de la commune")


class Site(Strict):
    """The website: what it shows, and how it looks."""

    adresse: Adresse = Field(default_factory=Adresse, description="Adresse de la mairie")
    telephone: PhoneNumber | None = Field(default=None, description='Téléphone de la mairie, "03 21 00 00 00"')
    courriel: MailAddress | None = Field(default=None, description="Adresse montrée (défaut : contact@domaine)")
    horaires: Annotated[list[Horaire], AfterValidator(_each_day_once)] = Field(
        default_factory=list, max_length=14, description="Heures d'ouverture, chaque jour une seule fois"
    )
    fermetures: list[Fermeture] = Field(default_factory=list, max_length=30, description="Fermetures exceptionnelles")
    note_horaires: Text | None = Field(
        default=None, description="Phrase sous les horaires, par exemple « sur rendez-vous »"
    )
    elus: list[Elu] = Field(
        default_factory=list, max_length=30, description="Maire, adjoints et conseillers, dans l'ordre"
    )
    presentation: list[Paragraph] = Field(
        default_factory=list, max_length=6, description="Présentation de la commune, un paragraphe par ligne (Markdown)"
    )
    couleurs: Couleurs | None = Field(
        default=None, description="Couleurs de la commune (défaut : choisies par packmairie)"
    )
    blason: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,60}\.(png|jpg|webp)$")] | None = Field(
        default=None, description="Image du dossier blasons/ du pack : .png, .jpg ou .webp, 12 000 octets au plus"
    )
    liens: list[Lien] = Field(default_factory=list, max_length=20, description="Démarches propres à la commune")
    profil_acheteur: HttpsUrl | None = Field(default=None, description="Profil d'acheteur (marchés publics)")
    signalement: HttpsUrl | None = Field(default=None, description="Dispositif de signalement de la commune")
    directeur_publication: Text | None = Field(default=None, description="Défaut : le maire de la liste des élus")
    hebergeur: Hebergeur | None = Field(default=None, description="Défaut : l'opérateur du pack")
    delegue_donnees: MailAddress | None = Field(
        default=None, description="Adresse du délégué à la protection des données"
    )
    accessibilite: Accessibilite = Field(default_factory=Accessibilite, description="Déclaration d'accessibilité")
    redirections: list[Redirection] = Field(
        default_factory=list, max_length=2, description="Quand le site est ailleurs : seules redirections servies"
    )
