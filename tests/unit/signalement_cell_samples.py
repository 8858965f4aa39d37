# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member of a cell does, and the reports that are sent to it."""

from django.test import Client
from signalement_samples import PASSWORD, World, facts, receipt, world

from packmairie.portail.signalement.cellule import connexion
from packmairie.portail.signalement.models import Signalement

REASON = "Convenir d'un entretien demandé par l'auteur"


def fresh_world() -> World:
    """Return the two cells, to which nobody has tried to log in yet."""
    connexion.TRIES_OF_A_LOGIN.forget()
    connexion.TRIES_OF_AN_ORIGIN.forget()
    return world()


def log_in(account):
    """Return a client who is logged in as a member."""
    client = Client()
    asked = {"identifiant": account.member.identifiant, "mot_de_passe": PASSWORD, "code": account.code()}
    answer = client.post("/cellule/connexion/", asked)
    assert answer.status_code == 302, answer.content.decode()
    return client


def deposit(**changes):
    """Send a report; return it with its author's client."""
    client = Client()
    answer = client.post("/signaler/faits/", facts(**changes))
    assert answer.status_code == 200
    return Signalement.objects.get(repere=receipt(answer.content.decode())[0].replace("-", "")), client


def do(client, report, action, **asked):
    """Do something to a report as a member."""
    return client.post(f"/cellule/dossier/{report.pk}/faire/{action}/", asked)
