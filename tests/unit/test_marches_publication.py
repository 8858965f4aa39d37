# SPDX-License-Identifier: GPL-3.0-or-later
"""Contracts published, in lists by year and in the catalogue, and proven."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from core_samples import commune, make_pack, pack
from inventory_samples import edit
from marches_samples import DECP, SCHEMAS, TODAY, document, official

from packmairie.briques.marches import Marches, judge_catalogue, judge_fresh, judge_profile, judge_valid
from packmairie.cli.main import run
from packmairie.formats.decp.yearly import split, yearly_lists
from packmairie.inventory.contracts import read_register, register_of
from packmairie.model.preuve import State
from packmairie.model.probe import Chain, Hop, Obstacle, Page
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import marches as operations


class TestYearly:
    def test_between_the_thresholds(self):
        contracts = [
            document(id=str(amount), montant=amount)["marches"]["marche"][0]
            for amount in (24_999, 25_000, 39_999.99, 40_000)
        ]
        essential, listed = split(contracts)
        assert [contract["id"] for contract in listed] == ["25000", "39999.99"]
        assert [contract["id"] for contract in essential] == ["24999", "40000"]
        assert list(yearly_lists(listed)) == [2026]

    def test_a_formula_is_a_text(self):
        [contract] = document(objet="=HYPERLINK(1)", montant=30_000)["marches"]["marche"]
        assert "'=HYPERLINK(1)" in yearly_lists([contract])[2026]


def write_register(folder: Path, text: str) -> None:
    (folder / "marches").mkdir(exist_ok=True)
    (folder / "marches" / "62708.yml").write_text(text, encoding="utf-8")


YAML_CONCESSION = """\
  - numero: "2026-C1"
    nature: Délégation de service public
    objet: Exploitation du camping municipal (exemple)
    procedure: Procédure négociée ouverte
    duree_mois: 60
    signature: 2026-10-01
    debut_execution: 2027-01-01
    valeur: 250000
    subvention: 0
    concessionnaires:
      - siret: "21620633400015"
    considerations_sociales: [Pas de considération sociale]
    considerations_environnementales: [Critère environnemental]
