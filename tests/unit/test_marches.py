# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of contracts: read, verified with the official schema and beyond it, published, proven."""

from __future__ import annotations

import copy
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from core_samples import commune, make_pack, pack
from hypothesis import given, settings
from hypothesis import strategies as st
from inventory_samples import edit

from packmairie.briques.marches import Marches, judge_catalogue, judge_fresh, judge_profile, judge_valid
from packmairie.cli.main import run
from packmairie.formats.decp.identifiers import holder_fault, luhn, siret_fault
from packmairie.formats.decp.positions import read_json
from packmairie.formats.decp.register import Row, convert, number_of
from packmairie.formats.decp.rules import Judged, beyond_schema, months_later, overdue, parse_day
from packmairie.formats.decp.schema import against_schema
from packmairie.formats.decp.tabular import read_csv
from packmairie.formats.decp.thresholds import in_force
from packmairie.formats.decp.yearly import split, yearly_lists
from packmairie.formats.findings import Level
from packmairie.inventory.contracts import read_register, register_of
from packmairie.model.preuve import State
from packmairie.model.probe import Chain, Hop, Obstacle, Page
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import marches as operations

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "data"
DECP = SCHEMAS / "decp"
official = pytest.mark.skipif(not DECP.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")
TODAY = date(2026, 11, 24)
BUYER = "21620708400015"
HOLDER = "21620633400015"
ROW = {
    "numero": "2026-01",
    "objet": "Réfection de la toiture",
    "cpv": "45261900-3",
    "procedure": "Procédure adaptée",
    "montant": 52300.5,
    "notification": date(2026, 10, 12),
    "duree_mois": 4,
    "ccag": "Travaux",
    "offres_recues": 3,
    "avance": "non",
    "forme_prix": "Forfaitaire",
    "type_prix": ["Définitif ferme"],
    "titulaires": [{"siret": HOLDER}],
    "considerations_sociales": ["Pas de considération sociale"],
    "considerations_environnementales": ["Clause environnementale"],
}
PLACE = {"code": "62708", "typeCode": "Code commune"}


def made(**changes):
    return convert([Row({**ROW, **changes}, 3)], BUYER, PLACE, {"": TODAY.isoformat()})


def document(**changes):
    converted = made()
    result = copy.deepcopy(converted.document)
    result["marches"]["marche"][0].update(changes)
    return result


def told(found, level=Level.ERREUR):
    return [finding.reason for finding in found.findings if finding.level is level]


def beyond(**changes):
    return beyond_schema(document(**changes), Judged(TODAY, buyer=BUYER), lambda _path: 0)


def schema():
    return json.loads((DECP / "schema_decp_v2.0.3.json").read_text(encoding="utf-8"))


class TestIdentifiers:
    @settings(max_examples=40, deadline=None)
    @given(st.text("0123456789", min_size=1, max_size=13))
    def test_luhn_knows_every_single_mistake(self, digits):
        key = next(digit for digit in "0123456789" if luhn(digits + digit))
        number = digits + key
        for position in range(len(number)):
            wrong = str((int(number[position]) + 1) % 10)
            assert not luhn(number[:position] + wrong + number[position + 1 :])

    def test_siret(self):
        assert siret_fault(BUYER) == ""
        assert "clé" in siret_fault("21620708400016")
        assert "quatorze" in siret_fault("abc")
        assert "quatorze" in siret_fault("2162070840001\u0665")

    def test_la_poste_has_its_own_rule(self):
        assert siret_fault("35600000000048") == ""
        outgrown = "35600000049837"
        assert not luhn(outgrown)
        assert siret_fault(outgrown) == ""
        assert siret_fault("35600000049838")

    def test_vat(self):
        assert holder_fault("TVA", "FR40303265045") == ""
        assert "clé" in holder_fault("TVA", "FR41303265045")
        assert holder_fault("TVA", "BE0403170701") == ""
        assert holder_fault("TVA", "US123456789")
        assert holder_fault("HORS-UE", "CHE-123.456.789") == ""
        assert holder_fault("HORS-UE", " ")


class TestRegister:
    def test_neutral_answers_are_filled_and_facts_never(self):
        contract = made().document["marches"]["marche"][0]
        assert contract["techniques"] == {"technique": ["Sans objet"]}
        assert contract["lieuExecution"] == PLACE
        assert contract["dateNotification"] == "2026-10-12"
        assert contract["titulaires"] == [{"titulaire": {"typeIdentifiant": "SIRET", "id": HOLDER}}]
        without = convert([Row({"numero": "1"}, 1)], BUYER, PLACE, {"": "2026-11-24"})
        assert "considerationsSociales" not in without.document["marches"]["marche"][0]
        assert "attributionAvance" not in without.document["marches"]["marche"][0]

    def test_first_publication_is_kept(self):
        rows = [Row(ROW, 1)]
        converted = convert(rows, BUYER, PLACE, {"2026-01": "2026-10-20", "": "2026-11-24"})
        assert converted.document["marches"]["marche"][0]["datePublicationDonnees"] == "2026-10-20"

    @pytest.mark.parametrize(
        ("column", "value", "reason"),
        [
            ("montant", "cinquante", "n'est pas un montant"),
            ("duree_mois", "4,5", "n'est pas un nombre entier"),
            ("avance", "peut-être", "ni oui ni non"),
            ("taux_avance", "beaucoup", "n'est pas une part"),
            ("titulaires", [{"siret": "1", "tva": "2"}], "un seul identifiant"),
            ("couleur", "bleu", "inconnue"),
            ("lieu", {"ville": "Lens"}, "inconnue"),
            ("sous_traitants", "un", "liste d'objets"),
            ("objet", ["a"], "un texte"),
        ],
    )
    def test_what_cannot_be_read_is_told_at_its_line(self, column, value, reason):
        converted = convert([Row({**ROW, column: value}, 3, {column: 9})], BUYER, PLACE, {})
        [finding] = converted.report.findings
        assert reason in finding.reason
        assert finding.line == 9

    @given(st.integers(-(10**12), 10**12), st.integers(0, 99))
    def test_numbers_as_people_type_them(self, whole, cents):
        grouped = f"{whole:,}".replace(",", "\u202f") + f",{cents:02d} €"
        expected = float(f"{whole}.{cents:02d}")
        assert number_of(grouped) == expected

    @settings(max_examples=40, deadline=None)
    @given(st.text(max_size=30))
    def test_no_text_breaks_the_reader(self, text):
        for column in ("montant", "duree_mois", "avance", "notification", "titulaires", "lieu", "taux_avance"):
            convert([Row({column: text}, 1)], BUYER, PLACE, {})


CONCESSION_ROW = {
    "numero": "2026-C1",
    "nature": "Délégation de service public",
    "objet": "Exploitation du camping municipal",
    "procedure": "Procédure négociée ouverte",
    "duree_mois": 60,
    "signature": date(2026, 10, 1),
    "debut_execution": "2027-01-01",
    "valeur": "250 000",
    "subvention": 0,
    "concessionnaires": [{"siret": HOLDER}],
    "considerations_sociales": ["Pas de considération sociale"],
    "considerations_environnementales": ["Critère environnemental"],
}


class TestConcessions:
    def test_beside_contracts_each_in_its_list(self):
        rows = [Row(CONCESSION_ROW, 9, {"valeur": 15}), Row(ROW, 3)]
        converted = convert(rows, BUYER, PLACE, {"": TODAY.isoformat()})
        assert converted.report.findings == ()
        lists = converted.document["marches"]
        assert [len(lists[kind]) for kind in ("marche", "contrat-concession")] == [1, 1]
        concession = lists["contrat-concession"][0]
        assert concession["autoriteConcedante"] == {"id": BUYER}
        assert concession["concessionnaires"] == [{"concessionnaire": {"typeIdentifiant": "SIRET", "id": HOLDER}}]
        assert converted.line(("marches", "contrat-concession", 0, "valeurGlobale")) == 15
        assert converted.line(("marches", "marche", 0, "montant")) == 3

    @official
    @pytest.mark.parametrize("absent", [None, *(key for key in CONCESSION_ROW if key != "nature")])
    def test_the_official_schema_takes_it_whole_and_nothing_less(self, absent):
        row = {key: value for key, value in CONCESSION_ROW.items() if key != absent}
        converted = convert([Row(row, 1)], BUYER, PLACE, {"": TODAY.isoformat()})
        found = against_schema(converted.document, schema(), converted.line)
        assert (found.state is State.CONFORME) is (absent is None), found

    def test_years_of_execution(self):
        years = [{"datePublicationDonneesExecution": date(2027, 3, 1), "depensesInvestissement": 1, "tarifs": []}]
        converted = convert([Row({**CONCESSION_ROW, "execution": years}, 1)], BUYER, PLACE, {})
        told_years = converted.document["marches"]["contrat-concession"][0]["donneesExecution"]
        assert told_years[0]["donneesAnnuelles"]["datePublicationDonneesExecution"] == "2027-03-01"

    def test_columns_of_the_other_kind(self):
        found = convert([Row({**CONCESSION_ROW, "ccag": "Travaux", "montant": ""}, 1)], BUYER, PLACE, {}).report
        assert told(found) == ["colonne « ccag » inconnue"]
        found = convert([Row({**ROW, "valeur": 12, "signature": ""}, 1)], BUYER, PLACE, {}).report
        assert told(found) == ["colonne « valeur » inconnue"]

    def test_late_when_two_months_have_passed_since_it_was_signed(self):
        converted = convert([Row({**CONCESSION_ROW, "signature": "2026-08-01"}, 1)], BUYER, PLACE, {})
        assert overdue(converted.document, set(), TODAY) == ("2026-C1",)
        assert overdue(converted.document, {"2026-C1"}, TODAY) == ()


class TestCsv:
    HEADER = (
        "Numéro;Objet;CPV;Procédure;Montant;Notification;Durée mois;CCAG;Offres reçues;Avance;Forme prix;Type prix;"
    )
    HEADER += "Titulaires;Considérations sociales;Considérations environnementales\n"
    LINE = "2026-01;Toiture;45261900-3;Procédure adaptée;52 300,50;12/10/2026;4;Travaux;3;non;Forfaitaire;"
    LINE += f"Définitif ferme;{HOLDER}|tva:FR40303265045;Clause sociale|Critère social;Pas de considération"
    LINE += " environnementale\n"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
    def test_as_a_spreadsheet_saves_it(self, encoding):
        rows, found = read_csv((self.HEADER + "\n" + self.LINE).encode(encoding))
        assert found.findings == ()
        contract = convert(rows, BUYER, PLACE, {"": "2026-11-24"}).document["marches"]["marche"][0]
        assert contract["montant"] == 52300.5
        assert contract["dateNotification"] == "2026-10-12"
        assert contract["considerationsSociales"] == {"considerationSociale": ["Clause sociale", "Critère social"]}
        assert [item["titulaire"]["typeIdentifiant"] for item in contract["titulaires"]] == ["SIRET", "TVA"]
        assert rows[0].line == 3

    def test_commas(self):
        rows, found = read_csv(b'numero,objet\n1,"deux,\nlignes"\n2,x\n')
        assert found.findings == ()
        assert [row.line for row in rows] == [2, 4]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "vide"),
            (b"objet;montant\na;1\n", "numero"),
            (b"numero;numero\n1;2\n", "en double"),
            (b"numero;modifications\n1;2\n", "CSV"),
            (b"numero;objet\n1;2;3\n", "plus de cellules"),
            (b"\x00\x01\x02", "pas un fichier de texte"),
            (b'numero;objet\n1;"jamais ferme\n', "illisible"),
            (b"x" * (2 * 1024 * 1024 + 1), "Kio"),
        ],
    )
    def test_refusals(self, content, reason):
        _rows, found = read_csv(content)
        assert any(reason in finding.reason for finding in found.findings)


