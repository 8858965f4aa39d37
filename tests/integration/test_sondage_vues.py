# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sees what, what is sent, and the files of the results."""

from __future__ import annotations

import csv
import io
import socket
import zipfile
import zlib
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from sondage_campaigns import answer_all, campaign

from packmairie.cli.main import run
from packmairie.formats.pdf import to_pdf
from packmairie.portail.sondage import courrier
from packmairie.portail.sondage.collecte import deposit, token
from packmairie.portail.sondage.depouillement import close_confidential, count
from packmairie.portail.sondage.models import Campagne, Invitation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def manager(client):
    user = User.objects.create_user("agent.exemple", password="x")
    user.user_permissions.add(Permission.objects.get(codename="gerer"))
    client.force_login(user)
    return client


@pytest.fixture
def counted():
    return count_it(*campaign(80))


def count_it(made, key, rate=1.0):
    answer_all(made, 3, rate)
    Campagne.objects.filter(pk=made.pk).update(etat="close")
    made.refresh_from_db()
    count(made, key)
    return made


PRIVATE = (
    "gestion/",
    "gestion/nouvelle/",
    "gestion/{}/",
    "gestion/{}/lettres/",
    "gestion/{}/depouiller/",
    "gestion/{}/reponses.csv",
    "gestion/{}/verbatims/",
    "resultats/{}/",
    "resultats/{}/resultats.pdf",
)


def test_nobody_but_managers_sees_what_is_not_published(client, counted):
    for path in PRIVATE:
        answer = client.get(f"/sondage/{path.format(counted.pk)}")
        assert answer.status_code in (302, 404), path
        assert answer.status_code == 404 or "/connexion/" in answer["Location"]
    client.force_login(User.objects.create_user("autre.exemple", password="x"))
    for path in PRIVATE:
        assert client.get(f"/sondage/{path.format(counted.pk)}").status_code in (403, 404), path
    invitation = counted.invitations.filter(invitee=True)[0]
    for path in ("action/", f"remplacer/{invitation.pk}/"):
        assert client.post(f"/sondage/gestion/{counted.pk}/{path}", {"action": "publier"}).status_code == 403
    client.logout()
    Campagne.objects.filter(pk=counted.pk).update(publiee=True)
    assert client.get(f"/sondage/resultats/{counted.pk}/").status_code == 200
    for path in ("reponses.csv", "verbatims/"):
        assert client.get(f"/sondage/gestion/{counted.pk}/{path}").status_code == 302


def test_answering_pages_keep_nothing_in_the_browser(client):
    made, _key = campaign(30)
    first = made.invitations.filter(invitee=True)[0]
    answer = client.get(f"/sondage/r/{token(first)}/1/")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(answer.cookies) == {"csrftoken"}
    for path in ("r/FAUX/", "r/%00/", f"r/{'A' * 26}/", f"r/{token(first)}/99/", f"r/{token(first)[:-1]}!/1/"):
        assert client.get(f"/sondage/{path}").status_code in (302, 404)
    hostile = {"satisfaction.delai": "<script>", "suivant": ""}
    answer = client.post(f"/sondage/r/{token(first)}/2/", hostile)
    assert answer.status_code == 400
    assert b"<script>" not in answer.content


def test_reminders_go_to_unused_tokens_only(manager):
    made, _key = campaign(30)
    Invitation.objects.filter(campagne=made).update(courriel="")
    invited = list(made.invitations.filter(invitee=True))
    for number, invitation in enumerate(invited[:6]):
        Invitation.objects.filter(pk=invitation.pk).update(courriel=f"m{number}@example.org")
    answer = manager.post(f"/sondage/gestion/{made.pk}/action/", {"action": "envoyer"})
    assert "6 envoyés, 0 refusés par le relais, 24 sans adresse" in answer.content.decode()
    bodies = {message.to[0]: message.body for message in mail.outbox}
    assert token(invited[0]) in bodies["m0@example.org"]
    assert "anonyme" in bodies["m0@example.org"]
    assert manager.post(f"/sondage/gestion/{made.pk}/action/", {"action": "envoyer"}).status_code == 200
    assert len(mail.outbox) == 6  # nobody is invited twice
    mail.outbox.clear()
    assert deposit(invited[0], {"frequence": "mois"})
    manager.post(f"/sondage/gestion/{made.pk}/remplacer/{invited[1].pk}/", {"issue": "refus"})
    manager.post(f"/sondage/gestion/{made.pk}/action/", {"action": "relancer"})
    assert sorted(message.to[0] for message in mail.outbox) == [f"m{i}@example.org" for i in (2, 3, 4, 5)]
    assert token(invited[2]) in next(m.body for m in mail.outbox if m.to == ["m2@example.org"])


