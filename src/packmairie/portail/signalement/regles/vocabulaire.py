# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the forms. Codes are stored (sealed); labels are shown.

Categories of ``avdhas`` are those of article L135-6 CGFP; eligibility of people who left or applied is that of
articles R135-1 s. and of the practice of the centres de gestion (left less than 6 months ago, candidate less than 3).
"""

from __future__ import annotations

from typing import Final

Choices = tuple[tuple[str, str], ...]

AVDHAS: Final = "avdhas"
ALERTE: Final = "alerte"
DISPOSITIFS: Choices = (
    (AVDHAS, "Violences, discriminations, harcèlement, agissements sexistes, menaces"),
    (ALERTE, "Crime, délit, ou menace pour l'intérêt général (lanceur d'alerte)"),
)
CATEGORIES: dict[str, Choices] = {
    AVDHAS: (
        ("integrite", "Atteinte volontaire à l'intégrité physique"),
        ("violence", "Acte de violence"),
        ("discrimination", "Discrimination"),
        ("harcelement_moral", "Harcèlement moral"),
        ("harcelement_sexuel", "Harcèlement sexuel"),
        ("sexiste", "Agissement sexiste"),
        ("menace", "Menace"),
        ("intimidation", "Autre acte d'intimidation"),
        ("ne_sait_pas", "Je ne sais pas"),
    ),
    ALERTE: (
        ("crime_delit", "Crime ou délit"),
        ("interet_general", "Menace ou préjudice pour l'intérêt général"),
        ("engagement", "Violation d'un engagement international, du droit de l'Union, de la loi ou du règlement"),
        ("ne_sait_pas", "Je ne sais pas"),
    ),
}
QUALITES: Choices = (
    ("victime", "Je le vis moi-même"),
    ("temoin", "J'en suis témoin"),
    ("informe", "On me l'a raconté"),
)
LIENS: Choices = (
    ("agent", "J'y travaille (fonctionnaire, contractuel, saisonnier)"),
    ("stagiaire", "J'y suis stagiaire, apprenti ou en service civique"),
    ("elu", "J'y suis élu"),
    ("benevole", "J'y suis bénévole"),
    ("prestataire", "J'y interviens pour une autre entreprise"),
    ("parti", "Je n'y travaille plus, depuis moins de 6 mois"),
    ("parti_longtemps", "Je n'y travaille plus, depuis plus de 6 mois"),
    ("candidat", "Je m'y suis porté candidat il y a moins de 3 mois"),
    ("autre", "Autre"),
)
NOT_ELIGIBLE = ("parti_longtemps", "autre")
"""The deposit is taken all the same: the cell decides, and orients. The page warns."""
MIS_EN_CAUSE: Choices = (
    ("collegue", "Un ou une collègue, un supérieur hiérarchique"),
    ("autorite", "Le maire, ou la personne qui dirige l'employeur"),
    ("elu", "Un autre élu"),
    ("cdg", "Quelqu'un du Centre de gestion, ou de la cellule qui reçoit les signalements"),
    ("exterieur", "Une personne extérieure (usager, prestataire)"),
    ("inconnu", "Je ne sais pas, ou je préfère ne pas le dire maintenant"),
)
CONFLICTS = ("autorite", "cdg")
"""Whom the ordinary cell should not judge: the report goes to the cell that stands in for it."""
MOMENTS: Choices = (
    ("en_cours", "Cela dure encore"),
    ("fini", "C'est terminé"),
    ("une_fois", "C'est arrivé une seule fois"),
)
DEMARCHES: Choices = (
    ("hierarchie", "Ma hiérarchie"),
    ("medecine", "Un médecin, la médecine de prévention"),
    ("police", "La police ou la gendarmerie"),
    ("syndicat", "Un représentant du personnel, un syndicat"),
    ("association", "Une association"),
    ("aucune", "Personne encore"),
)
ACCORD_VICTIME: Choices = (
    ("oui", "Oui"),
    ("non", "Non"),
    ("ne_sait_pas", "Je ne lui ai pas demandé"),
)
CONSENTEMENTS: tuple[tuple[str, str], ...] = (
    ("existence", "qu'un signalement existe"),
    ("categorie", "de quel type de faits il s'agit"),
    ("faits", "le récit des faits, les dates et le lieu"),
    ("personnes", "le nom des personnes mises en cause et des témoins"),
    ("pieces", "les pièces jointes"),
    ("identite", "mon identité"),
)
"""What the employer may learn, item by item. None is the default of each."""
ORIGINES: Choices = (("web", "En ligne"), ("oral", "Oral (téléphone, entretien)"), ("papier", "Courrier"))
MESURES: Choices = (
    ("eloignement", "Éloignement ou changement d'affectation de la personne mise en cause"),
    ("amenagement", "Aménagement du poste ou des horaires, avec l'accord de l'agent"),
    ("protection", "Protection fonctionnelle (L134-1 CGFP)"),
    ("urgence", "Mesure d'urgence sans délai et à titre conservatoire (L134-6 CGFP)"),
    ("suspension", "Suspension de la personne mise en cause"),
    ("autre", "Autre mesure"),
)
MESURE_ETATS: Choices = (
    ("demandee", "Demandée"), ("decidee", "Décidée"), ("appliquee", "Appliquée"), ("refusee", "Refusée"),
    ("levee", "Levée"),
)  # fmt: skip
ORIENTATIONS: Choices = (
    ("medecine", "Médecine de prévention"),
    ("psychologue", "Psychologue du travail"),
    ("assistante_sociale", "Assistance sociale"),
    ("juridique", "Conseil juridique"),
    ("france_victimes", "France Victimes (116 006)"),
    ("femmes_info", "Violences Femmes Info (3919)"),
    ("defenseur", "Défenseur des droits (09 69 39 00 00)"),
    ("police", "Police ou gendarmerie, plainte"),
    ("autre", "Autre"),
)
ISSUES: Choices = (
    ("hors_champ", "Hors du champ du dispositif"),
    ("sans_suite", "Sans suite"),
    ("mesures", "Mesures prises par l'employeur, sans procédure"),
    ("discipline", "Procédure disciplinaire engagée"),
    ("justice", "Procédure judiciaire engagée"),
)


def label(choices: Choices, code: str) -> str:
    """Given choices and a code, return its label; the code itself when it is unknown."""
    return dict(choices).get(code, code)
