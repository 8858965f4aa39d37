# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cell does with reports: queue, states, identity, assignment, transmission, oral reports, log, bilan."""

import io
import subprocess
import uuid
import zipfile
from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from signalement_cell_samples import REASON, deposit, do, fresh_world, log_in
from signalement_samples import facts, receipt

from packmairie.portail.signalement import coffre, journal
from packmairie.portail.signalement.cellule import bilan
from packmairie.portail.signalement.models import Enveloppe, Journal, LigneStatistique, Scelle, Signalement
from packmairie.portail.signalement.scellement import secours
from packmairie.portail.signalement.scellement.enveloppe import Unreadable

pytestmark = pytest.mark.django_db


@pytest.fixture
def here():
    return fresh_world()


def test_idor_matrix(here):
    """Each page of a report × who is not entitled to it: never the content, never a difference."""
    report, _author = deposit(pieces=[SimpleUploadedFile("a.txt", b"CANARI-PIECE")])
    rank = report.scelles.get(genre="piece").numero
    base = f"/cellule/dossier/{report.pk}"
    gets = [f"{base}/", f"{base}/document/{rank}/"]
    posts = [f"{base}/identite/", f"{base}/transmettre/"]
    posts += [
        f"{base}/faire/{a}/" for a in ("message", "etat", "note", "qualification", "mesure", "affecter", "entretien")
    ]
    neighbour = log_in(here.other)
    other, author = deposit()
    here.member.member.parts.filter(signalement=report).delete()
    withdrawn = log_in(here.member)
    count = Scelle.objects.count()
    for client, expected in ((Client(), 302), (author, 302), (neighbour, 404), (withdrawn, 404)):
        for path in gets:
            answer = client.get(path)
            assert answer.status_code == expected, path
            assert b"CANARI" not in answer.content
        for path in posts:
            answer = client.post(path, {"texte": "x", "motif": REASON, "etat": "recevable"})
            assert answer.status_code == expected, path
    assert neighbour.get(f"/cellule/dossier/{uuid.uuid4()}/").status_code == 404
    assert Scelle.objects.count() == count
    author_number = other.scelles.first().numero
    assert author.get(f"/suivi/document/{author_number}/").status_code == 404


def test_every_post_of_the_cell_needs_its_token(here):
    report, _author = deposit()
    strict = Client(enforce_csrf_checks=True)
    base = f"/cellule/dossier/{report.pk}"
    paths = ["connexion", "sortir", "invitation", "recuperation", "preuve", "saisie", "equipe"]
    for path in [f"/cellule/{p}/" for p in paths] + [
        f"{base}/identite/",
        f"{base}/transmettre/",
        f"{base}/faire/note/",
    ]:
        assert strict.post(path, {}).status_code == 403, path


def test_identity_needs_the_key_a_motive_and_leaves_a_trace(here):
    report, _author = deposit()
    member, custodian = log_in(here.member), log_in(here.custodian)
    assert "CANARI-NOM" not in member.get(f"/cellule/dossier/{report.pk}/").content.decode()
    assert member.post(f"/cellule/dossier/{report.pk}/identite/", {"motif": REASON}).status_code == 403
    # Not a rule of the program: there is no part for him, and the envelope does not open with what he has.
    vault = coffre.open_for_member(report, here.member.member, here.member.private)
    assert not vault.opens(Enveloppe.IDENTITE)
    stolen = coffre.Coffre(report, {"identite": vault.key("faits")})
    with pytest.raises(Unreadable):
        stolen.last("identite", Enveloppe.IDENTITE)
    page = custodian.get(f"/cellule/dossier/{report.pk}/").content.decode()
    assert "CANARI-NOM" not in page
    assert custodian.post(f"/cellule/dossier/{report.pk}/identite/", {"motif": "court"}).status_code == 422
    page = custodian.post(f"/cellule/dossier/{report.pk}/identite/", {"motif": REASON}).content.decode()
    assert "CANARI-NOM" in page
    assert Journal.objects.filter(action="identité ouverte", acteur="garant.exemple").count() == 1
    assert "Convenir" in member.get(f"/cellule/dossier/{report.pk}/").content.decode(), "the others read the motive"


