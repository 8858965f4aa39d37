# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of contracts and concessions: identifiers, rows, CSV and JSON files, read as people write them."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marches_samples import BUYER, HOLDER, PLACE, ROW, TODAY, made, official, schema, told

from packmairie.formats.decp.identifiers import holder_fault, luhn, siret_fault
from packmairie.formats.decp.positions import read_json
from packmairie.formats.decp.register import Row, convert, number_of
from packmairie.formats.decp.rules import overdue
from packmairie.formats.decp.schema import against_schema
from packmairie.formats.decp.tabular import read_csv
from packmairie.model.preuve import State


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
