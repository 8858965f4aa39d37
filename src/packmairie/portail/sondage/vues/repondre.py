# SPDX-License-Identifier: GPL-3.0-or-later
"""What a collectivité sees: its questionnaire, page after page, without account and without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from packmairie.portail.projet.cadence import Cadence
from packmairie.portail.sondage import collecte
from packmairie.portail.sondage.models import Campagne, Invitation
from packmairie.portail.sondage.questionnaire.model import Question, Questionnaire, Section, Values

_GUESSES = Cadence(20, 3600)


@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Ask for the code of a letter."""
    wrong = ""
    if request.method == "POST":
        if not _GUESSES.allows(str(request.META.get("packmairie.seau", ""))):
            wrong = "Trop d'essais. Réessayez dans une heure, ou appelez le Centre de gestion."
        else:
            value = collecte.read_token(request.POST.get("code", ""))
            if collecte.find_invitation(value) is not None:
                return redirect("sondage-debut", value)
            wrong = "Ce code n'est pas reconnu : recopiez-le depuis votre invitation."
    return render(request, "sondage/entrer.html", {"faute": wrong}, status=400 if wrong else 200)


def start(request: HttpRequest, value: str) -> HttpResponse:
    """Show what the survey is, what becomes of answers, and where to begin."""
    invitation, refusal = _open(request, value)
    if invitation is None:
        return refusal
    return render(request, "sondage/debut.html", _context(invitation, value))


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, value: str, number: int) -> HttpResponse:
    """Show a section, or keep what was answered to it and go on."""
    invitation, refusal = _open(request, value)
    if invitation is None:
        return refusal
    questionnaire = collecte.questionnaire_of(invitation.campagne)
    if not 1 <= number <= len(questionnaire.sections):
        return redirect("sondage-debut", value)
    section = questionnaire.sections[number - 1]
    draft = collecte.read_draft(invitation, value)
    wrong: dict[str, str] = {}
    if request.method == "POST":
        kept, wrong = questionnaire.clean(section, {name: request.POST.getlist(name) for name in request.POST})
        names = {name for question in section.questions for name, _wording in question.variables()}
        draft = {name: answer for name, answer in draft.items() if name not in names} | kept
        if not wrong:
            collecte.save_draft(invitation, value, draft)
            if "plus_tard" in request.POST:
                return render(request, "sondage/garde.html", _context(invitation, value))
            if "retour" in request.POST:
                return redirect("sondage-page", value, number - 1) if number > 1 else redirect("sondage-debut", value)
            if number < len(questionnaire.sections):
                return redirect("sondage-page", value, number + 1)
            return redirect("sondage-relire", value)
    context = _context(invitation, value) | {
        "section": section,
        "numero": number,
        "total": len(questionnaire.sections),
        "champs": _fields(section, draft, wrong),
        "fautes": wrong,
    }
    return render(request, "sondage/page.html", context, status=400 if wrong else 200)


@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, value: str) -> HttpResponse:
    """Show all answers; on POST, give them for good."""
    invitation, refusal = _open(request, value)
    if invitation is None:
        return refusal
    questionnaire = collecte.questionnaire_of(invitation.campagne)
    draft = collecte.read_draft(invitation, value)
    if request.method == "POST":
        if not draft:
            return redirect("sondage-debut", value)
        if collecte.deposit(invitation, draft):
            return render(request, "sondage/merci.html", _context(invitation, value))
        return _used(request)
    context = _context(invitation, value) | {"sections": _summary(questionnaire, draft), "vide": not draft}
    return render(request, "sondage/relire.html", context)


def _open(request: HttpRequest, value: str) -> tuple[Invitation | None, HttpResponse]:
    """Return the invitation of a token that may answer now, else the page that says why not."""
    invitation = collecte.find_invitation(collecte.read_token(value))
    if invitation is None:
        if not _GUESSES.allows(str(request.META.get("packmairie.seau", ""))):
            return None, _message(request, 429, "Trop d'essais", "Réessayez dans une heure.")
        return None, _message(
            request, 404, "Invitation inconnue", "L'adresse est peut-être incomplète : recopiez-la depuis le courriel."
        )
    if invitation.utilise:
        return None, _used(request)
    if invitation.campagne.etat != Campagne.Etat.OUVERTE:
        return None, _message(
            request, 410, "Enquête fermée", "Les réponses ne sont pas, ou plus, recueillies. Merci de votre intérêt."
        )
    return invitation, HttpResponse()


def _used(request: HttpRequest) -> HttpResponse:
    return _message(
        request, 410, "Vous avez déjà répondu", "Cette invitation a servi une fois, et ne sert plus. Merci."
    )


def _message(request: HttpRequest, status: int, title: str, advice: str) -> HttpResponse:
    return render(request, "sondage/message.html", {"titre": title, "conseil": advice}, status=status)


def _context(invitation: Invitation, value: str) -> dict[str, Any]:
    campagne = invitation.campagne
    return {
        "campagne": campagne,
        "invitation": invitation,
        "jeton": value,
        "code": collecte.shown_token(collecte.read_token(value)),
        "questionnaire": collecte.questionnaire_of(campagne),
        "anonyme": campagne.mode == Campagne.Mode.ANONYME,
        "commence": bool(invitation.brouillon),
    }


def _fields(section: Section, draft: Values, wrong: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the page draws: questions, their fieldsets, what is answered already."""
    return [
        {
            "question": question,
            "lignes": [
                {
                    "nom": name,
                    "libelle": wording,
                    "faute": wrong.get(name),
                    "texte": draft.get(name, "") if question.genre == "texte" else "",
                    "options": [
                        {"code": m.code, "libelle": m.libelle, "choisi": m.code in _chosen(draft, name)}
                        for m in question.modalites
                    ],
                }
                for name, wording in question.variables()
            ],
        }
        for question in section.questions
    ]


def _chosen(draft: Values, name: str) -> Sequence[str]:
    answer = draft.get(name, [])
    return [answer] if isinstance(answer, str) else answer


def _summary(questionnaire: Questionnaire, draft: Values) -> list[dict[str, Any]]:
    return [
        {
            "numero": number,
            "titre": section.titre,
            "lignes": [
                (wording, _told(question, draft, name))
                for question in section.questions
                for name, wording in question.variables()
            ],
        }
        for number, section in enumerate(questionnaire.sections, start=1)
    ]


def _told(question: Question, draft: Values, name: str) -> str:
    if question.genre == "texte":
        return str(draft.get(name, ""))
    wordings = {m.code: m.libelle for m in question.modalites}
    return " · ".join(wordings[code] for code in _chosen(draft, name) if code in wordings)
