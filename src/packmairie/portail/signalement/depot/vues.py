# SPDX-License-Identifier: GPL-3.0-or-later
"""The journey of an author: from the emergency numbers to the receipt. No account, no script."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from packmairie.portail.projet.cadence import Cadence
from packmairie.portail.signalement import sessions
from packmairie.portail.signalement.competence import Competence, commune, competent_cell
from packmairie.portail.signalement.depot.enregistrement import Depot, NoReader, deposit
from packmairie.portail.signalement.depot.formulaires import CodeForm, FactsForm, SituationForm
from packmairie.portail.signalement.depot.recus import receipt_text
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.scellement import code as codes

DEPOSITS = Cadence(10, 3600)
"""Deposits of one origin in an hour; an agent who shares the address of a mairie is never alone to use it."""
ALL_DEPOSITS = Cadence(200, 3600)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the emergency numbers first, then what the service is."""
    return render(request, "signalement/accueil.html")


@require_safe
def how(request: HttpRequest) -> HttpResponse:
    """Tell how a report is protected and what becomes of it."""
    return render(request, "signalement/comment.html")


@require_http_methods(["GET", "POST"])
def situation(request: HttpRequest) -> HttpResponse:
    """Ask for the commune and who is accused; then show the form of the competent cell, or why there is none."""
    if request.method != "POST":
        return render(request, "signalement/situation.html", {"form": SituationForm()})
    data = request.POST.copy()
    if data.get("choix"):
        data["commune"] = str(data["choix"])
    form = SituationForm(data)
    if not form.is_valid():
        communes = getattr(form, "candidates", [])
        return render(request, "signalement/situation.html", {"form": form, "communes": communes}, status=422)
    asked = form.cleaned_data
    accepted = data.get("malgre_conflit") == "oui"
    found = _competence(asked["commune"], asked["dispositif"], asked["mis_en_cause"], accepted)
    if found.cellule is None:
        return _nobody(request, found, asked["commune"], form)
    start = {
        "insee": asked["commune"], "dispositif": asked["dispositif"], "mis_en_cause": asked["mis_en_cause"],
        "malgre_conflit": accepted, "anonyme": "oui",
    }  # fmt: skip
    return _facts_page(request, FactsForm(initial=start, dispositif=asked["dispositif"]), found, asked["commune"])


def _competence(insee: str, dispositif: str, accused: str, accepted: bool) -> Competence:
    return competent_cell(insee, dispositif, accused, timezone.localdate(), accept_conflict=accepted)


def _nobody(request: HttpRequest, found: Competence, insee: str, form: Any = None) -> HttpResponse:
    context = {"verdict": found.verdict, "commune": commune(insee), "form": form}
    return render(request, "signalement/personne.html", context, status=503 if found.verdict == "indisponible" else 200)


def _facts_page(  # noqa: PLR0917 - private, and called in four places
    request: HttpRequest, form: FactsForm, found: Competence, insee: str, status: int = 200, notice: str = ""
) -> HttpResponse:
    groups = [(title, [form[name] for name in names]) for title, names in form.groups]
    context = {
        "form": form, "groupes": groups, "cellule": found.cellule, "verdict": found.verdict, "commune": commune(insee),
        "hors_delai": words.NOT_ELIGIBLE, "avertissement": notice,
    }  # fmt: skip
    return render(request, "signalement/faits.html", context, status=status)


@sensitive_post_parameters()
@require_http_methods(["POST"])
def facts(request: HttpRequest) -> HttpResponse:
    """Receive a report: seal it, and show its receipt and its code, once."""
    form = FactsForm(request.POST, request.FILES, dispositif=str(request.POST.get("dispositif", "")))
    valid = form.is_valid()
    asked = form.cleaned_data
    if not all(asked.get(name) for name in ("insee", "dispositif", "mis_en_cause")):
        return HttpResponseRedirect(reverse("situation"))
    found = _competence(asked["insee"], asked["dispositif"], asked["mis_en_cause"], bool(asked.get("malgre_conflit")))
    if found.cellule is None:
        return _nobody(request, found, asked["insee"])
    if not valid:
        return _facts_page(request, form, found, asked["insee"], status=422)
    if form.trapped() or not (DEPOSITS.allows(request.META["packmairie.seau"]) and ALL_DEPOSITS.allows("")):
        notice = "Trop de signalements arrivent en ce moment. Le vôtre n'est pas encore enregistré : gardez cette page"
        return _facts_page(
            request,
            form,
            found,
            asked["insee"],
            429,
            f"{notice} ouverte et envoyez-la de nouveau dans quelques minutes.",
        )
    try:
        made = deposit(
            Depot(found.cellule, asked["dispositif"], form.facts(), form.identity(), asked["avis"], asked["pieces"]),
            timezone.localtime(),
        )
    except NoReader:
        return _nobody(request, Competence(None, "indisponible"), asked["insee"])
    context = {
        "repere": codes.groups(made.repere), "code": codes.groups(made.code), "form": CodeForm(),
        "cellule": found.cellule, "recu": timezone.localtime(),
        "texte": receipt_text(made.repere, made.code, found.cellule, timezone.localtime()),
    }  # fmt: skip
    response = render(request, "signalement/recepisse.html", context)
    sessions.start(response, made.private, report=made.signalement)
    return response
