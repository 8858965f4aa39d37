# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of the members of a cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from packmairie.portail.signalement.depot.formulaires import LONG, FactsForm
from packmairie.portail.signalement.models import Membre
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.regles.etats import ETATS
from packmairie.portail.signalement.scellement import secours

_OFF = {"autocomplete": "off"}


class LoginForm(forms.Form):
    """Login, password and TOTP code, together: the answer does not tell which is wrong."""

    identifiant = forms.CharField(
        label="Identifiant", max_length=64, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    mot_de_passe = forms.CharField(
        label="Mot de passe", max_length=400, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    code = forms.CharField(
        label="Code de votre application", max_length=12, help_text="6 chiffres, qui changent toutes les 30 secondes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip


class NewPasswordForm(forms.Form):
    """A new password, twice, with the secret that allows to set it."""

    identifiant = forms.CharField(
        label="Identifiant", max_length=64, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    secret = forms.CharField(label="Code d'invitation", max_length=80, widget=forms.TextInput(attrs=_OFF))
    mot_de_passe = forms.CharField(
        label="Nouveau mot de passe", max_length=400, strip=False,
        help_text="14 caractères au moins ; quatre ou cinq mots sans rapport entre eux conviennent bien.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    encore = forms.CharField(
        label="Le même, encore", max_length=400, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def clean_mot_de_passe(self) -> str:
        """Apply the rules on passwords."""
        password = str(self.cleaned_data["mot_de_passe"])
        validate_password(password)
        return password

    def clean(self) -> dict[str, Any]:
        """Compare both."""
        data = dict(super().clean() or {})
        if data.get("mot_de_passe") and data.get("encore") != data["mot_de_passe"]:
            self.add_error("encore", "Les deux mots de passe diffèrent.")
        return data


class RecoveryForm(NewPasswordForm):
    """The same, with the printed recovery code."""

    secret = forms.CharField(label="Code de récupération", max_length=80, widget=forms.TextInput(attrs=_OFF))


class TotpForm(forms.Form):
    """The proof that the application shows the right codes."""

    mot_de_passe = forms.CharField(
        label="Mot de passe que vous venez de choisir", max_length=400, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    code = forms.CharField(
        label="Code que montre votre application", max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip


class ReplyForm(forms.Form):
    """A message to the author."""

    texte = forms.CharField(
        label="Message à l'auteur", max_length=LONG, widget=forms.Textarea(attrs={"rows": 5}),
        help_text="L'auteur le lira avec son code. N'y mettez le nom de personne sans nécessité.",
    )  # fmt: skip


class StateForm(forms.Form):
    """A change of state, with what the author is told."""

    etat = forms.ChoiceField(label="Nouvel état")
    explication = forms.CharField(
        label="Explication lue par l'auteur", max_length=2000, required=False,
        widget=forms.Textarea(attrs={"rows": 3}), help_text="Sans texte, l'explication habituelle de cet état.",
    )  # fmt: skip
    issue = forms.ChoiceField(
        label="Issue, si vous closez", choices=[("", "—"), *words.ISSUES], required=False,
        help_text="Elle décide de la durée de conservation.",
    )  # fmt: skip

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["etat"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(code, ETATS[code].nom) for code in ETATS[current].suivants]

    def clean(self) -> dict[str, Any]:
        """A closing needs an outcome."""
        data = dict(super().clean() or {})
        if data.get("etat") == "clos" and not data.get("issue"):
            self.add_error("issue", "Choisissez l'issue du dossier.")
        return data


class NoteForm(forms.Form):
    """A note for the members in charge; the author never reads it."""

    texte = forms.CharField(label="Note interne", max_length=LONG, widget=forms.Textarea(attrs={"rows": 4}))


class QualificationForm(forms.Form):
    """What the cell makes of it, beside what the author said."""

    categorie = forms.ChoiceField(label="Qualification retenue par la cellule")
    motif = forms.CharField(label="Pourquoi", max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, dispositif: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["categorie"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = list(words.CATEGORIES[dispositif])


class MeasureForm(forms.Form):
    """A protective measure: asked, decided, applied."""

    mesure = forms.ChoiceField(label="Mesure", choices=words.MESURES)
    etat_mesure = forms.ChoiceField(label="Où en est-elle", choices=words.MESURE_ETATS)
    jour = forms.DateField(label="Date", widget=forms.DateInput(attrs={"type": "date"}))
    precision = forms.CharField(label="Précision", max_length=1000, required=False)


class OrientationForm(forms.Form):
    """A professional to whom the author was directed."""

    vers = forms.ChoiceField(label="Vers", choices=words.ORIENTATIONS)
    precision = forms.CharField(
        label="Comment le joindre", max_length=1000, required=False, help_text="L'auteur le lira."
    )


class IdentityMotiveForm(forms.Form):
    """Why an identity is opened."""

    motif = forms.CharField(
        label="Motif de l'ouverture", min_length=15, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Il est scellé dans le dossier ; l'ouverture est inscrite au journal.",
    )  # fmt: skip


class AssignForm(forms.Form):
    """The members in charge; the others lose their parts of the keys."""

    membres = forms.ModelMultipleChoiceField(
        label="Membres chargés du dossier", queryset=Membre.objects.none(), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, members: Iterable[Membre], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["membres"]
        assert isinstance(field, forms.ModelMultipleChoiceField)  # noqa: S101 - for the type checker
        field.queryset = Membre.objects.filter(pk__in=[member.pk for member in members])


class TransmissionForm(forms.Form):
    """What goes to the authority: at most what the author accepted."""

    destinataire = forms.CharField(label="Destinataire (nom et fonction)", max_length=300)
    elements = forms.MultipleChoiceField(label="Ce qui est transmis", widget=forms.CheckboxSelectMultiple)
    avis_cellule = forms.CharField(
        label="Ce que la cellule demande à l'autorité", max_length=LONG, required=False,
        widget=forms.Textarea(attrs={"rows": 4}), help_text="Ni nom ni fait que l'auteur n'a pas accepté de dire.",
    )  # fmt: skip
    cle_age = forms.CharField(
        label="Clé publique age du destinataire", max_length=80, required=False,
        help_text="age1… ; sinon, le fichier est protégé par la phrase ci-dessous.",
    )  # fmt: skip
    phrase = forms.CharField(
        label="Phrase qui ouvre le fichier", max_length=100, min_length=16,
        help_text="À donner de vive voix, jamais avec le fichier.", widget=forms.TextInput(attrs=_OFF),
    )  # fmt: skip

    def __init__(self, *args: Any, allowed: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["elements"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(code, text) for code, text in words.CONSENTEMENTS if code in set(allowed)]

    def clean_cle_age(self) -> str:
        """Check the recipient."""
        given = str(self.cleaned_data["cle_age"]).strip()
        if given and not secours.is_recipient(given):
            raise ValidationError("Ce n'est pas une clé publique age (elle commence par « age1 »).")
        return given


class OralForm(FactsForm):
    """A report received by word of mouth or on paper, entered by a member."""

    origine = forms.ChoiceField(
        label="Comment l'avez-vous reçu ?", choices=[c for c in words.ORIGINES if c[0] != "web"],
        widget=forms.RadioSelect,
    )  # fmt: skip
    insee = forms.RegexField(r"^[0-9][0-9AB][0-9]{3}$", label="Code INSEE de la commune", help_text="Par exemple 62708")
    dispositif = forms.ChoiceField(label="Dispositif", choices=words.DISPOSITIFS)
    mis_en_cause = forms.ChoiceField(
        label="Qui est mis en cause ?", choices=words.MIS_EN_CAUSE, widget=forms.RadioSelect
    )
    malgre_conflit = forms.BooleanField(
        label="L'auteur accepte que notre cellule le traite malgré le conflit d'intérêts", required=False
    )
    groups = (("Réception", ("origine", "insee", "dispositif", "mis_en_cause", "malgre_conflit")), *FactsForm.groups)


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic when it runs
    """A new member, invited by a custodian."""

    class Meta:
        """What is asked of him."""

        model = Membre
        fields = ("identifiant", "nom", "courriel", "garant")
        labels = {
            "identifiant": "Identifiant", "nom": "Nom", "courriel": "Courriel (rappels neutres)",
            "garant": "Garant : peut ouvrir les identités, avec un motif",
        }  # fmt: skip
