# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms of those who run the surveys."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from packmairie.model.problem import PackmairieError
from packmairie.portail.sondage.base import read_frame
from packmairie.portail.sondage.depouillement import deviations_in
from packmairie.portail.sondage.models import Campagne, Invitation
from packmairie.portail.sondage.questionnaire.model import parse, shipped
from packmairie.portail.sondage.statistique.draw import Draw, draw
from packmairie.portail.sondage.statistique.frame import Unit, frame_from_register

DEPARTEMENTS = (("02", "Aisne"), ("59", "Nord"), ("60", "Oise"), ("62", "Pas-de-Calais"), ("80", "Somme"))


class NouvelleCampagne(forms.Form):
    """Everything that a campaign is made of; a valid form has its ``tirage`` and its ``questionnaire_lu``."""

    titre = forms.CharField(max_length=120, label="Titre", initial="Votre relation avec le Centre de gestion")
    annee = forms.IntegerField(min_value=2000, max_value=2100, label="Année")
    mode = forms.ChoiceField(choices=Campagne.Mode.choices, widget=forms.RadioSelect, label="Mode")
    cloture = forms.DateField(
        label="Répondre avant le", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    departements = forms.MultipleChoiceField(
        choices=DEPARTEMENTS, widget=forms.CheckboxSelectMultiple, required=False, label="Départements",
        help_text="Base de sondage : les communes du registre officiel. Sans effet si une base est collée plus bas.",
    )  # fmt: skip
    base = forms.CharField(
        required=False, widget=forms.Textarea, label="Base de sondage", max_length=900_000,
        help_text="CSV : identifiant ; nom ; departement ; population ; adhesion ; epci ; courriel. La commande "
        "« packmairie sondage frame » en prépare une.",
    )  # fmt: skip
    taille = forms.IntegerField(
        min_value=5, max_value=100_000, label="Collectivités à inviter", initial=300,
        help_text="« packmairie sondage size --margin 5 » calcule et explique ce nombre.",
    )  # fmt: skip
    minimum = forms.IntegerField(min_value=0, max_value=50, initial=2, label="Au moins par strate")
    graine = forms.CharField(
        max_length=100, label="Graine du tirage", help_text="Un texte public, par exemple la date et le lieu."
    )
    repartition = forms.ChoiceField(
        label="Répartition entre les strates", initial="proportionnelle", widget=forms.RadioSelect,
        choices=(("proportionnelle", "Proportionnelle à la taille des strates"),),
        help_text="Celle de Neyman invite davantage là où les avis variaient le plus dans une enquête passée.",
    )  # fmt: skip
    calage = forms.BooleanField(
        required=False, label="Caler les résultats sur les marges de la base",
        help_text="Sinon, chaque groupe de strates pèse ce qu'il pèse dans la base (post-stratification). Ce choix "
        "reste possible jusqu'à la publication.",
    )  # fmt: skip
    questionnaire = forms.CharField(
        required=False, widget=forms.Textarea, max_length=100_000, label="Autre questionnaire",
        help_text="En YAML. Laisser vide pour le questionnaire de la relation avec le Centre de gestion.",
    )  # fmt: skip

    tirage: Draw

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.passees = {str(one.pk): one for one in Campagne.objects.filter(etat=Campagne.Etat.DEPOUILLEE)}
        field = self.fields["repartition"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for mypy
        field.choices = [
            *NouvelleCampagne.base_fields["repartition"].choices,  # type: ignore[attr-defined]
            *((key, self._neyman(one)) for key, one in self.passees.items()),
        ]

    @staticmethod
    def _neyman(campagne: Campagne) -> str:
        return f"Neyman, d'après « {campagne} »"

    def repartition_dite(self) -> str:
        """Return how the sample was shared, as pages say it."""
        past = self.passees.get(self.cleaned_data["repartition"])
        return self._neyman(past) if past else "proportionnelle"

    def clean_cloture(self) -> Any:
        """Refuse a day that is past."""
        day = self.cleaned_data["cloture"]
        if day <= timezone.localdate():
            raise forms.ValidationError("Ce jour est passé : choisissez un jour à venir.")
        return day

    def clean_questionnaire(self) -> Any:
        """Return the questionnaire."""
        text = self.cleaned_data["questionnaire"].strip()
        try:
            return parse(text, "questionnaire") if text else shipped()
        except PackmairieError as error:
            raise forms.ValidationError([str(problem) for problem in error.problems[:10]]) from None

    def clean(self) -> dict[str, Any]:
        """Draw the sample, once everything else is right."""
        given: dict[str, Any] = super().clean() or {}
        if self.errors:
            return given
        try:
            past = self.passees.get(given["repartition"])
            self.tirage = draw(
                self._units(given), given["taille"], given["graine"], minimum=given["minimum"],
                deviations=deviations_in(past) if past else None,
            )  # fmt: skip
        except PackmairieError as error:
            raise forms.ValidationError([str(problem) for problem in error.problems[:10]]) from None
        return given

    def _units(self, given: dict[str, Any]) -> tuple[Unit, ...]:
        if given["base"].strip():
            return read_frame(given["base"], "base")
        if not given["departements"]:
            raise forms.ValidationError("Choisissez un département, ou collez une base de sondage.")
        return frame_from_register(given["departements"])


class Cle(forms.Form):
    """The private key of a ballot box."""

    cle = forms.CharField(
        max_length=200, label="Clé de l'urne",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Celle qui a été remise à la création de la campagne ; elle commence par CLE-URNE.",
    )  # fmt: skip


class Remplacement(forms.Form):
    """Why a collectivité will not answer."""

    issue = forms.ChoiceField(
        label="Motif", choices=[choice for choice in Invitation.Issue.choices if choice[0] != Invitation.Issue.ATTENTE]
    )
