# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey keeps. No table joins a token to an anonymous answer, and none has a time of day.

Rows that must not tell in which order they came have a random whole number as primary key. SQLite stores a table by
an « integer » primary key, so that there is no hidden row number beside it.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.db import models

from packmairie.portail.sondage.champs import Valeur

LARGEST_KEY = 2**31 - 1


def random_key() -> int:
    """Return a random primary key."""
    return secrets.randbelow(LARGEST_KEY) + 1


class Campagne(models.Model):
    """One survey of one year: questionnaire and draw as they were, and where it stands."""

    class Mode(models.TextChoices):
        """Whether an answer can be tied to who gave it."""

        ANONYME = "anonyme", "Anonyme : aucune réponse ne peut être rattachée à une collectivité"
        CONFIDENTIEL = "confidentiel", "Confidentiel : le CdG sait qui a répondu quoi, et ne le publie pas"

    class Etat(models.TextChoices):
        """The stages, in order."""

        PREPARATION = "preparation", "En préparation"
        OUVERTE = "ouverte", "Ouverte"
        CLOSE = "close", "Close"
        DEPOUILLEE = "depouillee", "Dépouillée"

    titre = models.CharField("titre", max_length=120)
    annee = models.PositiveSmallIntegerField("année")
    mode = models.CharField("mode", max_length=12, choices=Mode)
    etat = models.CharField("état", max_length=12, choices=Etat, default=Etat.PREPARATION)
    questionnaire: models.Field[Any, Any] = Valeur("questionnaire")
    graine = models.CharField("graine du tirage", max_length=100)
    empreinte = models.CharField("empreinte de la base", max_length=64)
    algorithme = models.CharField("algorithme du tirage", max_length=20)
    strates: models.Field[Any, Any] = Valeur("effectifs des strates")
    """[{"strate": [...], "population": N, "tirees": n}], strates as lists; the count adds the "groupe" of each."""
    repartition = models.CharField("répartition", max_length=160, default="proportionnelle")
    """How the sample was shared between strata, as its pages say it."""
    cle_publique = models.BinaryField("clé publique de l'urne", max_length=32, default=bytes)
    cloture = models.DateField("répondre avant le")
    publiee = models.BooleanField("résultats visibles sans compte", default=False)
    calage = models.BooleanField("calage sur marges", default=False)
    resultats: models.Field[Any, Any] = Valeur("insatisfaits par étape", default=dict)
    """What later years are compared with: {step: [value, error, low, high, base]}."""

    class Meta:
        ordering = ("-annee", "-pk")
        permissions = (("gerer", "Conduire les enquêtes"),)

    def __str__(self) -> str:
        """Return its title and year."""
        return f"{self.titre} {self.annee}"


class Invitation(models.Model):
    """A collectivité of the frame's order of draw: drawn, or replacement. Knows whether it answered, never what."""

    class Issue(models.TextChoices):
        """What became of it (after AAPOR, *Standard Definitions*, 2023)."""

        ATTENTE = "attente", "Sans réponse"
        REFUS = "refus", "Refus"
        INJOIGNABLE = "injoignable", "Injoignable"
        HORS_CHAMP = "hors_champ", "Hors champ"

    campagne = models.ForeignKey(Campagne, on_delete=models.CASCADE, related_name="invitations")
    identifiant = models.CharField(max_length=20)
    nom = models.CharField(max_length=120)
    courriel = models.CharField(max_length=254, blank=True)
    strate: models.Field[Any, Any] = Valeur()
    rang = models.PositiveIntegerField()
    invitee = models.BooleanField(default=False)
    """Drawn, or called as a replacement; the others wait in their order."""
    empreinte_jeton = models.CharField(max_length=64, blank=True, db_index=True)
    utilise = models.BooleanField(default=False)
    issue = models.CharField(max_length=12, choices=Issue, default=Issue.ATTENTE)
    envois = models.PositiveSmallIntegerField(default=0)
    brouillon = models.BinaryField(default=bytes)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("campagne", "identifiant"), name="une_invitation"),)
        ordering = ("strate", "rang")

    def __str__(self) -> str:
        """Return its name."""
        return self.nom


class Bulletin(models.Model):
    """A sealed anonymous answer, until the count."""

    id = models.IntegerField(primary_key=True, default=random_key)
    campagne = models.ForeignKey(Campagne, on_delete=models.CASCADE, related_name="bulletins")
    scelle = models.BinaryField()


class ReponseAnonyme(models.Model):
    """An answer after the count: of a group of five answers or more, and without its free texts."""

    id = models.IntegerField(primary_key=True, default=random_key)
    campagne = models.ForeignKey(Campagne, on_delete=models.CASCADE, related_name="reponses_anonymes")
    strate: models.Field[Any, Any] = Valeur()
    valeurs: models.Field[Any, Any] = Valeur()


class Verbatim(models.Model):
    """A free text of an anonymous answer, parted from the rest of it: a turn of phrase may give its author away."""

    id = models.IntegerField(primary_key=True, default=random_key)
    campagne = models.ForeignKey(Campagne, on_delete=models.CASCADE, related_name="verbatims")
    question = models.CharField(max_length=40)
    texte = models.TextField()


class ReponseConfidentielle(models.Model):
    """An answer of a confidential survey, tied to who gave it; nothing anonymous is ever in this table."""

    invitation = models.OneToOneField(Invitation, on_delete=models.CASCADE, related_name="reponse")
    valeurs: models.Field[Any, Any] = Valeur()
