# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of the surveys."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path

from packmairie.portail.sondage.vues import gestion, repondre, resultats

urlpatterns: list[URLPattern] = [
    path("", repondre.enter, name="sondage-entrer"),
    path("r/<str:value>/", repondre.start, name="sondage-debut"),
    path("r/<str:value>/<int:number>/", repondre.page, name="sondage-page"),
    path("r/<str:value>/relire/", repondre.review, name="sondage-relire"),
    path("gestion/", gestion.campaigns, name="sondage-gestion"),
    path("gestion/connexion/", gestion.Connexion.as_view(), name="sondage-connexion"),
    path("gestion/sortie/", LogoutView.as_view(next_page="sondage-connexion"), name="sondage-sortie"),
    path("gestion/nouvelle/", gestion.create, name="sondage-nouvelle"),
    path("gestion/<int:number>/", gestion.campaign, name="sondage-campagne"),
    path("gestion/<int:number>/action/", gestion.act, name="sondage-action"),
    path("gestion/<int:number>/lettres/", gestion.letters, name="sondage-lettres"),
    path("gestion/<int:number>/remplacer/<int:invitation>/", gestion.replace, name="sondage-remplacer"),
    path("gestion/<int:number>/saisir/<int:invitation>/", gestion.enter_for, name="sondage-saisir"),
    path("gestion/<int:number>/depouiller/", gestion.open_box, name="sondage-depouiller"),
    path("gestion/<int:number>/reponses.csv", resultats.answers, name="sondage-reponses"),
    path("gestion/<int:number>/verbatims/", resultats.texts, name="sondage-verbatims"),
    path("resultats/<int:number>/", resultats.show, name="sondage-resultats"),
    path("resultats/<int:number>/<str:name>", resultats.file, name="sondage-fichier"),
]
