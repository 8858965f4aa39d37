# SPDX-License-Identifier: GPL-3.0-or-later
"""The author's journey: competence, deposit, receipt, return, messages; and what is refused."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from signalement_samples import COMMUNE, facts, receipt, world

from packmairie.portail.signalement import coffre
from packmairie.portail.signalement.competence import competent_cell
from packmairie.portail.signalement.models import Adhesion, Cellule, Membre, Morceau, SessionScellee, Signalement

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 CANARI-PIECE " + b"x" * 150_000


@pytest.fixture
def here():
    return world()


def deposit(client, **changes):
    answer = client.post("/signaler/faits/", facts(**changes))
    assert answer.status_code == 200, answer.content.decode()[:3000]
    return receipt(answer.content.decode())


def test_first_page_has_the_emergency_numbers_before_anything(client):
    page = client.get("/").content.decode()
    assert page.index("tel:17") < page.index("Faire un signalement")
    assert "tel:112" in page
    assert "tel:3919" in page
    assert client.cookies == {}


def test_whole_journey(here, client):
    assert client.get("/signaler/").status_code == 200
    asked = {"dispositif": "avdhas", "choix": COMMUNE, "mis_en_cause": "collegue"}
    page = client.post("/signaler/", asked).content.decode()
    assert "Cellule d&#x27;écoute" in page or "Cellule d&#39;écoute" in page
    pieces = [SimpleUploadedFile("../preuve secrète.pdf", PDF), SimpleUploadedFile("b.txt", b"bonjour")]
    number, code = deposit(client, pieces=pieces)
    report = Signalement.objects.get()
    assert report.accuse == report.recu
    # The receipt opened a session; the code is typed again before leaving.
    assert client.post("/suivi/code/", {"code": "7KDM-2XQH-90VB-C3TE"}).status_code == 403
    assert client.post("/suivi/code/", {"code": code.lower()}).status_code == 302
    report.refresh_from_db()
    assert report.code_confirme
    assert client.post("/suivi/fermer/").status_code == 302
    assert client.get("/suivi/").status_code == 302
    # Another device, another day.
    elsewhere = Client()
    assert elsewhere.post("/retour/", {"numero": number, "code": code}).status_code == 302
    page = elsewhere.get("/suivi/").content.decode()
    assert "CANARI-RECIT" in page
    assert "preuve secrète.pdf" in page
    assert "CANARI-NOM" in page
    rank = next(p.numero for p in report.scelles.filter(genre="piece"))
    sent = elsewhere.get(f"/suivi/document/{rank}/")
    assert b"".join(sent.streaming_content) == PDF
    assert sent["Content-Type"] == "application/octet-stream"
    assert "sandbox" in sent["Content-Security-Policy"]
    assert elsewhere.get("/suivi/document/1/").status_code == 404
    assert elsewhere.post("/suivi/ecrire/", {"quoi": "message", "texte": "Un mot de plus"}).status_code == 302
    assert elsewhere.post("/suivi/ecrire/", {"quoi": "message"}).status_code == 422
    assert elsewhere.post("/suivi/ecrire/", {"quoi": "autre"}).status_code == 400
    assert elsewhere.post("/suivi/ecrire/", {"quoi": "accord", "employeur_sait": ["faits"]}).status_code == 302
    vault = coffre.open_for_member(report, here.member.member, here.member.private)
    assert vault is not None
    assert vault.last("message_auteur")["texte"] == "Un mot de plus"
    assert vault.last("accord")["employeur_sait"] == ["faits"]


def test_competence_follows_the_adhesions_and_the_conflicts(here):
    day = date(2026, 11, 24)
    assert competent_cell(COMMUNE, "avdhas", "collegue", day).cellule == here.cell
    for accused in ("cdg", "autorite"):
        found = competent_cell(COMMUNE, "avdhas", accused, day)
        assert (found.cellule, found.verdict) == (here.spare, "deport")
    assert competent_cell(COMMUNE, "alerte", "collegue", day).verdict == "non_adherent"
    assert competent_cell(COMMUNE, "avdhas", "collegue", date(2025, 12, 31)).verdict == "non_adherent"
    assert competent_cell("99999", "avdhas", "collegue", day).verdict == "non_adherent"
    Adhesion.objects.update(fin=date(2026, 11, 24))
    assert competent_cell(COMMUNE, "avdhas", "collegue", day).cellule == here.cell
    assert competent_cell(COMMUNE, "avdhas", "collegue", date(2026, 11, 25)).verdict == "non_adherent"
    Adhesion.objects.create(cellule=here.spare, insee=COMMUNE, debut=date(2026, 11, 25))
    assert competent_cell(COMMUNE, "avdhas", "collegue", date(2026, 11, 25)).cellule == here.spare


def test_a_cell_without_a_reader_takes_nothing(here, client):
    Membre.objects.filter(cellule=here.cell).update(actif=False)
    assert client.post("/signaler/faits/", facts()).status_code == 503
    assert Signalement.objects.count() == 0


def test_a_member_added_in_the_database_receives_nothing(here, client):
    """A technician who makes himself a member has no signature of the cell."""
    from packmairie.portail.signalement.scellement import enveloppe

    pair = enveloppe.new_pair()
    intruder = Membre.objects.create(
        cellule=here.cell, identifiant="intrus", nom="Intrus", garant=True, actif=True, cle_publique=pair.public,
        confirmation=here.custodian.member.confirmation,
    )  # fmt: skip
    Membre.objects.filter(pk=here.member.member.pk).update(garant=True)
    deposit(client)
    report = Signalement.objects.get()
    assert not report.parts.filter(membre=intruder).exists()
    assert coffre.open_for_member(report, intruder, pair.private) is None
    assert not report.parts.filter(membre=here.member.member).exists(), "a role changed in the database was not signed"


def test_without_a_cell_that_stands_in_the_author_decides(here, client):
    Cellule.objects.filter(pk=here.cell.pk).update(deport=None)
    asked = {"dispositif": "avdhas", "choix": COMMUNE, "mis_en_cause": "cdg"}
    page = client.post("/signaler/", asked)
    assert "Aucune cellule extérieure" in page.content.decode()
    assert client.post("/signaler/faits/", facts(mis_en_cause="cdg")).status_code == 200
    assert Signalement.objects.count() == 0
    assert "Votre signalement" in client.post("/signaler/", {**asked, "malgre_conflit": "oui"}).content.decode()
    deposit(client, mis_en_cause="cdg", malgre_conflit="on")
    assert Signalement.objects.get().cellule == here.cell


def test_not_an_adherent(here, client):
    asked = {"dispositif": "avdhas", "choix": "59350", "mis_en_cause": "collegue"}
    page = client.post("/signaler/", asked).content.decode()
    assert "Défenseur des droits" in page
    client.post("/signaler/faits/", facts(insee="59350"))
    assert Signalement.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("virus.exe", b"MZ\x90\0", "pas accepté"),
        ("photo.jpg", b"MZ\x90\0", "ne correspond pas"),
        ("vide.pdf", b"", ""),
        ("page.html", b"<script>", "pas accepté"),
        ("texte.txt", b"a\0b", "ne correspond pas"),
        ("sansnom", b"abc", "pas accepté"),
    ],
)
def test_files_that_are_refused(here, client, name, content, said):
    answer = client.post("/signaler/faits/", facts(pieces=[SimpleUploadedFile(name, content)]))
    assert answer.status_code == 422 if said else 200
    assert said in answer.content.decode()
    assert Morceau.objects.count() == 0


def test_too_large_a_file_is_refused_and_not_kept(here, client, monkeypatch):
    from packmairie.portail.signalement.depot import televersement

    monkeypatch.setattr(televersement, "LARGEST", 100_000)
    answer = client.post("/signaler/faits/", facts(pieces=[SimpleUploadedFile("a.pdf", PDF)]))
    assert answer.status_code == 422
    assert "trop lourd" in answer.content.decode()
    many = [SimpleUploadedFile(f"{n}.txt", b"abc") for n in range(7)]
    assert client.post("/signaler/faits/", facts(pieces=many)).status_code == 422
    assert Signalement.objects.count() == 0


def test_errors_keep_what_was_written_and_say_where(here, client):
    answer = client.post("/signaler/faits/", facts(recit="", nom=""))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'href="#id_recit"' in page
    assert 'href="#id_nom"' in page
    assert "CANARI-LIEU" in page
    assert "choisissez-les de nouveau" in page


def test_anonymous_leaves_no_identity(here, client):
    deposit(client, anonyme="oui", nom="CANARI-NOM", avis="", employeur_sait=[])
    report = Signalement.objects.get()
    assert not report.scelles.filter(genre__in=("identite", "avis")).exists()
    assert client.post("/signaler/faits/", facts(anonyme="oui", employeur_sait=["identite"])).status_code == 422


def test_return_is_limited_and_says_the_same_of_all(here, client):
    number, code = deposit(client)
    wrong = "0000-0000-0000-0000"
    known = client.post("/retour/", {"numero": number, "code": wrong})
    unknown = client.post("/retour/", {"numero": "0000-0000", "code": wrong})
    assert known.status_code == unknown.status_code == 403
    tell = "Ce numéro et ce code ne vont pas ensemble"
    assert tell in known.content.decode()
    assert tell in unknown.content.decode()
    for _ in range(9):
        client.post("/retour/", {"numero": number, "code": wrong})
    assert client.post("/retour/", {"numero": number, "code": code}).status_code == 429


def test_the_same_work_for_a_number_that_does_not_exist(here, client, monkeypatch):
    from packmairie.portail.signalement.depot import enregistrement
    from packmairie.portail.signalement.scellement import derivation

    number, _code = deposit(client)
    calls = []
    real = derivation.derive
    monkeypatch.setattr(enregistrement.derivation, "derive", lambda *a: calls.append(a[2]) or real(*a))
    client.post("/retour/", {"numero": number, "code": "0" * 16})
    client.post("/retour/", {"numero": "0" * 8, "code": "0" * 16})
    assert len(calls) == 2
    assert calls[0] == calls[1]


@pytest.mark.slow
def test_a_robot_and_a_flood_are_told_to_wait(here, client):
    assert client.post("/signaler/faits/", facts(site_web="http://")).status_code == 429
    for _ in range(10):
        deposit(client)
    page = client.post("/signaler/faits/", facts())
    assert page.status_code == 429
    assert "CANARI-RECIT" in page.content.decode(), "what was written is not lost"


def test_quick_exit_forgets_everything(here, client):
    deposit(client)
    answer = client.get("/quitter/")
    assert answer.status_code == 303
    assert "wikipedia" in answer["Location"]
    assert answer.cookies["suivi"].value == ""
    assert "cookies" in answer["Clear-Site-Data"]


def test_sessions_end_and_a_stolen_row_is_useless(here, client):
    from datetime import timedelta

    from django.utils import timezone

    deposit(client)
    session = SessionScellee.objects.get()
    assert client.cookies["suivi"].value not in (session.empreinte, bytes(session.secret).hex())
    stolen = Client()
    stolen.cookies["suivi"] = session.empreinte
    assert stolen.get("/suivi/").status_code == 302
    stolen.cookies["cellule"] = client.cookies["suivi"].value
    assert stolen.get("/suivi/").status_code == 302
    SessionScellee.objects.update(vue=timezone.now() - timedelta(minutes=21))
    assert client.get("/suivi/").status_code == 302


def test_every_post_needs_its_token(here):
    strict = Client(enforce_csrf_checks=True)
    for path in ("/signaler/", "/signaler/faits/", "/retour/", "/suivi/code/", "/suivi/ecrire/", "/suivi/fermer/"):
        answer = strict.post(path, facts())
        assert answer.status_code == 403, path
        assert "Formulaire expiré" in answer.content.decode()


def test_headers_and_no_address_kept(here, client):
    answer = client.get("/", REMOTE_ADDR="203.0.113.7", HTTP_USER_AGENT="Canari/1.0")
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Robots-Tag"].startswith("noindex")
    meta = answer.wsgi_request.META
    assert "REMOTE_ADDR" not in meta
    assert "HTTP_USER_AGENT" not in meta
    assert "203.0.113.7" not in str(meta)