def test_the_author_never_reads_what_is_internal(here):
    report, author = deposit()
    member = log_in(here.member)
    assert do(member, report, "note", texte="NOTE-INTERNE").status_code == 302
    assert do(member, report, "qualification", categorie="menace", motif="QUALIF").status_code == 302
    asked = {"mesure": "urgence", "etat_mesure": "demandee", "jour": "2026-11-24", "precision": "MESURE"}
    assert do(member, report, "mesure", **asked).status_code == 302
    assert do(member, report, "orientation", vers="psychologue", precision="03 00 00 00 00").status_code == 302
    assert do(member, report, "message", texte="MESSAGE-LU").status_code == 302
    page = author.get("/suivi/").content.decode()
    assert "MESSAGE-LU" in page
    assert "03 00 00 00 00" in page
    for hidden in ("NOTE-INTERNE", "QUALIF", "MESURE"):
        assert hidden not in page
    page = member.get(f"/cellule/dossier/{report.pk}/").content.decode()
    for shown in ("NOTE-INTERNE", "MESURE", "Selon la cellule"):
        assert shown in page
    assert not report.parts.filter(enveloppe="interne", destinataire="auteur").exists()
    report.refresh_from_db()
    assert report.retour == timezone.localdate()


def test_states_follow_each_other_and_closing_leaves_one_anonymous_line(here):
    report, author = deposit()
    member = log_in(here.member)
    assert do(member, report, "etat", etat="clos", issue="sans_suite").status_code == 422, "not from there"
    assert do(member, report, "etat", etat="recevable", explication="Nous vous lisons.").status_code == 302
    assert "Nous vous lisons." in author.get("/suivi/").content.decode()
    assert do(member, report, "etat", etat="clos").status_code == 422, "a closing has an outcome"
    do(member, report, "qualification", categorie="menace", motif="")
    assert do(member, report, "etat", etat="clos", issue="sans_suite").status_code == 302
    line = LigneStatistique.objects.get()
    assert (line.categorie, line.issue, line.taille) == ("menace", "sans_suite", "moins de 100 hab.")
    report.refresh_from_db()
    assert report.purge_prevue == timezone.localdate() + timedelta(days=60)
    assert do(member, report, "etat", etat="recevable").status_code == 422


def test_assignment_takes_the_keys_away(here):
    report, _author = deposit()
    custodian = log_in(here.custodian)
    pks = [here.member.member.pk]
    assert do(custodian, report, "affecter", membres=pks).status_code == 409, "a custodian must stay"
    assert do(custodian, report, "affecter", membres=[here.other.member.pk]).status_code == 422
    assert do(custodian, report, "affecter", membres=[here.custodian.member.pk]).status_code == 302
    assert coffre.open_for_member(report, here.member.member, here.member.private) is None
    assert "confiés à" in log_in(here.member).get("/cellule/").content.decode()
    pks.append(here.custodian.member.pk)
    assert do(custodian, report, "affecter", membres=pks).status_code == 302
    again = coffre.open_for_member(report, here.member.member, here.member.private)
    assert again.opens("faits")
    assert not again.opens("identite")


def open_export(answer, phrase):
    archive = zipfile.ZipFile(io.BytesIO(secours.open_with_passphrase(answer.content, phrase)))
    return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
