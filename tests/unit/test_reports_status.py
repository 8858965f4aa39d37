# SPDX-License-Identifier: GPL-3.0-or-later
"""Status reports: order, sums, sentences, JSON, CSV, and reading JSON back."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from reports_samples import NOW, checks_of, demo_report, fleet_report, platform_checks, turned

from packmairie.model.preuve import Preuve, State
from packmairie.model.problem import PackmairieError
from packmairie.reports.status_csv import COLUMNS, render_csv
from packmairie.reports.status_json import parse_preuves, read_preuves, render_json
from packmairie.reports.status_report import StatusReport, by_brique, findings, group
from packmairie.reports.synthesis import counts_words, fleet_sentence, platform_sentence, section_sentence


def test_order_does_not_depend_on_when_checks_ended() -> None:
    report = demo_report()
    shuffled = list(report.preuves)
    random.Random(4).shuffle(shuffled)
    assert group(report.communes, shuffled) == report.sections
    assert render_json(shuffled) == render_json(report.preuves)
    assert render_csv(shuffled) == render_csv(report.preuves)
    assert [section.code for section in report.sections] == ["plateforme", "59529", "62633", "62708"]
    first = report.commune_sections[0].briques[1][1][0]
    assert (first.brique, first.rpnt) == ("messagerie", "2.1")


def test_nothing_is_dropped() -> None:
    report = demo_report()
    unchecked = group(report.communes, platform_checks())
    assert [section.state for section in unchecked[1:]] == [State.NON_VERIFIE] * 3
    stranger = platform_checks()[0].model_copy(update={"commune": "62999"})
    assert group((), [stranger])[0].name == "62999"


def test_a_report_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        replace(demo_report(), generated_at=NOW.replace(tzinfo=None))


def test_titles_come_from_the_brique_then_the_criterion_then_the_identifier() -> None:
    report = demo_report()
    titles = {preuve.check: report.title_of(preuve) for preuve in report.preuves}
    assert titles["rpnt-2.4"] == "Serveur de réception publié (MX)"
    assert titles["reception"] == "Un message envoyé de l'extérieur arrive dans contact@"
    assert replace(report, titles={}).title_of(platform_checks()[1]) == "Mises a jour"


def test_numbers_by_brique_and_findings() -> None:
    report = demo_report()
    numbers = {brique: (communes, checks) for brique, communes, checks in by_brique(report.commune_sections)}
    assert numbers["messagerie"][0] == {State.CONFORME: 1, State.NON_CONFORME: 1, State.NON_VERIFIE: 1}
    assert sum(numbers["messagerie"][1].values()) == 36
    found = findings(fleet_report(90).preuves)
    assert [(finding.check, len(finding.codes)) for finding in found] == [("rpnt-2.4", 10), ("rpnt-2.8", 3)]


def test_synthesis_is_a_sentence_for_every_situation() -> None:
    report = demo_report()
    assert fleet_sentence(report) == (
        "Sur 3 communes, 1 fonctionne entièrement, 1 a au moins un point à corriger (Œuf-en-Ternois) et "
        "1 n'a pas pu être entièrement vérifiée (Saint-Aubin)."
    )
    assert platform_sentence(report) == "La plateforme partagée fonctionne."
    fine = replace(report, preuves=tuple(preuve for commune in report.communes for preuve in checks_of(commune)))
    assert fleet_sentence(fine) == "Tout fonctionne dans les 3 communes : 39 contrôles conformes."
    assert platform_sentence(fine) == ""
    one = replace(fine, communes=fine.communes[:1], preuves=tuple(checks_of(fine.communes[0])))
    assert fleet_sentence(one) == "Saint-Aubin : tout fonctionne, les 13 contrôles sont conformes."
    assert fleet_sentence(replace(report, communes=(), preuves=())) == "Ce rapport ne porte sur aucune commune."
    nothing = replace(report, preuves=())
    assert fleet_sentence(nothing).startswith("Sur 3 communes, 3 n'ont pas pu être entièrement vérifiées")
    assert section_sentence(nothing.commune_sections[0]) == "aucun contrôle n'a été fait."
    assert counts_words({}) == "aucun contrôle"
    full = turned(platform_checks(), "disque", State.NON_CONFORME, "2 % libres", "faire de la place")
    assert platform_sentence(replace(report, preuves=tuple(full))) == (
        "La plateforme partagée a 1 point à corriger, ce qui peut toucher toutes les communes."
    )
    silent = turned(platform_checks(), "disque", State.NON_VERIFIE, "pas de réponse", "relancer")
    assert "n'a pas pu" in platform_sentence(replace(report, preuves=tuple(silent)))


def test_json_has_the_published_keys_and_reads_back(tmp_path: Path) -> None:
    report = demo_report()
    text = render_json(report.preuves)
    objects = json.loads(text)
    base = {"commune", "brique", "check", "state", "measured", "expected", "remedy", "at"}
    assert {frozenset(item) for item in objects} == {frozenset(base), frozenset(base | {"rpnt"})}
    assert {item["state"] for item in objects} == {"conforme", "non_conforme", "non_verifie"}
    assert objects[0]["at"] == "2026-11-24T06:21:00Z"
    path = tmp_path / "etat.json"
    path.write_text(text, encoding="utf-8")
    assert set(read_preuves(path)) == set(report.preuves)
    assert render_json(read_preuves(path)) == text
    assert parse_preuves("[]", "vide") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "etat.json:1: n'est pas du JSON valable"),
        ("[\n{,", "etat.json:2: n'est pas du JSON valable"),
        ('{"commune": "62708"}', "ne contient pas une liste"),
        ("[3]", "preuve n° 1: n'est pas un objet"),
        ('[{"commune": "62708"}]', "« state » manque"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_a_bad_file_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(PackmairieError, match="packmairie status --json") as caught:
        parse_preuves(text, "etat.json")
    assert words in str(caught.value)


def test_bad_preuves_are_all_told_up_to_ten() -> None:
    good = json.loads(render_json(demo_report().preuves))
    bad = [{**good[0], "state": "vert"}, good[1], {**good[2], "couleur": "bleu"}, {**good[3], "at": "hier"}]
    with pytest.raises(PackmairieError) as caught:
        parse_preuves(json.dumps(bad), "etat.json")
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["preuve n° 1", "preuve n° 3", "preuve n° 4"]
    assert "« state » a une valeur inattendue" in lines[0]
    assert "« couleur » est inconnu" in lines[1]
    with pytest.raises(PackmairieError) as many:
        parse_preuves(json.dumps([1] * 50), "etat.json")
    assert len(many.value.problems) == 10
    no_remedy = {**good[0], "state": "non_conforme", "remedy": ""}
    with pytest.raises(PackmairieError, match="sans « remedy »"):
        parse_preuves(json.dumps([no_remedy]), "etat.json")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PackmairieError, match="ne peut pas être lu"):
        read_preuves(tmp_path / "absent.json")
    binary = tmp_path / "binaire.json"
    binary.write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(PackmairieError, match="UTF-8"):
        read_preuves(binary)


def test_csv_has_the_json_keys_and_one_line_a_preuve() -> None:
    report = demo_report()
    rows = list(csv.DictReader(io.StringIO(render_csv(report.preuves))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(report.preuves)
    assert {row["rpnt"] for row in rows} >= {"", "2.1", "2.8"}
    for_spreadsheet = render_csv(report.preuves, for_spreadsheet=True)
    assert for_spreadsheet.startswith("\ufeffcommune;brique;check")


def test_csv_cells_are_not_formulas() -> None:
    hostile = Preuve(
        commune="62708",
        brique="messagerie",
        check="spf",
        state=State.CONFORME,
        measured='=HYPERLINK("http://x.example";"ici")',
        expected='deux\nlignes; et, des "guillemets" \0',
    )
    row = next(csv.DictReader(io.StringIO(render_csv([hostile]))))
    assert row["measured"].startswith("'=HYPERLINK")
    assert row["expected"] == 'deux\nlignes; et, des "guillemets" \ufffd'


def test_an_empty_report_is_a_report() -> None:
    report = demo_report()
    empty = StatusReport("p", report.operator, NOW, (), ())
    assert empty.sections == ()
    assert render_json(()) == "[]\n"
    assert render_csv(()).splitlines() == [",".join(COLUMNS)]
