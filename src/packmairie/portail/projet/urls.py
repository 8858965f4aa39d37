# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of the portal; each application keeps its own."""

from __future__ import annotations

from django.urls import include, path

from packmairie.portail.socle import erreurs

urlpatterns = [
    path("quitter/", erreurs.leave, name="quitter"),
    path("accessibilite/", erreurs.accessibility, name="accessibilite"),
    path("sondage/", include("packmairie.portail.sondage.urls")),
    path("", include("packmairie.portail.signalement.urls")),
]
handler400 = erreurs.bad_request
handler403 = erreurs.forbidden
handler404 = erreurs.not_found
handler500 = erreurs.server_error
