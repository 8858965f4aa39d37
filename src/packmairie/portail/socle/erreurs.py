# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages without content of their own: errors, the quick way out, the accessibility statement. None shows data."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render


def _error(request: HttpRequest, status: int, title: str, advice: str) -> HttpResponse:
    return render(request, "socle/erreur.html", {"titre": title, "conseil": advice}, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400."""
    return _error(request, 400, "Demande incomprise", "Revenez en arrière, puis envoyez de nouveau le formulaire.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 403."""
    return _error(request, 403, "Accès refusé", "Cette page est réservée à d'autres personnes.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that does not come from a page of this site, or from one that is too old."""
    return _error(
        request,
        403,
        "Formulaire expiré",
        "Rechargez la page du formulaire, puis envoyez-le de nouveau. Les cookies"
        " de ce site doivent être acceptés : ils ne servent qu'à protéger l'envoi et disparaissent à la fermeture.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404."""
    return _error(request, 404, "Page introuvable", "L'adresse est peut-être incomplète.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500. Nothing that was sent is shown or kept."""
    return _error(
        request,
        500,
        "Service momentanément indisponible",
        "Rien n'a été enregistré de ce que vous venez d'envoyer. Réessayez dans quelques minutes.",
    )


def leave(request: HttpRequest) -> HttpResponse:
    """Quick exit: forget everything in this browser, and go to a page that means nothing."""
    response = HttpResponseRedirect(settings.CONFIGURATION.sortie, status=303)
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    for name in request.COOKIES:
        response.delete_cookie(name)
    return response


def accessibility(request: HttpRequest) -> HttpResponse:
    """Show the accessibility statement."""
    return render(request, "socle/accessibilite.html")
