# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables. What tells something about a report or a person is sealed; in clear are keys, dates by day, and states.

No table links a report to a commune in clear: in a commune of one agent that link would be a name.
"""

from __future__ import annotations

import uuid
from datetime import date

from django.db import models
from django.utils import timezone

from packmairie.portail.signalement.regles.delais import Echeance, Milestone, echeances
from packmairie.portail.signalement.regles.vocabulaire import AVDHAS, DISPOSITIFS, ISSUES, ORIGINES


class Enveloppe(models.TextChoices):
    """The four envelopes of a report, each with its own key pair."""

    FAITS = "faits"
    """Facts, messages, states: members in charge, the author, the rescue key."""
    IDENTITE = "identite"
    """Who the author is: custodians (garants), the author, the rescue key."""
    AVIS = "avis"
    """The address for the neutral notice: custodians and the author."""
    INTERNE = "interne"
    """Notes, measures and motives of the cell: members in charge and the rescue key, never the author."""


class Cellule(models.Model):
    """A cell that receives reports. ``deport`` is the cell that takes those that this one should not judge."""

    nom = models.CharField(max_length=120)
    centre = models.CharField(max_length=120)
    telephone = models.CharField(max_length=40, blank=True)
    courriel = models.EmailField(blank=True)
    adresse = models.TextField(blank=True)
    deport = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    cle_secours = models.CharField(max_length=80)
    cle_verification = models.BinaryField(max_length=32, null=True)

    def __str__(self) -> str:
        """Return the name."""
        return self.nom


class Adhesion(models.Model):
    """A commune has entrusted a dispositif to a cell, from a day and maybe until another (included)."""

    cellule = models.ForeignKey(Cellule, on_delete=models.CASCADE, related_name="adhesions")
    insee = models.CharField(max_length=5, db_index=True)
    dispositif = models.CharField(max_length=10, choices=DISPOSITIFS, default=AVDHAS)
    debut = models.DateField()
    fin = models.DateField(null=True, blank=True)

    class Meta:
        """One adhesion may start on a day for a commune and a dispositif."""

        constraints = [
            models.UniqueConstraint(fields=["insee", "dispositif", "debut"], name="adhesion_unique"),
        ]

    def __str__(self) -> str:
        """Return the commune and the dispositif."""
        return f"{self.insee} {self.dispositif}"

    @classmethod
    def current(cls, insee: str, dispositif: str, today: date) -> Adhesion | None:
        """Return the adhesion in force on a day, its cell and the one that stands in for it at hand."""
        running = models.Q(fin__isnull=True) | models.Q(fin__gte=today)
        return (
            cls.objects.select_related("cellule__deport")
            .filter(running, insee=insee, dispositif=dispositif, debut__lte=today)
            .order_by("-debut")
            .first()
        )


class Membre(models.Model):
    """Someone of a cell. His private key and his TOTP secret are sealed under his password."""

    cellule = models.ForeignKey(Cellule, on_delete=models.CASCADE, related_name="membres")
    identifiant = models.CharField(max_length=64, unique=True)
    nom = models.CharField(max_length=120)
    courriel = models.EmailField(blank=True)
    garant = models.BooleanField(default=False)
    actif = models.BooleanField(default=False)
    invitation = models.CharField(max_length=64, blank=True)
    invitation_fin = models.DateTimeField(null=True)
    sel = models.BinaryField(max_length=16, null=True)
    cout = models.CharField(max_length=24, blank=True)
    verificateur = models.CharField(max_length=64, blank=True)
    cle_publique = models.BinaryField(max_length=32, null=True)
    cle_privee = models.BinaryField(null=True)
    totp = models.BinaryField(null=True)
    totp_compteur = models.BigIntegerField(default=0)
    sel_recuperation = models.BinaryField(max_length=16, null=True)
    cle_recuperation = models.BinaryField(null=True)
    part_signature = models.BinaryField(null=True)
    confirmation = models.BinaryField(null=True)

    def __str__(self) -> str:
        """Return the name."""
        return self.nom


class Signalement(models.Model):
    """A report. Its dates are days; the exact time of receipt is in the facts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cellule = models.ForeignKey(Cellule, on_delete=models.PROTECT, related_name="signalements")
    dispositif = models.CharField(max_length=10, choices=DISPOSITIFS)
    origine = models.CharField(max_length=10, choices=ORIGINES, default="web")
    repere = models.CharField(max_length=8, unique=True)
    sel = models.BinaryField(max_length=16)
    cout = models.CharField(max_length=24)
    cle_auteur = models.BinaryField(max_length=32)
    etat = models.CharField(max_length=16)
    recu = models.DateField()
    accuse = models.DateField(null=True)
    examine = models.DateField(null=True)
    retour = models.DateField(null=True)
    entretien_demande = models.DateField(null=True)
    entretien = models.DateField(null=True)
    clos = models.DateField(null=True)
    issue = models.CharField(max_length=16, choices=ISSUES, blank=True)
    auteur_a_ecrit = models.DateField(null=True)
    purge_prevue = models.DateField(null=True)
    avis_en_attente = models.BooleanField(default=False)
    code_confirme = models.BooleanField(default=False)

    def __str__(self) -> str:
        """Return the public number."""
        return self.repere

    def milestones(self) -> dict[Milestone, date | None]:
        """Return the days that the clocks know."""
        return {
            "recu": self.recu, "accuse": self.accuse, "examine": self.examine, "retour": self.retour,
            "entretien_demande": self.entretien_demande, "entretien": self.entretien, "clos": self.clos,
        }  # fmt: skip

    def echeances(self, today: date | None = None) -> list[Echeance]:
        """Return the clocks of this report as they are today."""
        return echeances(self.dispositif, self.milestones(), today or timezone.localdate())


