# SPDX-License-Identifier: GPL-3.0-or-later
"""A database of the first released schema, brought to the newest: what it held still opens.

``portail-premier-schema.sql`` is the whole of a SQLite database that the first release made (schemas 0001 of both
applications): an example cell, a report whose code is below, a survey that was counted.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

DUMP = Path(__file__).parents[1] / "unit" / "data" / "portail-premier-schema.sql"
OPEN = """
import json, sys, time
import django; django.setup()
import pyotp
from django.conf import settings
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
author, member = Client(), Client()
answers = [
    author.post("/retour/", {"numero": "8JFC-KNPD", "code": "D687-1P2F-AQTB-H25E"}, follow=True),
    Client().post("/retour/", {"numero": "8JFC-KNPD", "code": "D687-1P2F-AQTB-H250"}, follow=True),
]
code = pyotp.TOTP("B3KTIAALXHTZSAM6VCA6QG4VTQSDOKUV").now()
asked = {"identifiant": "membre.exemple", "mot_de_passe": "exemple de mot de passe", "code": code}
answers.append(member.post("/cellule/connexion/", asked, follow=True))
from packmairie.portail.signalement.models import Signalement
answers.append(member.get(f"/cellule/dossier/{Signalement.objects.get().pk}/"))
from packmairie.portail.sondage.depouillement import results_of
from packmairie.portail.sondage.models import Campagne
campaign = Campagne.objects.get()
print(json.dumps([answer.status_code for answer in answers] + ["PREMIER SCH" in a.content.decode() for a in answers]))
print(results_of(campaign).reponses, campaign.repartition)
"""


@pytest.mark.slow
def test_what_the_first_release_held_still_opens(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "portail.sqlite3") as base:
        base.executescript(DUMP.read_text(encoding="utf-8"))
        (known,) = base.execute(
            "SELECT count(*) FROM django_migrations WHERE app IN ('signalement', 'sondage')"
        ).fetchone()
    base.close()
    assert known == 2
    environment = os.environ | {
        "PACKMAIRIE_PORTAIL_DONNEES": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "packmairie.portail.projet.settings",
    }

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run("-m", "django", "migrate", "--no-input")
    opened, survey = run("-c", OPEN).strip().splitlines()
    assert opened == "[200, 403, 200, 200, true, false, false, true]"
    assert survey == "12 proportionnelle"
