# SPDX-License-Identifier: GPL-3.0-or-later
"""The count: the ballot box is opened, mixed, and groups too small to hide anybody are merged."""

from __future__ import annotations

from collections import Counter
from random import SystemRandom

from django.db import transaction

from packmairie.model.problem import fail
from packmairie.portail.sondage import melange, urne
from packmairie.portail.sondage.collecte import questionnaire_of
from packmairie.portail.sondage.models import (
    LARGEST_KEY,
    Bulletin,
    Campagne,
    Invitation,
    ReponseAnonyme,
    ReponseConfidentielle,
    Verbatim,
)
from packmairie.portail.sondage.resultats.compute import Answer, Results, compute
from packmairie.portail.sondage.statistique.deviations import deviations_of
from packmairie.portail.sondage.statistique.estimates import Share
from packmairie.portail.sondage.statistique.frame import Stratum
from packmairie.portail.sondage.statistique.groups import SMALLEST, merge_small

_RANDOM = SystemRandom()


@transaction.atomic
def count(campagne: Campagne, private: str) -> int:
    """Open the ballots of a closed anonymous campaign with its private key; return how many there were.

    Every answer is kept with the label of its group only, in an order drawn anew, apart from its free texts; ballots
    and drafts are destroyed. All or nothing. Raise PackmairieError for a wrong key or stage, or too few answers.
    """
    if campagne.mode != Campagne.Mode.ANONYME or campagne.etat != Campagne.Etat.CLOSE:
        raise fail("dépouillement", "la campagne n'est pas close", "clore la campagne, puis dépouiller l'urne")
    try:
        key = urne.read_key(private)
        opened = [urne.unseal(key, bytes(ballot.scelle)) for ballot in campagne.bulletins.all()]
    except urne.Unreadable:
        raise fail(
            "dépouillement", "cette clé n'ouvre pas l'urne de cette campagne", "donner la clé reçue à sa création"
        ) from None
    if len(opened) < SMALLEST:
        raise fail(
            "dépouillement",
            f"{len(opened)} réponses : trop peu pour rester anonymes",
            f"rouvrir la campagne jusqu'à {SMALLEST} réponses au moins",
        )
    counted = Counter(tuple(ballot["strate"]) for ballot in opened)
    labels = merge_small({stratum: counted.get(stratum, 0) for stratum in population_of(campagne)})
    free = {question.code for question in questionnaire_of(campagne).questions() if question.genre == "texte"}
    _RANDOM.shuffle(opened)
    kept = [
        ReponseAnonyme(
            campagne=campagne,
            strate=list(labels[tuple(ballot["strate"])]),
            valeurs={name: value for name, value in ballot["valeurs"].items() if name not in free},
        )
        for ballot in opened
    ]
    texts = [
        Verbatim(campagne=campagne, question=name, texte=value)
        for ballot in opened
        for name, value in ballot["valeurs"].items()
        if name in free
    ]
    _RANDOM.shuffle(texts)
    for rows in (kept, texts):
        for row, key_number in zip(rows, _free_keys(type(rows[0]), len(rows)) if rows else (), strict=True):
            row.pk = key_number
    # Rows are written by their keys, as the table stores them: the order of writing tells nothing either.
    ReponseAnonyme.objects.bulk_create(sorted(kept, key=lambda row: row.pk), batch_size=200)
    Verbatim.objects.bulk_create(sorted(texts, key=lambda row: row.pk), batch_size=200)
    Bulletin.objects.filter(campagne=campagne).delete()
    Invitation.objects.filter(campagne=campagne).update(brouillon=b"")
    campagne.strates = [{**one, "groupe": list(labels[tuple(one["strate"])])} for one in campagne.strates]
    campagne.etat = Campagne.Etat.DEPOUILLEE
    campagne.save(update_fields=["etat", "strates"])
    _keep_figures(campagne)
    transaction.on_commit(melange.forget)
    return len(kept)