class CleEnveloppe(models.Model):
    """The public half of the key pair of one envelope: whoever has it can put something into the envelope."""

    signalement = models.ForeignKey(Signalement, on_delete=models.CASCADE, related_name="cles")
    enveloppe = models.CharField(max_length=10, choices=Enveloppe.choices)
    publique = models.BinaryField(max_length=32)

    class Meta:
        """One key pair for each envelope."""

        constraints = [models.UniqueConstraint(fields=["signalement", "enveloppe"], name="une_cle_par_enveloppe")]


class PartCle(models.Model):
    """The private half of an envelope's key, sealed to one person: a member, the author, or the rescue key."""

    signalement = models.ForeignKey(Signalement, on_delete=models.CASCADE, related_name="parts")
    enveloppe = models.CharField(max_length=10, choices=Enveloppe.choices)
    destinataire = models.CharField(
        max_length=8, choices=[("membre", "membre"), ("auteur", "auteur"), ("secours", "secours")]
    )
    membre = models.ForeignKey(Membre, null=True, on_delete=models.CASCADE, related_name="parts")
    scellee = models.BinaryField()

    class Meta:
        """A member has one part of an envelope."""

        constraints = [
            models.UniqueConstraint(fields=["signalement", "enveloppe", "destinataire", "membre"], name="une_part")
        ]


class Scelle(models.Model):
    """Something sealed into an envelope of a report: facts, message, state, note, file …"""

    signalement = models.ForeignKey(Signalement, on_delete=models.CASCADE, related_name="scelles")
    enveloppe = models.CharField(max_length=10, choices=Enveloppe.choices)
    genre = models.CharField(max_length=16)
    numero = models.PositiveIntegerField()
    contenu = models.BinaryField()

    class Meta:
        """Numbered within the report; the number is part of what is authenticated."""

        constraints = [models.UniqueConstraint(fields=["signalement", "numero"], name="numero_unique")]
        ordering = ["numero"]


class Morceau(models.Model):
    """A piece of a sealed file, in order."""

    piece = models.ForeignKey(Scelle, on_delete=models.CASCADE, related_name="morceaux")
    rang = models.PositiveIntegerField()
    contenu = models.BinaryField()

    class Meta:
        """Each piece once."""

        constraints = [models.UniqueConstraint(fields=["piece", "rang"], name="morceau_unique")]
        ordering = ["rang"]


class SessionScellee(models.Model):
    """An open session of a member or of an author: a private key, sealed under what the browser's cookie holds."""

    empreinte = models.CharField(max_length=64, unique=True)
    membre = models.ForeignKey(Membre, null=True, on_delete=models.CASCADE)
    signalement = models.ForeignKey(Signalement, null=True, on_delete=models.CASCADE)
    activation = models.BooleanField(default=False)
    secret = models.BinaryField()
    ouverte = models.DateTimeField()
    vue = models.DateTimeField()


class Journal(models.Model):
    """The hash-chained log of a cell: who did what, when, on which report; never content."""

    cellule = models.ForeignKey(Cellule, on_delete=models.PROTECT, related_name="journal")
    numero = models.PositiveIntegerField()
    quand = models.CharField(max_length=32)
    acteur = models.CharField(max_length=80)
    action = models.CharField(max_length=40)
    sujet = models.CharField(max_length=40, blank=True)
    details = models.CharField(max_length=200, blank=True)
    precedent = models.CharField(max_length=64)
    empreinte = models.CharField(max_length=64)

    class Meta:
        """One chain for each cell."""

        constraints = [models.UniqueConstraint(fields=["cellule", "numero"], name="maillon_unique")]
        ordering = ["numero"]


class LigneStatistique(models.Model):
    """What stays of a closed report: nothing that leads back to it, no day, no commune, no key."""

    cellule = models.ForeignKey(Cellule, on_delete=models.PROTECT, related_name="lignes")
    annee = models.PositiveSmallIntegerField()
    dispositif = models.CharField(max_length=10)
    categorie = models.CharField(max_length=24)
    taille = models.CharField(max_length=16)
    origine = models.CharField(max_length=10)
    issue = models.CharField(max_length=16)
    duree = models.CharField(max_length=16)