def test_transmission_never_goes_beyond_the_consent(here, tmp_path):
    report, author = deposit(employeur_sait=["existence", "categorie"], pieces=[SimpleUploadedFile("a.txt", b"PIECE")])
    custodian = log_in(here.custodian)
    path, phrase = f"/cellule/dossier/{report.pk}/transmettre/", "phrase assez longue"
    asked = {"destinataire": "Mme la Maire", "phrase": phrase, "avis_cellule": "Agir vite"}
    for beyond in ("faits", "personnes", "pieces", "identite"):
        assert custodian.post(path, {**asked, "elements": ["existence", beyond]}).status_code == 422
    assert custodian.post(path, asked).status_code == 422
    files = open_export(custodian.post(path, {**asked, "elements": ["existence", "categorie"]}), phrase)
    text = b"".join(files.values()).decode("latin-1")
    for hidden in ("CANARI", "PIECE"):
        assert hidden not in text
    assert "Harcèlement moral" in files["RAPPORT.txt"].decode()
    report.refresh_from_db()
    assert report.etat == "accuse", "not examined yet: the state does not jump"
    assert "Transmis à Mme la Maire" in author.get("/suivi/").content.decode()
    # The author accepts more, then OpenSSL and sha256sum verify what was produced.
    everything = ["existence", "categorie", "faits", "personnes", "pieces", "identite"]
    author.post("/suivi/ecrire/", {"quoi": "accord", "employeur_sait": everything})
    member = log_in(here.member)
    assert member.post(path, {**asked, "elements": everything}).status_code == 409, "no key for the identity"
    files = open_export(custodian.post(path, {**asked, "elements": everything}), phrase)
    assert "CANARI-NOM" in files["RAPPORT.txt"].decode()
    assert "CANARI-RECIT" in files["RAPPORT.txt"].decode()
    assert any(data == b"PIECE" for data in files.values())
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    subprocess.run(["sha256sum", "-c", "MANIFESTE.sha256"], cwd=tmp_path, check=True, capture_output=True)
    command = (
        "openssl pkeyutl -verify -pubin -inkey CLE_PUBLIQUE.pem -rawin -in MANIFESTE.sha256 -sigfile MANIFESTE.sig"
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    # The author withdraws: nothing more may go.
    author.post("/suivi/ecrire/", {"quoi": "accord"})
    assert custodian.post(path, {**asked, "elements": ["existence"]}).status_code == 422


def test_oral_report_is_validated_by_its_author(here):
    member = log_in(here.member)
    assert member.get("/cellule/saisie/").status_code == 200
    page = member.post("/cellule/saisie/", {**facts(origine="oral"), "insee": "59350"})
    assert page.status_code == 422
    page = member.post("/cellule/saisie/", facts(origine="oral"))
    assert page.status_code == 200, page.content.decode()[:3000]
    number, code = receipt(page.content.decode())
    author = Client()
    assert author.post("/retour/", {"numero": number, "code": code}).status_code == 302
    assert "Relisez-le" in author.get("/suivi/").content.decode()
    author.post("/suivi/ecrire/", {"quoi": "valider"})
    assert "Relisez-le" not in author.get("/suivi/").content.decode()
    assert Signalement.objects.get().origine == "oral"


def test_bilan_hides_small_counts(here):
    def add(count, category):
        for _ in range(count):
            LigneStatistique.objects.create(
                cellule=here.cell, annee=2026, dispositif="avdhas", categorie=category, taille="moins de 100 hab.",
                origine="web", issue="mesures", duree="plus de 90 jours",
            )  # fmt: skip

    add(4, "menace")
    assert bilan.yearly(here.cell, 2026).total == "< 5"
    assert bilan.yearly(here.cell, 2026).tableaux == ()
    add(6, "violence")
    add(9, "sexiste")
    table = {t.titre: dict(t.lignes) for t in bilan.yearly(here.cell, 2026).tableaux}["Qualification"]
    assert table == {"Menace": "< 5", "Acte de violence": "masqué", "Agissement sexiste": "9"}
    client = log_in(here.member)
    assert "masqué" in client.get("/cellule/bilan/?annee=2026").content.decode()
    text = client.get("/cellule/bilan/?annee=2026&format=csv").content.decode("utf-8-sig")
    assert "total;2026;19" in text
    for odd in ("abcd", "99999999999999999999", "²⁰²⁶", "0000"):
        assert client.get("/cellule/bilan/", {"annee": odd}).status_code == 200


def test_the_log_shows_what_was_tampered_with(here):
    deposit()
    client = log_in(here.member)
    assert "intacte" in client.get("/cellule/journal/").content.decode()
    line = Journal.objects.filter(cellule=here.cell).order_by("numero")[2]
    Journal.objects.filter(pk=line.pk).update(acteur="quelqu'un d'autre")
    assert journal.first_fault(here.cell) == line.numero
    assert f"La ligne {line.numero} a été modifiée" in client.get("/cellule/journal/").content.decode()


def test_neutral_notice_waits_for_a_custodian_and_for_the_mail_server(here, settings, monkeypatch):
    report, _author = deposit()
    member = log_in(here.member)
    do(member, report, "message", texte="SECRET-DU-MESSAGE")
    assert mail.outbox == [], "a member without the key cannot address it"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    custodian = log_in(here.custodian)
    assert "attendent de partir" in custodian.get("/cellule/").content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    custodian.get("/cellule/")
    sent = mail.outbox[0]
    assert sent.to == ["canari-avis@exemple.fr"]
    whole = str(sent.message())
    for hidden in ("SECRET", "ignalement", report.repere, "http", "harc", "CANARI-NOM"):
        assert hidden not in whole
    report.refresh_from_db()
    assert not report.avis_en_attente
    custodian.get("/cellule/")
    assert len(mail.outbox) == 1