def _free_keys(model: type[ReponseAnonyme | Verbatim], number: int) -> list[int]:
    taken = set(model.objects.values_list("pk", flat=True))
    keys: set[int] = set()
    while len(keys) < number:
        key = _RANDOM.randint(1, LARGEST_KEY)
        if key not in taken:
            keys.add(key)
    ordered = list(keys)
    _RANDOM.shuffle(ordered)
    return ordered


@transaction.atomic
def close_confidential(campagne: Campagne) -> None:
    """End a confidential campaign: its results are final, drafts are destroyed."""
    Invitation.objects.filter(campagne=campagne).update(brouillon=b"")
    campagne.etat = Campagne.Etat.DEPOUILLEE
    campagne.save(update_fields=["etat"])
    if ReponseConfidentielle.objects.filter(invitation__campagne=campagne).count() >= SMALLEST:
        _keep_figures(campagne)


def population_of(campagne: Campagne) -> dict[Stratum, int]:
    """Return the number of collectivités of each stratum of the frame."""
    return {tuple(one["strate"]): one["population"] for one in campagne.strates}


def results_of(campagne: Campagne, *, calage: bool | None = None) -> Results:
    """Return the results of a campaign, raked as it says or as ``calage`` does.

    Raise PackmairieError while its ballot box is sealed, with too few answers, or when they cannot be raked.
    """
    population = population_of(campagne)
    invited = Counter(
        tuple(stratum) for stratum in campagne.invitations.filter(invitee=True).values_list("strate", flat=True)
    )
    if campagne.mode == Campagne.Mode.CONFIDENTIEL:
        rows = ReponseConfidentielle.objects.filter(invitation__campagne=campagne)
        answers = [Answer(tuple(s), v) for s, v in rows.values_list("invitation__strate", "valeurs")]
    elif campagne.etat == Campagne.Etat.DEPOUILLEE:
        answers = [Answer(tuple(s), v) for s, v in campagne.reponses_anonymes.values_list("strate", "valeurs")]
        population, invited = _by_group(campagne, population, invited)
    else:
        raise fail("résultats", "l'urne est scellée", "clore la campagne et la dépouiller avec sa clé")
    past = {
        other.annee: {step: Share(*figures) for step, figures in other.resultats.items()}
        for other in Campagne.objects.filter(etat=Campagne.Etat.DEPOUILLEE, annee__lt=campagne.annee)
        if other.questionnaire["identifiant"] == campagne.questionnaire["identifiant"] and other.resultats
    }
    return compute(
        questionnaire_of(campagne), population, invited, answers, campagne.annee, past=past,
        calage=campagne.calage if calage is None else calage,
    )  # fmt: skip


@transaction.atomic
def set_raking(campagne: Campagne, raking: bool) -> None:
    """Choose raking or post-stratification; what later years compare with follows. Raise PackmairieError as above."""
    campagne.calage = raking
    campagne.save(update_fields=["calage"])
    if campagne.etat == Campagne.Etat.DEPOUILLEE:
        _keep_figures(campagne)


def deviations_in(campagne: Campagne) -> dict[Stratum, float]:
    """Return how much the answers of a counted campaign vary by group, for Neyman's allocation of the next one.

    Raise PackmairieError while there are no results.
    """
    results = results_of(campagne, calage=False)
    return deviations_of(results.insatisfaction)


def _by_group(
    campagne: Campagne, population: dict[Stratum, int], invited: Counter[Stratum]
) -> tuple[dict[Stratum, int], Counter[Stratum]]:
    """Add strata up to the groups that the count made."""
    merged: dict[Stratum, int] = {}
    asked: Counter[Stratum] = Counter()
    for one in campagne.strates:
        stratum, label = tuple(one["strate"]), tuple(one["groupe"])
        merged[label] = merged.get(label, 0) + population[stratum]
        asked[label] += invited[stratum]
    return merged, asked


def _keep_figures(campagne: Campagne) -> None:
    campagne.resultats = {
        step.code: [
            step.insatisfaits.value, step.insatisfaits.error, step.insatisfaits.low, step.insatisfaits.high,
            step.insatisfaits.base,
        ]
        for step in results_of(campagne).etapes
    }  # fmt: skip
    campagne.save(update_fields=["resultats"])
