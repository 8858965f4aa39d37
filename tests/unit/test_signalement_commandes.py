# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the reporting portal: installation, state, papers of a commune, its departure, retention."""

import io
import json
import re
from datetime import date, timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils import timezone
from signalement_cell_samples import deposit, fresh_world
from signalement_samples import COMMUNE

from packmairie.portail.signalement import comptes
from packmairie.portail.signalement.models import (
    Cellule,
    Journal,
    LigneStatistique,
    Membre,
    Morceau,
    Scelle,
    Signalement,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def here():
    return fresh_world()


def test_commands_of_the_installation(here, tmp_path):
    out = io.StringIO()
    call_command("cle_secours", stdout=out)
    recipient = re.search(r"age1\w+", out.getvalue()).group(0)
    options = {"centre": "CdG C", "garant": "c.exemple", "nom_garant": "C Exemple"}
    with pytest.raises(CommandError, match="age"):
        call_command("cellule_creer", "Cellule C", secours="age1faux", **options)
    call_command("cellule_creer", "Cellule C", secours=recipient, stdout=out, deport_de="Cellule d'écoute", **options)
    made = Cellule.objects.get(nom="Cellule C")
    here.cell.refresh_from_db()
    assert here.cell.deport == made
    code = re.search(r"c\.exemple : ([0-9A-Z-]+)", out.getvalue()).group(1)
    assert comptes.invited("c.exemple", code) is not None
    Membre.objects.update(invitation_fin=timezone.now() - timedelta(days=1))
    assert comptes.invited("c.exemple", code) is None
    table = tmp_path / "a.csv"
    table.write_text("insee;dispositif;debut;fin\n99999;avdhas;2026-01-01;\n59350;autre;2026-01-01;\n59350;avdhas;x;\n")
    with pytest.raises(CommandError) as refused:
        call_command("adhesions_importer", "Cellule C", str(table))
    assert len(str(refused.value).splitlines()) == 3
    table.write_text("insee;dispositif;debut;fin\n59350;avdhas;2026-01-01;2026-12-31\n")
    call_command("adhesions_importer", "Cellule C", str(table), stdout=out)
    call_command("adhesions_importer", "Cellule C", str(table), stdout=out)
    assert made.adhesions.get().fin == date(2026, 12, 31)


def test_state_tells_counts_and_no_content(here):
    report, _author = deposit()
    Signalement.objects.update(recu=timezone.localdate() - timedelta(days=40))
    out = io.StringIO()
    call_command("etat_signalement", stdout=out)
    told = json.loads(out.getvalue())
    cell = next(c for c in told["cellules"] if c["nom"] == "Cellule d'écoute")
    assert (cell["membres"], cell["garants"], cell["ouverts"]) == (2, 1, 1)
    assert cell["plus_ancien_a_lire_jours"] == 40
    assert cell["retards"] == 2
    assert cell["retards_legaux"] == 0
    assert cell["journal_intact"]
    assert told["communes"] == {"62708": {"verdict": "ordinaire", "cellule": cell["nom"]}}
    for hidden in ("CANARI", report.repere, str(report.pk)):
        assert hidden not in out.getvalue()
    Membre.objects.filter(identifiant="membre.exemple").update(courriel="membre@exemple.fr")
    call_command("rappels", stdout=out)
    assert mail.outbox[0].to == ["membre@exemple.fr"]
    assert "signalement" not in str(mail.outbox[0].message()).lower()


def test_papers_of_a_commune(here, tmp_path):
    import html5lib

    address = "https://signalement.exemple.fr/"
    out = io.StringIO()
    call_command("papiers", "62708", adresse=address, to=tmp_path, stdout=out)
    names = {"acte", "convention", "note", "affiche", "registre", "aipd", "lettres"}
    assert {file.stem for file in tmp_path.iterdir()} == names
    for file in tmp_path.iterdir():
        text = file.read_text("utf-8")
        html5lib.HTMLParser(strict=True).parse(text)
        assert "Riencourt" in text
        assert "{{" not in text
        assert not re.findall(r'(?:src|href)="http', text)
    assert "<svg" in (tmp_path / "affiche.html").read_text("utf-8")
    for wrong in ({"insee": "59350", "adresse": address}, {"insee": "62708", "adresse": "http://x"}):
        with pytest.raises(CommandError):
            call_command("papiers", wrong["insee"], adresse=wrong["adresse"], to=tmp_path)


def test_a_commune_that_leaves_takes_anonymous_tables_alone(here):
    deposit(texte="canari du dossier")
    for category, count in (("menace", 4), ("sexiste", 9)):
        for _ in range(count):
            LigneStatistique.objects.create(
                cellule=here.cell, annee=2026, dispositif="avdhas", categorie=category, taille="moins de 100 hab.",
                origine="web", issue="mesures", duree="plus de 90 jours",
            )  # fmt: skip
    before = {"annee": 2025, "dispositif": "avdhas", "categorie": "menace", "taille": "x", "origine": "web"}
    LigneStatistique.objects.create(cellule=here.cell, issue="mesures", duree="x", **before)
    said = io.StringIO()
    call_command("commune_exporter", COMMUNE, stdout=said)
    taken = json.loads(said.getvalue())
    assert [(one["cellule"], one["debut"], one["fin"]) for one in taken["adhesions"]] == [
        (here.cell.nom, "2026-01-01", None)
    ]
    # The year before its adhesion is not its own, a count under 5 is nobody's, and no report is told of.
    (year,) = taken["bilans"]
    assert (year["cellule"], year["annee"], year["total"]) == (here.cell.nom, 2026, "13")
    tables = {table["titre"]: dict(table["lignes"]) for table in year["tableaux"]}
    assert tables["Qualification"] == {"Menace": "< 5", "Agissement sexiste": "masqué"}
    assert "canari" not in said.getvalue()
    assert Signalement.objects.get().repere not in said.getvalue()
    elsewhere = io.StringIO()
    call_command("commune_exporter", "62633", stdout=elsewhere)
    assert json.loads(elsewhere.getvalue())["bilans"] == []


def test_purge_waits_for_the_author_then_leaves_nothing(here):
    report, _author = deposit(pieces=[SimpleUploadedFile("a.txt", b"abc")])
    today = timezone.localdate()
    Signalement.objects.update(purge_prevue=today, auteur_a_ecrit=today - timedelta(days=30))
    out = io.StringIO()
    call_command("purger", stdout=out)
    assert "0 dossier(s) effacés, 1 gardés" in out.getvalue()
    Signalement.objects.update(auteur_a_ecrit=today - timedelta(days=31))
    call_command("purger", stdout=out)
    assert not Signalement.objects.exists()
    assert not Scelle.objects.exists()
    assert not Morceau.objects.exists()
    assert Journal.objects.filter(action="purge", sujet=report.repere).exists()