@official
class TestSchema:
    def test_a_row_of_the_register_is_valid(self):
        assert against_schema(made().document, schema(), lambda _path: 1).findings == ()

    def test_official_example_is_valid(self):
        example = json.loads((DECP / "json-marches_avec_modifications.json").read_text(encoding="utf-8"))
        assert against_schema(example, schema(), lambda _path: 1).findings == ()

    @pytest.mark.parametrize("key", sorted(schema()["definitions"]["marche"]["required"]) if DECP.is_dir() else [])
    def test_each_required_key_is_missed(self, key):
        wrong = document()
        del wrong["marches"]["marche"][0][key]
        [finding] = against_schema(wrong, schema(), lambda _path: 7).findings
        assert f"« {key} » manque" in finding.reason
        assert finding.line == 7

    @pytest.mark.parametrize(
        ("changes", "reason", "remedy"),
        [
            ({"nature": "Marche"}, "n'est pas une valeur admise", "« Marché »"),
            ({"origineUE": None}, "null", "ne s'écrit pas null"),
            ({"modifications": []}, "vide", "facultative"),
            ({"codeCPV": "4526"}, "forme", "CPV"),
            ({"id": "x" * 17}, "17 caractères, 16 au plus", "raccourcir"),
            ({"montant": 0}, "plus petit", "corriger"),
            ({"tauxAvance": 5}, "plus grand", "entre 0 et 1"),
            ({"_type": "Marché"}, "n'existe pas", "retirer"),
            ({"dureeMois": "4"}, "nombre entier", "corriger"),
            ({"titulaires": [{"titulaire": {"typeIdentifiant": "SIRET", "id": HOLDER}}] * 2}, "double", "garder"),
        ],
    )
    def test_refusals_are_said_in_french(self, changes, reason, remedy):
        findings = against_schema(document(**changes), schema(), lambda _path: 1).findings
        assert any(reason in finding.reason and remedy in finding.remedy for finding in findings), findings

    def test_not_a_schema(self):
        with pytest.raises(ValueError, match="inutilisable"):
            against_schema({}, {"type": 5}, lambda _path: 0)

    @pytest.mark.parametrize(
        "changes",
        [
            {"dateNotification": "2024-13-45"},
            {"dateNotification": "2026-10-12T10:00:00"},
            {"acheteur": {"id": "21620708400016"}},
            {"titulaires": [{"titulaire": {"typeIdentifiant": "SIRET", "id": "abc"}}]},
            {"origineUE": 0.1, "origineFrance": 0.9},
        ],
    )
    def test_gaps_of_the_schema_are_closed(self, changes):
        wrong = document(**changes)
        assert against_schema(wrong, schema(), lambda _path: 0).findings == ()
        assert beyond(**changes).errors


