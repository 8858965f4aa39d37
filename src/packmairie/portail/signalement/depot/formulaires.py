# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of the author. Few fields are required: who hesitates must be able to send what he can say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from packmairie.portail.signalement.depot.televersement import LARGEST, FichierScelle
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.scellement import code as codes
from packmairie.registry.search import did_you_mean, search
from packmairie.registry.table import table

MOST_FILES = 6
LONG = 20_000
NEUTRAL = "Vous pourrez ajouter des éléments plus tard, avec votre code."


class SeveralFiles(forms.ClearableFileInput):
    """An input for several files."""

    allow_multiple_selected = True


class SealedFilesField(forms.FileField):
    """Files that were sealed while they arrived; each fault names its file."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", SeveralFiles())
        kwargs.setdefault("required", False)
        super().__init__(**kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Given what was sent, return the sealed files."""
        given = list(data) if isinstance(data, (list, tuple)) else [data] if data else []
        files = [file for file in given if isinstance(file, FichierScelle)]
        faults = [f"{file.nom} : {file.defaut}" for file in files if file.defaut]
        if len(files) > MOST_FILES:
            faults.append(f"{len(files)} fichiers choisis : {MOST_FILES} au plus à la fois")
        if faults:
            raise ValidationError([*faults, "Choisissez de nouveau vos fichiers : ils n'ont pas été gardés."])
        return files


FILES_HELP = (
    f"Photos, captures, messages, certificats… {MOST_FILES} fichiers au plus, {LARGEST // 1_000_000} Mo chacun. Un"
    " fichier peut contenir des informations cachées (auteur, lieu, appareil) : la cellule les verra."
)


class TrapMixin(forms.Form):
    """A field that people do not see and that robots fill in."""

    site_web = forms.CharField(required=False, label="Ne pas remplir")

    def trapped(self) -> bool:
        """Tell whether a robot filled the form in."""
        return bool(self.data.get("site_web"))


