# SPDX-License-Identifier: GPL-3.0-or-later
"""Members at the door: invitation, activation, login, recovery."""

from __future__ import annotations

import segno
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from packmairie.portail.projet.cadence import Cadence
from packmairie.portail.signalement import comptes, journal, sessions
from packmairie.portail.signalement.cellule.formulaires import LoginForm, NewPasswordForm, RecoveryForm, TotpForm
from packmairie.portail.signalement.comptes import Materiel
from packmairie.portail.signalement.models import Membre
from packmairie.portail.signalement.scellement import code as codes
from packmairie.portail.signalement.sessions import MEMBER_COOKIE

TRIES_OF_A_LOGIN = Cadence(8, 900)
TRIES_OF_AN_ORIGIN = Cadence(30, 900)
WRONG = "Identifiant, mot de passe ou code inexact."
TOO_MANY = "Trop d'essais. Attendez un quart d'heure."


def _allowed(request: HttpRequest, login: str) -> bool:
    return TRIES_OF_AN_ORIGIN.allows(request.META["packmairie.seau"]) and TRIES_OF_A_LOGIN.allows(login)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Ask for login, password and code."""
    form = LoginForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            asked = form.cleaned_data
            allowed = _allowed(request, asked["identifiant"])
            here = comptes.log_in(asked["identifiant"], asked["mot_de_passe"], asked["code"]) if allowed else None
            if here:
                TRIES_OF_A_LOGIN.forget(asked["identifiant"])
                journal.write(here.membre.cellule, here.membre, "connexion")
                response = HttpResponseRedirect(reverse("file"))
                sessions.start(response, here.private, member=here.membre)
                return response
            status = 403 if allowed else 429
            form.add_error(None, WRONG if allowed else TOO_MANY)
    return render(request, "signalement/cellule/connexion.html", {"form": form}, status=status)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """Close the session."""
    response = HttpResponseRedirect(reverse("connexion"))
    sessions.end(request, response, MEMBER_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@sensitive_variables("made")
def _material_page(request: HttpRequest, member: Membre, made: Materiel) -> HttpResponse:
    """Show once the QR code and the recovery code, and wait for the proof that both work."""
    picture = segno.make(comptes.totp_uri(member, made.totp), error="m")
    context = {
        "qr": picture.svg_data_uri(scale=5, border=2), "secret": codes.groups(made.totp),
        "recuperation": codes.groups(made.recuperation), "form": TotpForm(), "membre": member,
    }  # fmt: skip
    response = render(request, "signalement/cellule/totp.html", context)
    sessions.start(response, made.private, member=member, activation=True)
    return response


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def accept_invitation(request: HttpRequest) -> HttpResponse:
    """Let an invited member choose a password."""
    form = NewPasswordForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            asked = form.cleaned_data
            allowed = _allowed(request, asked["identifiant"])
            member = comptes.invited(asked["identifiant"], asked["secret"]) if allowed else None
            if member:
                return _material_page(request, member, comptes.set_password(member, asked["mot_de_passe"]))
            status = 403 if allowed else 429
            form.add_error(None, "Cette invitation n'est pas valable, ou ne l'est plus." if allowed else TOO_MANY)
    context = {"form": form, "titre": "Accepter une invitation"}
    return render(request, "signalement/cellule/mot_de_passe.html", context, status=status)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def recover(request: HttpRequest) -> HttpResponse:
    """Let a member who lost his password or his telephone come back with his printed code."""
    form = RecoveryForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            asked = form.cleaned_data
            allowed = _allowed(request, asked["identifiant"])
            made = comptes.recover(asked["identifiant"], asked["secret"], asked["mot_de_passe"]) if allowed else None
            if made:
                return _material_page(request, *made)
            status = 403 if allowed else 429
            form.add_error(None, "Identifiant ou code de récupération inexact." if allowed else TOO_MANY)
    context = {"form": form, "titre": "Mot de passe ou téléphone perdu"}
    return render(request, "signalement/cellule/mot_de_passe.html", context, status=status)


@sensitive_post_parameters()
@require_POST
def prove(request: HttpRequest) -> HttpResponse:
    """Check the first TOTP code, and open the account."""
    access = sessions.current(request, MEMBER_COOKIE)
    if access is None or not access.session.activation:
        return HttpResponseRedirect(reverse("connexion"))
    member = access.membre
    form = TotpForm(request.POST)
    status = 422
    if form.is_valid():
        allowed = _allowed(request, member.identifiant)
        asked = form.cleaned_data
        here = (
            comptes.log_in(member.identifiant, asked["mot_de_passe"], asked["code"], activation=True)
            if allowed
            else None
        )
        if here:
            if not here.membre.actif:
                comptes.activate(here.membre, here.private)
            response = HttpResponseRedirect(reverse("file"))
            sessions.end(request, response, MEMBER_COOKIE)
            sessions.start(response, here.private, member=here.membre)
            return response
        status = 403 if allowed else 429
        form.add_error(None, "Mot de passe ou code inexact." if allowed else TOO_MANY)
    return render(request, "signalement/cellule/totp.html", {"form": form, "membre": member}, status=status)