"""
REGISTER = Path("inventories/demo/marches/62708.yml")


@pytest.fixture
def folder(tmp_path):
    made_pack = make_pack(tmp_path / "pack")
    path = made_pack / "communes" / "62708-riencourt-les-bapaume.yml"
    path.write_text(path.read_text(encoding="utf-8") + "marches: {}\n", encoding="utf-8")
    write_register(made_pack, REGISTER.read_text(encoding="utf-8"))
    return made_pack


@official
class TestOperations:
    def test_publish_then_prove(self, folder):
        done = operations.publish(folder, "62708", TODAY)
        assert (done.essential, done.listed) == (1, {2026: 1})
        assert done.changed == ("catalogue.jsonld", "decp.json", "liste-2026.csv")
        again = operations.publish(folder, "62708", TODAY + timedelta(days=5))
        assert again.changed == ()
        loaded = operations.load_pack(folder)
        town = loaded.commune("62708")
        tree, watched = Marches().tenant(town, loaded, {})
        assert watched.files[0].path == "/etc/packmairie/marches/communes/62708.json"
        served = {file.path.rsplit("/", 1)[1]: file.text() for file in tree.files}
        assert tree.files[0].path.startswith("/srv/communes/www.riencourt-les-bapaume.fr/marches/")
        page = Page(200, {}, served["decp.json"])
        register = read_register(register_of(folder, "62708"), folder)
        assert judge_fresh(page, register, town, loaded, TODAY).state is State.CONFORME
        assert judge_valid(page, served["decp.json"], town, loaded, TODAY).state is State.CONFORME
        other = Page(200, {}, served["decp.json"].replace("toiture", "couverture"))
        assert judge_valid(other, served["decp.json"], town, loaded, TODAY).state is State.NON_VERIFIE
        assert judge_fresh(other, register, town, loaded, TODAY).state is State.NON_CONFORME
        base = "https://www.riencourt-les-bapaume.fr/marches/"
        catalogue = Page(200, {}, served["catalogue.jsonld"])
        assert judge_catalogue(catalogue, base, served, "r").state is State.CONFORME
        assert judge_catalogue(catalogue, base, served | {"decp.json": "x"}, "r").state is State.NON_CONFORME
        assert judge_catalogue(Page(200, {}, "<p>"), base, served, "r").state is State.NON_CONFORME

    def test_a_concession_is_published_and_judged_like_the_rest(self, folder):
        register = folder / "marches" / "62708.yml"
        register.write_text(register.read_text(encoding="utf-8") + YAML_CONCESSION, encoding="utf-8")
        done = operations.publish(folder, "62708", TODAY)
        assert (done.essential, done.listed) == (2, {2026: 1})
        loaded = operations.load_pack(folder)
        town = loaded.commune("62708")
        text = loaded.publications["62708"]["marches"]["decp.json"]
        rows = read_register(register_of(folder, "62708"), folder)
        assert judge_fresh(Page(200, {}, text), rows, town, loaded, TODAY).measured == "2 contrats, ceux du registre"
        other = Page(200, {}, text.replace("camping", "cinéma"))
        assert judge_fresh(other, rows, town, loaded, TODAY).state is State.NON_CONFORME

    def test_first_date_survives_a_change(self, folder):
        operations.publish(folder, "62708", date(2026, 10, 20))
        edit(folder / "marches" / "62708.yml", "duree_mois: 4", "duree_mois: 5")
        operations.publish(folder, "62708", TODAY)
        text = (folder / "publications" / "62708" / "marches" / "decp.json").read_text(encoding="utf-8")
        assert '"datePublicationDonnees": "2026-10-20"' in text
        catalogue = (folder / "publications" / "62708" / "marches" / "catalogue.jsonld").read_text(encoding="utf-8")
        assert "2026-11-24" in catalogue

    def test_errors_have_their_line_and_nothing_is_written(self, folder):
        edit(folder / "marches" / "62708.yml", "notification: 2026-10-12", "notification: 2026-13-45")
        edit(folder / "marches" / "62708.yml", 'siret: "21620633400015"', 'siret: "21620633400016"')
        found = operations.verify(folder, "62708", TODAY)
        lines = (folder / "marches" / "62708.yml").read_text(encoding="utf-8").splitlines()
        assert {lines[finding.line - 1].strip(" -").split(":")[0] for finding in found.report.errors} == {
            "notification",
            "titulaires",
        }
        with pytest.raises(PackmairieError, match="2026-13-45"):
            operations.publish(folder, "62708", TODAY)
        assert not (folder / "publications").exists()

    def test_late_contract_is_told(self, folder):
        edit(folder / "marches" / "62708.yml", "notification: 2026-10-12", "notification: 2026-08-12")
        assert operations.verify(folder, "62708", TODAY).late == ("2026-01",)

    def test_a_hostile_publication_stops_the_plan(self, folder):
        operations.publish(folder, "62708", TODAY)
        (folder / "publications" / "62708" / "marches" / "x.json").symlink_to("/etc/passwd")
        with pytest.raises(PackmairieError, match="publication"):
            operations.load_pack(folder)


class TestWithoutSchema:
    def test_three_states(self, folder, monkeypatch, capsys):
        monkeypatch.setattr("packmairie.inventory.official.BESIDE", Path("/nonexistent"))
        assert operations.verify(folder, "62708", TODAY).report.state is State.NON_VERIFIE
        with pytest.raises(PackmairieError, match="schéma officiel absent"):
            operations.publish(folder, "62708", TODAY)
        assert run(["marches", "verify", "62708", "--pack", str(folder)]) == ExitCode.NOT_VERIFIED
        assert "--schemas" in capsys.readouterr().err
        with pytest.raises(PackmairieError, match="ne contient pas"):
            operations.verify(folder, "62708", TODAY, Path("/tmp"))


class TestBrique:
    def test_nothing_when_not_asked(self):
        town = commune()
        assert Marches().checks(town, pack(town)) == ()
        assert Marches().dossier(town, pack(town)) == ()

    def test_site_elsewhere_publishes_nothing_but_its_profile_is_checked(self):
        town = commune(marches={}, existant={"presence": "Prestataire d'exemple"})
        assert [check.name for check in Marches().checks(town, pack(town))] == ["profil-acheteur"]
        assert Marches().tenant(town, pack(town), {}) == ()

    def test_profile(self):
        address = "https://marches.exemple.fr/"
        good = Chain((Hop(address, 200),), Page(200, {}, "x"))
        assert judge_profile(good, "r").state is State.CONFORME
        down = Chain((Hop(address, 503),), Page(503, {}, "x"))
        assert judge_profile(down, "r").state is State.NON_VERIFIE
        gone = Chain((Hop(address, 404),), Page(404, {}, "x"))
        assert judge_profile(gone, "r").state is State.NON_CONFORME
        refused = Chain((), None, Obstacle.CERTIFICATE, "certificat expiré", address)
        assert judge_profile(refused, "r").state is State.NON_CONFORME

    def test_no_address_is_not_verified(self):
        town = commune(marches={})
        check = Marches().checks(town, pack(town))[0]
        assert check.judge(()).state is State.NON_VERIFIE


class TestCommands:
    def test_verify_and_publish(self, folder, capsys):
        if not DECP.is_dir():
            pytest.skip(f"schémas officiels absents de {SCHEMAS}")
        assert run(["marches", "publish", "62708", "--pack", str(folder)]) == ExitCode.SUCCESS
        assert "packmairie deploy 62708" in capsys.readouterr().out
        assert run(["marches", "verify", "62708", "--pack", str(folder), "--json"]) == ExitCode.SUCCESS
        assert json.loads(capsys.readouterr().out)["state"] == "conforme"
        example = DECP / "json-marches_avec_modifications.json"
        assert run(["marches", "verify", "--file", str(example)]) == ExitCode.NOT_CONFORM
        assert f"{example.name}:64: marché TEST2022" in capsys.readouterr().out

    def test_one_or_the_other(self, capsys):
        assert run(["marches", "verify"]) == ExitCode.FAILURE
        assert "l'un des deux" in capsys.readouterr().err

    def test_no_register(self, folder, capsys):
        (folder / "marches" / "62708.yml").unlink()
        assert run(["marches", "verify", "62708", "--pack", str(folder)]) == ExitCode.FAILURE
        assert "registre" in capsys.readouterr().err
