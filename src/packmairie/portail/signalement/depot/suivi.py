# SPDX-License-Identifier: GPL-3.0-or-later
"""The author comes back: number and code, then reading and writing."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from packmairie.portail.projet.cadence import Cadence
from packmairie.portail.signalement import coffre, journal, sessions
from packmairie.portail.signalement.coffre import Coffre
from packmairie.portail.signalement.couts import code_cost
from packmairie.portail.signalement.depot.enregistrement import author_key, store_file
from packmairie.portail.signalement.depot.formulaires import (
    CodeForm,
    ConsentForm,
    IdentityForm,
    MessageForm,
    ReturnForm,
    facts_for_reading,
)
from packmairie.portail.signalement.fichiers import download
from packmairie.portail.signalement.models import Enveloppe, Signalement
from packmairie.portail.signalement.scellement import derivation
from packmairie.portail.signalement.scellement import enveloppe as sealing
from packmairie.portail.signalement.sessions import AUTHOR_COOKIE

TRIES_OF_A_REPORT = Cadence(10, 900)
TRIES_OF_AN_ORIGIN = Cadence(20, 900)
ALL_TRIES = Cadence(600, 900)
WRONG = "Ce numéro et ce code ne vont pas ensemble. Vérifiez chaque groupe de lettres."
TOO_MANY = "Trop d'essais. Attendez un quart d'heure, puis recommencez."


def _private_key(number: str, code: str) -> tuple[Signalement, bytes] | None:
    """Given a number and a code, return the report and the author's key; the same work whether or not it exists."""
    report = Signalement.objects.filter(repere=number).first()
    if report is None:
        decoy = hmac.digest(settings.SECRET_KEY.encode(), number.encode(), "sha256")[: derivation.SALT]
        sealing.pair_from(author_key(code, decoy, str(code_cost())))
        return None
    private = author_key(code, bytes(report.sel), report.cout)
    right = hmac.compare_digest(sealing.pair_from(private).public, bytes(report.cle_auteur))
    return (report, private) if right else None


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def come_back(request: HttpRequest) -> HttpResponse:
    """Ask for the number and the code, and open the report."""
    if request.method != "POST":
        return render(request, "signalement/retour.html", {"form": ReturnForm()})
    form = ReturnForm(request.POST)
    status = 422
    if form.is_valid():
        number = form.cleaned_data["numero"]
        allowed = (
            TRIES_OF_AN_ORIGIN.allows(request.META["packmairie.seau"])
            and TRIES_OF_A_REPORT.allows(number)
            and ALL_TRIES.allows("")
        )
        opened = _private_key(number, form.cleaned_data["code"]) if allowed else None
        if opened:
            report, private = opened
            TRIES_OF_A_REPORT.forget(number)
            if not report.code_confirme:
                Signalement.objects.filter(pk=report.pk).update(code_confirme=True)
            response = HttpResponseRedirect(reverse("suivi"))
            sessions.start(response, private, report=report)
            return response
        status = 403 if allowed else 429
        form.add_error(None, WRONG if allowed else TOO_MANY)
    return render(request, "signalement/retour.html", {"form": form}, status=status)


def _here(request: HttpRequest) -> tuple[Signalement, Coffre, bytes] | None:
    access = sessions.current(request, AUTHOR_COOKIE)
    if access is None:
        return None
    vault = coffre.open_for_author(access.signalement, access.private)
    return (access.signalement, vault, access.private) if vault else None


def _gone() -> HttpResponse:
    return HttpResponseRedirect(reverse("retour"))


@sensitive_post_parameters()
@require_POST
def confirm_code(request: HttpRequest) -> HttpResponse:
    """Check the code that the author has just noted, before he leaves the receipt."""
    here = _here(request)
    if here is None:
        return _gone()
    report, _vault, private = here
    form = CodeForm(request.POST)
    status = 422
    if form.is_valid() and TRIES_OF_A_REPORT.allows(report.repere):
        if hmac.compare_digest(author_key(form.cleaned_data["code"], bytes(report.sel), report.cout), private):
            Signalement.objects.filter(pk=report.pk).update(code_confirme=True)
            return HttpResponseRedirect(reverse("suivi"))
        status = 403
        form.add_error("code", "Ce n'est pas le code affiché. Comparez groupe par groupe, puis recommencez.")
    elif form.is_valid():
        status = 429
        form.add_error("code", TOO_MANY)
    return render(request, "signalement/code_a_revoir.html", {"form": form}, status=status)


