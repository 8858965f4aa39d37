# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of the reporting channel. None carries anything about a report, except a random name for the cell."""

from __future__ import annotations

from django.urls import URLPattern, path

from packmairie.portail.signalement.cellule import connexion
from packmairie.portail.signalement.cellule import vues as cellule
from packmairie.portail.signalement.depot import suivi
from packmairie.portail.signalement.depot import vues as depot

urlpatterns: list[URLPattern] = [
    path("", depot.home, name="accueil"),
    path("comment/", depot.how, name="comment"),
    path("signaler/", depot.situation, name="situation"),
    path("signaler/faits/", depot.facts, name="faits"),
    path("retour/", suivi.come_back, name="retour"),
    path("suivi/", suivi.follow, name="suivi"),
    path("suivi/code/", suivi.confirm_code, name="confirmer-code"),
    path("suivi/ecrire/", suivi.act, name="suivi-ecrire"),
    path("suivi/fermer/", suivi.leave, name="suivi-fermer"),
    path("suivi/document/<int:number>/", suivi.file, name="suivi-document"),
    path("cellule/", cellule.queue, name="file"),
    path("cellule/connexion/", connexion.log_in, name="connexion"),
    path("cellule/sortir/", connexion.log_out, name="sortir"),
    path("cellule/invitation/", connexion.accept_invitation, name="invitation"),
    path("cellule/recuperation/", connexion.recover, name="recuperation"),
    path("cellule/preuve/", connexion.prove, name="preuve"),
    path("cellule/saisie/", cellule.oral, name="saisie"),
    path("cellule/equipe/", cellule.team, name="equipe"),
    path("cellule/bilan/", cellule.bilan, name="bilan"),
    path("cellule/journal/", cellule.log, name="journal"),
    path("cellule/dossier/<uuid:name>/", cellule.report, name="dossier"),
    path("cellule/dossier/<uuid:name>/identite/", cellule.identity, name="identite"),
    path("cellule/dossier/<uuid:name>/transmettre/", cellule.transmit, name="transmettre"),
    path("cellule/dossier/<uuid:name>/document/<int:number>/", cellule.file, name="dossier-document"),
    path("cellule/dossier/<uuid:name>/faire/<slug:action>/", cellule.act, name="agir"),
]