class TestRules:
    def test_a_sound_contract_has_nothing(self):
        assert beyond().findings == ()

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"dateNotification": "2027-01-01"}, "futur"),
            ({"dateNotification": "0202-01-01"}, "invraisemblable"),
            ({"datePublicationDonnees": "2026-10-01"}, "antérieure"),
            ({"attributionAvance": False, "tauxAvance": 0.1}, "taux d'avance"),
            ({"techniques": {"technique": ["Sans objet", "Concours"]}}, "avec une autre valeur"),
            ({"sousTraitanceDeclaree": False, "actesSousTraitance": [{"acteSousTraitance": {}}]}, "sous-traitance"),
        ],
    )
    def test_errors(self, changes, reason):
        assert any(reason in text for text in told(beyond(**changes)))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"dateNotification": "2026-08-01"}, "deux mois"),
            ({"dateNotification": "2023-05-02"}, "avant DECP 2"),
            ({"montant": 12000}, "rien n'oblige"),
            ({"acheteur": {"id": "21590529000015"}}, "n'est pas celui de la commune"),
            ({"montant": 6_000_000}, "5404000"),
            ({"montant": 230_000, "codeCPV": "16310000-1"}, "216000"),
        ],
    )
    def test_warnings(self, changes, reason):
        found = beyond(**changes)
        assert any(reason in text for text in told(found, Level.A_VERIFIER))

    def test_dispensation_follows_the_date_of_notification(self):
        alone = "Marché passé sans publicité ni mise en concurrence préalable"
        before = {"procedure": alone, "codeCPV": "16310000-1", "montant": 50_000, "dateNotification": "2026-03-31"}
        assert any("40000" in text for text in told(beyond(**before), Level.A_VERIFIER))
        assert not any(
            "dispense" in t for t in told(beyond(**before | {"dateNotification": "2026-04-01"}), Level.A_VERIFIER)
        )
        assert in_force(date(2023, 12, 31)) is None

    def test_two_contracts_with_one_number(self):
        twice = document()
        twice["marches"]["marche"].append({**twice["marches"]["marche"][0], "objet": "autre"})
        found = beyond_schema(twice, Judged(TODAY), lambda path: path[2] + 1)
        assert [(finding.line, "numéro déjà pris" in finding.reason) for finding in found.errors] == [(2, True)]

    @settings(max_examples=40, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
            lambda below: (
                st.lists(below, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["marches", "marche", "id", "titulaire", "montant", "dateNotification", "acheteur"]
                    ),
                    below,
                    max_size=3,
                )
            ),
            max_leaves=12,
        )
    )
    def test_no_document_breaks_the_rules(self, anything):
        for candidate in (anything, {"marches": anything}, {"marches": {"marche": [anything]}}):
            beyond_schema(candidate, Judged(TODAY), lambda _path: 0)

    @given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 30))
    def test_months_later(self, day, months):
        later = months_later(day, months)
        assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
        assert later.day == day.day or (later + timedelta(days=1)).month != later.month

    @settings(max_examples=40, deadline=None)
    @given(st.text(alphabet="0123456789-T:Z ", max_size=12))
    def test_days(self, text):
        day = parse_day(text)
        assert day is None or day.isoformat() == text


class TestPositions:
    @settings(max_examples=40, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=5), below, max_size=4),
            max_leaves=20,
        ),
        st.sampled_from([None, 1]),
    )
    def test_reads_what_the_standard_reader_reads(self, value, indent):
        read, lines = read_json(json.dumps(value, indent=indent).encode())
        assert read == value
        assert lines[()] == 1

    def test_lines(self):
        _value, lines = read_json(b'{\n "a": [\n  1,\n  {"b": true}\n ],\n "c": null}')
        assert (lines["a", 0], lines["a", 1, "b"], lines[("c",)]) == (3, 4, 6)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[1,]",
            b'{"a" 1}',
            b"{'a': 1}",
            b"[1] 2",
            b"NaN",
            b'{"a":1,"a":2}',
            b"\xff\xfe",
            b"[" * 100_000,
            b'"\n"',
            b'{"a":1,}',
            b"01",
        ],
    )
    def test_refusals(self, content):
        with pytest.raises(ValueError, match=r"ligne|UTF-8"):
            read_json(content)


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
