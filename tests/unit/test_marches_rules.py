# SPDX-License-Identifier: GPL-3.0-or-later
"""Contracts verified with the official schema and beyond it."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marches_samples import DECP, HOLDER, TODAY, beyond, document, made, official, schema, told

from packmairie.formats.decp.rules import Judged, beyond_schema, months_later, parse_day
from packmairie.formats.decp.schema import against_schema
from packmairie.formats.decp.thresholds import in_force
from packmairie.formats.findings import Level


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
