# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of a cell: login, invitation, recovery, rescue, departure."""

import io
import re

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from signalement_cell_samples import deposit, fresh_world, log_in
from signalement_samples import PASSWORD

from packmairie.portail.signalement import coffre, comptes
from packmairie.portail.signalement.models import Enveloppe, Membre, SessionScellee
from packmairie.portail.signalement.scellement import secours

pytestmark = pytest.mark.django_db


@pytest.fixture
def here():
    return fresh_world()


def test_login_needs_both_factors_and_a_code_serves_once(here):
    client, account = Client(), here.member
    good = {"identifiant": "membre.exemple", "mot_de_passe": PASSWORD, "code": account.code()}
    for wrong in ({"mot_de_passe": "autre mot de passe"}, {"code": "000000"}, {"identifiant": "personne"}):
        answer = client.post("/cellule/connexion/", {**good, **wrong})
        assert answer.status_code == 403
        assert "Identifiant, mot de passe ou code inexact." in answer.content.decode()
    assert client.get("/cellule/").status_code == 302
    assert client.post("/cellule/connexion/", good).status_code == 302
    assert client.get("/cellule/").status_code == 200
    assert Client().post("/cellule/connexion/", good).status_code == 403, "a code is good once"
    assert client.post("/cellule/sortir/").status_code == 302
    assert client.get("/cellule/").status_code == 302
    for _ in range(8):
        Client().post("/cellule/connexion/", {**good, "code": "000000"})
    assert Client().post("/cellule/connexion/", {**good, "code": account.code()}).status_code == 429


def test_invitation_activation_confirmation(here):
    boss = log_in(here.custodian)
    new = {"quoi": "inviter", "identifiant": "nouvelle.exemple", "nom": "Nouvelle Exemple"}
    page = boss.post("/cellule/equipe/", new).content.decode()
    invitation = re.search(r'id="invitation">([^<]+)<', page).group(1)
    client = Client()
    asked = {"identifiant": "nouvelle.exemple", "secret": "0" * 28, "mot_de_passe": PASSWORD, "encore": PASSWORD}
    assert client.post("/cellule/invitation/", asked).status_code == 403
    short = {**asked, "secret": invitation, "mot_de_passe": "court", "encore": "court"}
    assert client.post("/cellule/invitation/", short).status_code == 422
    page = client.post("/cellule/invitation/", {**asked, "secret": invitation.lower()})
    assert page.status_code == 200
    text = page.content.decode()
    secret = re.search(r'la clé : <span class="code">([^<]+)<', text).group(1).replace("-", "")
    assert client.get("/cellule/").status_code == 302, "not before the proof"
    import pyotp

    assert client.post("/cellule/preuve/", {"mot_de_passe": PASSWORD, "code": "000000"}).status_code == 403
    assert (
        client.post("/cellule/preuve/", {"mot_de_passe": PASSWORD, "code": pyotp.TOTP(secret).now()}).status_code == 302
    )
    assert "attend d'être confirmé" in client.get("/cellule/").content.decode().replace("&#x27;", "'")
    before, _author = deposit()
    row = Membre.objects.get(identifiant="nouvelle.exemple")
    assert not before.parts.filter(membre=row).exists()
    assert client.post("/cellule/equipe/", {"quoi": "confirmer", "membre": row.pk}).status_code == 403
    assert boss.post("/cellule/equipe/", {"quoi": "confirmer", "membre": row.pk}).status_code == 200
    after, _author = deposit()
    assert after.parts.filter(membre=row, enveloppe="faits").exists()
    assert Client().post("/cellule/invitation/", {**asked, "secret": invitation}).status_code == 403, "used once"
    boss.post("/cellule/equipe/", {"quoi": "partir", "membre": row.pk})
    assert not after.parts.filter(membre=row).exists()
    assert client.get("/cellule/").status_code == 302
    page = boss.post("/cellule/equipe/", {"quoi": "reinviter", "membre": row.pk}).content.decode()
    again = re.search(r'id="invitation">([^<]+)<', page).group(1)
    assert comptes.invited("nouvelle.exemple", again) is not None


def test_recovery_with_the_printed_code_reads_old_reports_again(here):
    report, _author = deposit()
    client = Client()
    new = "un tout autre mot de passe"
    asked = {"identifiant": "garant.exemple", "secret": "0" * 28, "mot_de_passe": new, "encore": new}
    assert client.post("/cellule/recuperation/", asked).status_code == 403
    page = client.post("/cellule/recuperation/", {**asked, "secret": here.custodian.recovery}).content.decode()
    secret = re.search(r'la clé : <span class="code">([^<]+)<', page).group(1).replace("-", "")
    import pyotp

    assert client.post("/cellule/preuve/", {"mot_de_passe": new, "code": pyotp.TOTP(secret).now()}).status_code == 302
    assert "CANARI-RECIT" in client.get(f"/cellule/dossier/{report.pk}/").content.decode()
    again = Client().post("/cellule/recuperation/", {**asked, "secret": here.custodian.recovery})
    assert again.status_code == 403, "the old recovery code is dead"


def test_rescue_key_gives_reports_back(here, monkeypatch):
    report, _author = deposit()
    report.parts.filter(destinataire="membre").delete()
    assert coffre.open_for_member(report, here.custodian.member, here.custodian.private) is None
    monkeypatch.setattr("sys.stdin", io.StringIO(secours.new_rescue()[0] + "\n"))
    with pytest.raises(CommandError, match="coffre"):
        call_command("secours_rouvrir", "garant.exemple")
    monkeypatch.setattr("sys.stdin", io.StringIO(here.rescue + "\n"))
    call_command("secours_rouvrir", "garant.exemple", stdout=io.StringIO())
    vault = coffre.open_for_member(report, here.custodian.member, here.custodian.private)
    assert vault.last("identite", Enveloppe.IDENTITE)["nom"] == "CANARI-NOM"


def test_a_session_of_a_member_who_left_is_over(here):
    client = log_in(here.member)
    comptes.dismiss(here.custodian.member, here.member.member)
    assert client.get("/cellule/").status_code == 302
    assert not SessionScellee.objects.filter(membre=here.member.member).exists()