def _page(request: HttpRequest, report: Signalement, vault: Coffre, status: int = 200, **forms: object) -> HttpResponse:
    facts = vault.last("faits") or {}
    allowed = (vault.last("accord") or facts).get("employeur_sait", [])
    context = {
        "signalement": report, "faits": facts_for_reading({**facts, "employeur_sait": allowed}, report.dispositif),
        "fil": thread(vault), "pieces": vault.all("piece", boxes=(Enveloppe.FAITS,)),
        "identite": vault.last("identite", Enveloppe.IDENTITE), "recu": facts.get("recu", ""),
        "message": MessageForm(),
        "accord": ConsentForm(
            initial={"employeur_sait": allowed}
        ),
        "nom": IdentityForm(), "oral": report.origine != "web", "valide": vault.last("validation"), **forms,
    }  # fmt: skip
    return render(request, "signalement/suivi.html", context, status=status)


def thread(vault: Coffre) -> list[dict[str, object]]:
    """Given an open vault, return states and messages in order: who, when, what."""
    kinds = {
        "message_auteur": "Vous",
        "message_cellule": "La cellule",
        "etat": "La cellule",
        "orientation": "La cellule",
        "transmission": "La cellule",
    }
    return [
        {"qui": kinds[item.genre], "genre": item.genre, **item.contenu}
        for item in vault.all(*kinds, boxes=(Enveloppe.FAITS,))
    ]


@require_safe
def follow(request: HttpRequest) -> HttpResponse:
    """Show the report to its author: states, messages, documents."""
    here = _here(request)
    return _page(request, here[0], here[1]) if here else _gone()


@sensitive_post_parameters()
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Receive a message, another consent, a name given later, or the validation of an oral report."""
    here = _here(request)
    if here is None:
        return _gone()
    report, vault, _private = here
    today = timezone.localdate()
    what = request.POST.get("quoi", "")
    if what == "message":
        form = MessageForm(request.POST, request.FILES)
        if not form.is_valid():
            return _page(request, report, vault, 422, message=form)
        if form.cleaned_data["texte"]:
            content = {"texte": form.cleaned_data["texte"], "jour": today.isoformat()}
            coffre.put(report, Enveloppe.FAITS, "message_auteur", content)
        for file in form.cleaned_data["pieces"]:
            store_file(report, file, by="auteur")
        journal.write(report.cellule, journal.AUTHOR, "message de l'auteur", report)
    elif what == "accord":
        consent = ConsentForm(request.POST)
        if not consent.is_valid():
            return _page(request, report, vault, 422, accord=consent)
        content = {"employeur_sait": consent.cleaned_data["employeur_sait"], "jour": today.isoformat()}
        coffre.put(report, Enveloppe.FAITS, "accord", content)
        journal.write(report.cellule, journal.AUTHOR, "accord modifié", report)
    elif what == "identite":
        name = IdentityForm(request.POST)
        if not name.is_valid():
            return _page(request, report, vault, 422, nom=name)
        coffre.put(report, Enveloppe.IDENTITE, "identite", name.cleaned_data)
        journal.write(report.cellule, journal.AUTHOR, "identité donnée", report)
    elif what == "valider":
        coffre.put(report, Enveloppe.FAITS, "validation", {"jour": today.isoformat()})
        journal.write(report.cellule, journal.AUTHOR, "transcription validée", report)
    else:
        return _page(request, report, vault, 400)
    Signalement.objects.filter(pk=report.pk).update(auteur_a_ecrit=today)
    return HttpResponseRedirect(reverse("suivi"))


@require_safe
def file(request: HttpRequest, number: int) -> HttpResponseBase:
    """Send a document of the report to its author."""
    here = _here(request)
    if here is None:
        return _gone()
    _report, vault, _private = here
    found = next((p for p in vault.all("piece", boxes=(Enveloppe.FAITS,)) if p.numero == number), None)
    if found is None:
        raise Http404
    answer: StreamingHttpResponse = download(found)
    return answer


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Close the author's session."""
    response = HttpResponseRedirect(reverse("accueil"))
    sessions.end(request, response, AUTHOR_COOKIE)
    return response