class SituationForm(forms.Form):
    """Which commune, which dispositif, who is accused: enough to know which cell is competent."""

    dispositif = forms.ChoiceField(
        label="De quoi voulez-vous parler ?", choices=words.DISPOSITIFS, widget=forms.RadioSelect, initial=words.AVDHAS
    )
    commune = forms.CharField(
        label="Dans quelle commune travaillez-vous ?", max_length=80,
        help_text="Nom de la commune qui vous emploie, ou code postal. Par exemple : Riencourt",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    mis_en_cause = forms.ChoiceField(
        label="Qui est mis en cause ?", choices=words.MIS_EN_CAUSE, widget=forms.RadioSelect,
        help_text="Si la personne dirige l'employeur ou travaille au Centre de gestion, une autre cellule, extérieure,"
        " recevra votre signalement.",
    )  # fmt: skip

    def clean_commune(self) -> str:
        """Return the INSEE code when one commune alone answers, and offer the others as choices."""
        typed = self.cleaned_data["commune"]
        if self.data.get("choix") == typed and typed in table():
            return str(typed)
        hits = search(typed)
        self.candidates = [hit.row for hit in hits][:12] or did_you_mean(typed)
        if len(hits) == 1:
            return hits[0].row.insee
        if not self.candidates:
            raise ValidationError("Aucune commune du Nord, du Pas-de-Calais, de la Somme, de l'Oise ou de l'Aisne"
                                  " ne porte ce nom. Vérifiez l'orthographe, ou donnez le code postal.")  # fmt: skip
        raise ValidationError(
            "Plusieurs communes correspondent : choisissez la vôtre dans la liste, au début de la page.", code="choix"
        )


class FactsForm(TrapMixin):
    """The report itself."""

    insee = forms.RegexField(r"^[0-9][0-9AB][0-9]{3}$", widget=forms.HiddenInput)
    dispositif = forms.ChoiceField(choices=words.DISPOSITIFS, widget=forms.HiddenInput)
    mis_en_cause = forms.ChoiceField(choices=words.MIS_EN_CAUSE, widget=forms.HiddenInput)
    malgre_conflit = forms.BooleanField(required=False, widget=forms.HiddenInput)

    qualite = forms.ChoiceField(label="Vous parlez de faits…", choices=words.QUALITES, widget=forms.RadioSelect)
    accord_victime = forms.ChoiceField(
        label="Si vous n'êtes pas la personne qui les subit : est-elle d'accord pour que vous en parliez ?",
        choices=words.ACCORD_VICTIME, widget=forms.RadioSelect, required=False,
    )  # fmt: skip
    lien = forms.ChoiceField(label="Votre lien avec cet employeur", choices=words.LIENS, widget=forms.RadioSelect)
    categories = forms.MultipleChoiceField(
        label="De quoi s'agit-il, selon vous ?", widget=forms.CheckboxSelectMultiple,
        help_text="Plusieurs réponses possibles. Si vous hésitez, « Je ne sais pas » convient très bien.",
    )  # fmt: skip
    recit = forms.CharField(
        label="Que se passe-t-il ?", max_length=LONG, widget=forms.Textarea(attrs={"rows": 10}),
        help_text=f"Avec vos mots. Ce que vous avez vu, entendu ou subi. {NEUTRAL}",
    )  # fmt: skip
    depuis = forms.CharField(
        label="Depuis quand ?", max_length=200, required=False,
        help_text="Une date, un mois, une saison : ce dont vous vous souvenez.",
    )  # fmt: skip
    dernier = forms.CharField(label="La dernière fois ?", max_length=200, required=False)
    moment = forms.ChoiceField(label="Aujourd'hui", choices=words.MOMENTS, widget=forms.RadioSelect, required=False)
    lieu = forms.CharField(
        label="Où ?", max_length=500, required=False, help_text="Un bureau, un atelier, par téléphone, en ligne…"
    )
    personnes = forms.CharField(
        label="Qui est en cause ?", max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Nom, fonction, lien hiérarchique. Vous pouvez ne donner que la fonction, ou rien.",
    )  # fmt: skip
    temoins = forms.CharField(
        label="Y a-t-il des témoins, ou d'autres personnes qui subissent ?", max_length=4000, required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )  # fmt: skip
    demarches = forms.MultipleChoiceField(
        label="À qui en avez-vous déjà parlé ?", choices=words.DEMARCHES, required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    attentes = forms.CharField(
        label="Qu'attendez-vous de la cellule ?", max_length=4000, required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Être écouté, conseillé, protégé, que cela cesse…",
    )  # fmt: skip
    pieces = SealedFilesField(label="Documents", help_text=FILES_HELP)

    employeur_sait = forms.MultipleChoiceField(
        label="Ce que votre employeur peut apprendre", required=False, widget=forms.CheckboxSelectMultiple,
        choices=[(code, f"Il peut savoir {text}") for code, text in words.CONSENTEMENTS],
        help_text="Rien n'est coché : rien ne lui sera dit sans vous le redemander. Vous pourrez changer d'avis.",
    )  # fmt: skip

    anonyme = forms.ChoiceField(
        label="Voulez-vous donner votre nom à la cellule ?", widget=forms.RadioSelect, initial="oui",
        choices=[("oui", "Non, je reste anonyme"), ("non", "Oui, je donne mon nom")],
        help_text="Votre nom est scellé à part : seules une ou deux personnes de la cellule peuvent l'ouvrir, en disant"
        " pourquoi. Anonyme, vous pouvez échanger avec la cellule tout autant.",
    )  # fmt: skip
    nom = forms.CharField(label="Votre nom", max_length=200, required=False)
    contact = forms.CharField(
        label="Comment vous joindre", max_length=300, required=False,
        help_text="Un téléphone ou une adresse personnels, et les heures qui vous conviennent.",
    )  # fmt: skip
    avis = forms.EmailField(
        label="Adresse pour être averti", required=False,
        help_text="Seulement si vous le voulez : un courriel sans objet précis (« Vous avez un message ») vous dira de"
        " revenir. Une adresse personnelle, que vous seul lisez ; jamais celle du travail.",
    )  # fmt: skip

    groups: Sequence[tuple[str, tuple[str, ...]]] = (
        ("Votre situation", ("qualite", "accord_victime", "lien")),
        ("Les faits", ("categories", "recit", "moment", "depuis", "dernier", "lieu")),
        ("Les personnes", ("personnes", "temoins", "demarches")),
        ("Ce qui peut aider", ("pieces", "attentes")),
        ("Votre employeur", ("employeur_sait",)),
        ("Vous", ("anonyme", "nom", "contact", "avis")),
    )

    def __init__(self, *args: Any, dispositif: str = words.AVDHAS, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["categories"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - for the type checker
        field.choices = list(words.CATEGORIES.get(dispositif, words.CATEGORIES[words.AVDHAS]))

    def clean(self) -> dict[str, Any]:
        """Check what depends on two fields."""
        data = dict(super().clean() or {})
        if data.get("anonyme") == "non" and not data.get("nom"):
            self.add_error("nom", "Écrivez votre nom, ou choisissez de rester anonyme plus haut.")
        if data.get("anonyme") == "oui" and "identite" in data.get("employeur_sait", []):
            self.add_error(
                "employeur_sait", "Vous restez anonyme : votre identité ne peut pas être dite à l'employeur."
            )
        return data

    def facts(self) -> dict[str, Any]:
        """Return what goes into the envelope of facts."""
        kept = (
            "insee", "mis_en_cause", "qualite", "accord_victime", "lien", "categories", "recit", "moment", "depuis",
            "dernier", "lieu", "personnes", "temoins", "demarches", "attentes", "employeur_sait", "malgre_conflit",
        )  # fmt: skip
        return {name: self.cleaned_data[name] for name in kept if name in self.cleaned_data}

    def identity(self) -> dict[str, Any] | None:
        """Return what goes into the envelope of identity: nothing when the author stays anonymous."""
        if self.cleaned_data["anonyme"] == "oui" or not self.cleaned_data["nom"]:
            return None
        return {"nom": self.cleaned_data["nom"], "contact": self.cleaned_data["contact"]}


class CodeForm(forms.Form):
    """The code alone, typed again before leaving."""

    code = forms.CharField(
        label="Votre code", max_length=60, help_text="16 lettres et chiffres, par groupes de quatre.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )  # fmt: skip

    def clean_code(self) -> str:
        """Return the letters of the code."""
        letters = codes.read(self.cleaned_data["code"], codes.CODE_LENGTH)
        if letters is None:
            raise ValidationError("Le code a 16 lettres et chiffres, par exemple 7KDM-2XQH-90VB-C3TE.")
        return letters


class ReturnForm(CodeForm):
    """The number and the code."""

    numero = forms.CharField(
        label="Votre numéro", max_length=40, help_text="8 lettres et chiffres, par exemple 4TZK-81WN.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )  # fmt: skip
    field_order = ("numero", "code")

    def clean_numero(self) -> str:
        """Return the letters of the number."""
        letters = codes.read(self.cleaned_data["numero"], codes.NUMBER_LENGTH)
        if letters is None:
            raise ValidationError("Le numéro a 8 lettres et chiffres, par exemple 4TZK-81WN.")
        return letters


class MessageForm(forms.Form):
    """A message of the author, with files."""

    texte = forms.CharField(
        label="Votre message", max_length=LONG, required=False, widget=forms.Textarea(attrs={"rows": 6})
    )
    pieces = SealedFilesField(label="Documents", help_text=FILES_HELP)

    def clean(self) -> dict[str, Any]:
        """Refuse an empty message."""
        data = dict(super().clean() or {})
        if not self.errors and not data.get("texte") and not data.get("pieces"):
            self.add_error("texte", "Écrivez un message, ou joignez un document.")
        return data


class ConsentForm(forms.Form):
    """What the employer may learn, changed later."""

    employeur_sait = forms.MultipleChoiceField(
        label="Votre employeur peut apprendre…", required=False, widget=forms.CheckboxSelectMultiple,
        choices=[(code, text) for code, text in words.CONSENTEMENTS],
    )  # fmt: skip


class IdentityForm(forms.Form):
    """The author's name, given later."""

    nom = forms.CharField(label="Votre nom", max_length=200)
    contact = forms.CharField(label="Comment vous joindre", max_length=300, required=False)


def facts_for_reading(facts: dict[str, Any], dispositif: str) -> list[tuple[str, str]]:
    """Given the facts of a report, return (question, answer) pairs in French, without what is empty."""
    simple = {
        "qualite": ("Qualité", words.QUALITES), "accord_victime": ("Accord de la personne", words.ACCORD_VICTIME),
        "lien": ("Lien avec l'employeur", words.LIENS), "mis_en_cause": ("Personne mise en cause", words.MIS_EN_CAUSE),
        "moment": ("Aujourd'hui", words.MOMENTS),
    }  # fmt: skip
    several = {
        "categories": ("Selon l'auteur", words.CATEGORIES.get(dispositif, ())),
        "demarches": ("Déjà informés", words.DEMARCHES),
        "employeur_sait": ("L'employeur peut apprendre", words.CONSENTEMENTS),
    }
    texts = {
        "recit": "Récit", "depuis": "Depuis", "dernier": "Dernière fois", "lieu": "Lieu", "personnes": "En cause",
        "temoins": "Témoins, autres personnes", "attentes": "Attentes",
    }  # fmt: skip
    shown: list[tuple[str, str]] = []
    for name in (
        "qualite", "accord_victime", "lien", "mis_en_cause", "categories", "recit", "moment", "depuis", "dernier",
        "lieu", "personnes", "temoins", "demarches", "attentes", "employeur_sait",
    ):  # fmt: skip
        value = facts.get(name)
        if name == "employeur_sait" and not value:
            shown.append(("L'employeur peut apprendre", "rien"))
        elif value and name in simple:
            shown.append((simple[name][0], words.label(simple[name][1], value)))
        elif value and name in several:
            shown.append((several[name][0], " ; ".join(words.label(several[name][1], item) for item in value)))
        elif value and name in texts:
            shown.append((texts[name], value))
    return shown
