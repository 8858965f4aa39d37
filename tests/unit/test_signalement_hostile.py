# SPDX-License-Identifier: GPL-3.0-or-later
"""Every form is given anything: the answer is a page or a refusal, never a failure; and the schema migrates."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import get_resolver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signalement_samples import COMMUNE, facts, receipt, world

from packmairie.portail.projet.cadence import Cadence
from packmairie.portail.signalement import sessions
from packmairie.portail.signalement.cellule import connexion
from packmairie.portail.signalement.depot import suivi, vues
from packmairie.portail.signalement.models import Signalement
from packmairie.portail.signalement.regles import vocabulaire as words

pytestmark = pytest.mark.django_db
TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "\0", "\ud7ff", "\u202e", "' OR 1=1 --", "<script>", "{{ 7*7 }}", "../../etc/passwd", "9" * 500, "-1",
         "١٢٣", "%s%n", COMMUNE, "avdhas", "alerte", "autorite", "oui", "recevable", "clos", "sans_suite", "urgence",
         "2026-02-30", "message", "accord", "identite", "inviter", "confirmer", "partir", "1", "é" * 5000]
    ),
)  # fmt: skip
NAMES = [
    "commune", "choix", "dispositif", "mis_en_cause", "malgre_conflit", "insee", "qualite", "lien", "categories",
    "recit", "pieces", "employeur_sait", "anonyme", "nom", "contact", "avis", "numero", "code", "quoi", "texte",
    "identifiant", "mot_de_passe", "encore", "secret", "etat", "explication", "issue", "categorie", "motif", "mesure",
    "etat_mesure", "jour", "precision", "vers", "membres", "membre", "destinataire", "elements", "phrase", "cle_age",
    "origine", "courriel", "garant", "site_web",
]  # fmt: skip
ASKED = st.dictionaries(st.sampled_from(NAMES), st.one_of(TEXT, st.lists(TEXT, max_size=3)), max_size=14)


@pytest.fixture
def everybody(monkeypatch):
    """Give clients of an author and of a custodian, the report, and throttles that do not get in the way."""
    here = world()
    for module in (vues, suivi, connexion):
        for name, value in vars(module).items():
            if isinstance(value, Cadence):
                monkeypatch.setattr(module, name, Cadence(10**9, 1))
    author = Client(raise_request_exception=True)
    author.post("/signaler/faits/", facts())
    report = Signalement.objects.get()
    member = Client(raise_request_exception=True)
    from django.http import HttpResponse

    response = HttpResponse()
    sessions.start(response, here.custodian.private, member=here.custodian.member)
    member.cookies = response.cookies
    return author, member, report


def paths(report):
    """Return every address of the project, with the parts that vary filled in."""
    known = {"name": report.pk, "number": 1}
    found = []
    for pattern in get_resolver().reverse_dict.values():
        route = pattern[0][0][0].replace("%(name)s", str(known["name"])).replace("%(number)s", "1")
        if "%(action)s" in route:
            actions = (
                "message",
                "etat",
                "note",
                "qualification",
                "mesure",
                "orientation",
                "affecter",
                "entretien",
                "x",
            )
            found += [route.replace("%(action)s", action) for action in actions]
        else:
            found.append(route)
    return sorted({f"/{route}" for route in found} - {"/cellule/sortir/", "/suivi/fermer/", "/quitter/"})


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=ASKED, valid=st.booleans(), which=st.integers(0, 10_000))
def test_no_form_fails_whatever_is_sent(everybody, asked, valid, which):
    author, member, report = everybody
    base = facts() if valid else {}
    every = paths(report)
    path = every[which % len(every)]
    for client in (author, member):
        for answer in (client.post(path, {**base, **asked}), client.get(path, asked)):
            assert answer.status_code < 500, path


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"--x\r\n", b"a=%00&a=%ff", b"{" * 1000])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
def test_broken_bodies(everybody, body, kind):
    author, _member, _report = everybody
    for path in ("/signaler/", "/signaler/faits/", "/retour/", "/suivi/ecrire/", "/cellule/connexion/"):
        assert author.post(path, body, content_type=kind).status_code < 500, path


def test_what_is_written_is_shown_as_text(everybody):
    author, member, report = everybody
    author.post("/suivi/ecrire/", {"quoi": "message", "texte": "<script>alert(1)</script>{{ 7 }}"})
    for page in (author.get("/suivi/"), member.get(f"/cellule/dossier/{report.pk}/")):
        text = page.content.decode()
        assert "<script>" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 }}" in text


def test_too_many_fields_and_too_long_a_text(everybody):
    author, _member, _report = everybody
    assert author.post("/signaler/faits/", {f"c{n}": "x" for n in range(400)}).status_code == 400
    assert author.post("/signaler/faits/", facts(recit="x" * 20_001)).status_code == 422
    long = "a=" + "x" * 1_100_000
    answer = author.post("/signaler/", long, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400


def test_every_category_of_the_law_is_offered():
    """L135-6 CGFP names eight; and who hesitates has a box."""
    assert len(words.CATEGORIES[words.AVDHAS]) == 9


def test_models_and_migrations_agree():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_reports_of_the_first_released_schema_still_open():
    """From the first schema, with a report in it, to the newest: it opens with the same code."""
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes("signalement")
    world()
    client = Client()
    page = client.post("/signaler/faits/", facts()).content.decode()
    number, code = receipt(page)
    executor.migrate([("signalement", "0001_premier_schema")])
    executor = MigrationExecutor(connection)
    executor.migrate(newest)
    again = Client()
    assert again.post("/retour/", {"numero": number, "code": code}).status_code == 302
    assert "CANARI-RECIT" in again.get("/suivi/").content.decode()