def test_a_dead_relay_is_told_and_loses_nothing(manager, settings, closed_port):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", closed_port
    made, _key = campaign(30)
    one = made.invitations.filter(invitee=True)[0]
    Invitation.objects.exclude(pk=one.pk).update(courriel="")
    Invitation.objects.filter(pk=one.pk).update(courriel="m@example.org")
    assert courrier.send(made, "http://x", reminder=False) == courrier.Sent(0, 1, 29)
    one.refresh_from_db()
    assert one.envois == 0


def test_a_replacement_is_the_next_of_the_stratum(manager):
    made, _key = campaign(60)
    failed = made.invitations.filter(invitee=True, strate=made.invitations.filter(invitee=False)[0].strate)[0]
    expected = made.invitations.filter(invitee=False, strate=failed.strate).order_by("rang")[0]
    answer = manager.post(f"/sondage/gestion/{made.pk}/remplacer/{failed.pk}/", {"issue": "injoignable"})
    assert expected.nom in answer.content.decode()
    expected.refresh_from_db()
    assert expected.invitee
    assert deposit(expected, {"frequence": "mois"})
    other = made.invitations.filter(invitee=True, utilise=False, issue="attente")[0]
    Campagne.objects.filter(pk=made.pk).update(etat="close")
    invited = made.invitations.filter(invitee=True).count()
    answer = manager.post(f"/sondage/gestion/{made.pk}/remplacer/{other.pk}/", {"issue": "refus"})
    assert answer.status_code == 409
    assert made.invitations.filter(invitee=True).count() == invited


def test_files_of_the_results(manager, counted, tmp_path):
    base = f"/sondage/resultats/{counted.pk}"
    text = manager.get(f"{base}/resultats.csv").content.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    shares = [row for row in lines if row["modalité"] == "insatisfaits (total)" and row["groupe"] == "ensemble"]
    assert len(shares) == 8
    for row in shares:
        low, value, high = (float(row[name].replace(",", ".")) for name in ("borne basse", "part", "borne haute"))
        assert 0 <= low <= value <= high <= 1
    assert any(row["part"] == "masqué" for row in lines if row["tableau"] == "croisement")

    with zipfile.ZipFile(io.BytesIO(manager.get(f"{base}/resultats.ods").content)) as book:
        assert book.namelist()[0] == "mimetype"
        assert book.read("mimetype") == b"application/vnd.oasis.opendocument.spreadsheet"
        sheets = ElementTree.fromstring(book.read("content.xml"))
    name = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
    assert [one.get(f"{name}name") for one in sheets.iter(f"{name}table")] == [
        "Résultats", "Comparaisons", "Méthode", "Dictionnaire",
    ]  # fmt: skip

    answers = manager.get(f"/sondage/gestion/{counted.pk}/reponses.csv").content.decode("utf-8-sig").splitlines()
    assert len(answers) == 81
    assert answers[1:] == sorted(answers[1:], key=lambda line: line.split(";")[:3]) or len(set(answers)) > 1
    assert "amelioration" not in answers[0]
    codebook = manager.get(f"{base}/dictionnaire.csv").content.decode()
    assert all(column in codebook for column in answers[0].split(";"))
    assert manager.get(f"{base}/autre.csv").status_code == 404


def test_pdf_is_tagged_and_says_what_the_page_says(manager, counted):
    pytest.importorskip("weasyprint", exc_type=OSError)
    answer = manager.get(f"/sondage/resultats/{counted.pk}/resultats.pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-1.7")
    whole = answer.content + b"".join(streams(answer.content))
    for mark in (b"/StructTreeRoot", b"/Marked true", b"pdfuaid", b"/Lang", b"/Figure", b"/TH"):
        assert mark in whole, mark


def streams(pdf: bytes) -> list[bytes]:
    """Return the compressed parts of a PDF that are readable, opened."""
    found = []
    for part in pdf.split(b"stream\n")[1:]:
        try:
            found.append(zlib.decompressobj().decompress(part))
        except zlib.error:
            continue
    return found


def test_pdf_fetches_nothing(tmp_path):
    pytest.importorskip("weasyprint", exc_type=OSError)
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.png"
        page = f"<title>x</title><img src='{address}' alt='a'><img src='file://{secret}' alt='b'>"
        assert to_pdf(f"<html lang='fr'>{page}<link rel='attachment' href='file://{secret}'></html>")
        with pytest.raises(TimeoutError):
            listener.accept()


NEW = {
    "titre": "Suite", "annee": "2027", "mode": "confidentiel", "cloture": "2999-12-31", "departements": "62",
    "taille": "80", "minimum": "1", "graine": "graine publique",
}  # fmt: skip


def test_neyman_and_raking_have_their_switch_in_the_form_and_in_the_command(manager, counted, tmp_path, capsys):
    shown = manager.get("/sondage/gestion/nouvelle/").content.decode()
    assert f"Neyman, d&#x27;après « {counted} »" in shown
    for wanted in ({"repartition": str(counted.pk), "calage": "on"}, {"repartition": "proportionnelle"}):
        assert manager.post("/sondage/gestion/nouvelle/", NEW | wanted).status_code == 302
    plain, neyman = Campagne.objects.filter(annee=2027).order_by("-pk")
    assert manager.post("/sondage/gestion/nouvelle/", NEW | {"repartition": "999"}).status_code == 400
    assert (neyman.calage, plain.calage) == (True, False)
    assert neyman.repartition == f"Neyman, d'après « {counted} »"
    shares = [{tuple(one["strate"]): one["tirees"] for one in made.strates} for made in (plain, neyman)]
    assert shares[0].keys() == shares[1].keys()
    assert shares[0] != shares[1]
    assert [sum(one.values()) for one in shares] == [80, 80]
    page = manager.get(f"/sondage/gestion/{neyman.pk}/").content.decode()
    assert "Calage sur marges" in page
    # The command draws the same sample from the file of deviations.
    base, file, drawn = tmp_path / "base.csv", tmp_path / "ecarts.csv", tmp_path / "tirage.csv"
    assert run(["sondage", "frame", "--departement", "62", "--to", str(base)]) == 0
    assert run(["sondage", "deviations", str(counted.pk), "--to", str(file)]) == 0
    words = ["--size", "80", "--seed", "graine publique", "--minimum", "1", "--neyman", str(file), "--to", str(drawn)]
    assert run(["sondage", "draw", "--frame", str(base), *words]) == 0
    assert "répartition de Neyman" in capsys.readouterr().out
    rows = csv.DictReader(io.StringIO(drawn.read_text("utf-8-sig")), delimiter=";")
    asked = {row["identifiant"] for row in rows if row["role"] == "titulaire"}
    assert asked == set(neyman.invitations.filter(invitee=True).values_list("identifiant", flat=True))


def test_raking_is_switched_until_the_results_are_published(manager, tmp_path):
    # Where all answer, or on a single variable, raking and post-stratification are one.
    counted = count_it(*campaign(160, departements=("59", "62")), rate=0.7)
    first = dict(counted.resultats)
    action = f"/sondage/gestion/{counted.pk}/action/"
    assert manager.post(action, {"action": "caler"}).status_code == 302
    counted.refresh_from_db()
    assert counted.calage
    assert counted.resultats.keys() == first.keys()
    assert counted.resultats != first
    assert "calage sur marges" in manager.get(f"/sondage/resultats/{counted.pk}/").content.decode()
    for option in ("--raking", "--no-raking"):
        assert run(["sondage", "results", str(counted.pk), "--to", str(tmp_path / option), option]) == 0
    assert (tmp_path / "--raking/resultats.csv").read_bytes() != (tmp_path / "--no-raking/resultats.csv").read_bytes()
    manager.post(action, {"action": "publier"})
    assert manager.post(action, {"action": "caler"}).status_code == 409


def test_results_stay_closed_with_the_box(manager):
    made, _key = campaign(30)
    answer_all(made, 4)
    answer = manager.get(f"/sondage/resultats/{made.pk}/")
    assert answer.status_code == 409
    assert "scellée" in answer.content.decode()
    assert manager.post(f"/sondage/gestion/{made.pk}/action/", {"action": "publier"}).status_code == 409


def test_confidential_results_and_command(manager, tmp_path, capsys):
    made, _key = campaign(60, mode="confidentiel")
    answer_all(made, 5)
    assert manager.get(f"/sondage/resultats/{made.pk}/").status_code == 200
    close_confidential(made)
    assert manager.get(f"/sondage/gestion/{made.pk}/reponses.csv").status_code == 404
    assert run(["sondage", "results", str(made.pk), "--to", str(tmp_path / "r")]) == 0
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "dictionnaire.csv", "resultats.csv", "resultats.ods", "resultats.pdf",
    ]  # fmt: skip
    assert run(["sondage", "results", "999", "--to", str(tmp_path / "s")]) == 1
