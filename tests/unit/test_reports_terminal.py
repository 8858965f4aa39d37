# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal reports: status and what changed since, at any width, with and without colours."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from reports_samples import NOW, checks_of, demo_report, fleet_report
from rich.console import Console, RenderableType

from packmairie.model.preuve import Preuve, State, changed_since
from packmairie.reports.since import SinceView, Turn, render_since_json, turn_of
from packmairie.reports.status_terminal import StatusView
from packmairie.reports.terminal import make_console


def shown(renderable: RenderableType, width: int = 80) -> str:
    output = io.StringIO()
    make_console(output, width=width).print(renderable)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def words_of(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [40, 80, 109, 110, 140, 220])
def test_no_line_is_wider_than_the_terminal_and_nothing_needed_is_lost(width: int) -> None:
    text = shown(StatusView(demo_report(), detail=True), width)
    assert max(map(len, text.splitlines())) <= width
    if width < 60:
        return
    for fragment in ("✘ non conforme", "? non vérifié", "✔ conforme", "rpnt-2.4", "Saint-Aubin 59529"):
        assert fragment in text


def test_80_columns_say_what_is_wrong_and_what_to_do() -> None:
    text = shown(StatusView(demo_report()))
    assert "✘ Œuf-en-Ternois 62633 : 11 conformes, 2 non conformes" in text
    assert "mesuré  : 10 mx1.ancien-hebergeur.example." in text
    assert "attendu : 10 mx.pack.example." in text
    assert "→ publiez « MX 10 mx.pack.example. » chez le gestionnaire du domaine" in text
    assert "il y a 3 min" in text
    assert "Messagerie  ✔ 12 contrôles conformes, il y a 3 min" in text
    assert "rpnt-2.5" not in text
    assert "3 communes : 1 conforme, 1 non conforme, 1 non vérifiée" in text
    assert "43 contrôles : 40 conformes, 2 non conformes, 1 non vérifié" in text
    assert text.index("Plateforme") < text.index("59529") < text.index("62633") < text.index("62708")


def test_detail_shows_every_check() -> None:
    report = demo_report()
    text = words_of(shown(StatusView(report, detail=True), 400))
    for preuve in report.preuves:
        assert preuve.measured in text
        assert preuve.expected in text


@pytest.mark.slow
def test_a_fleet_is_summed_up_by_cause() -> None:
    text = shown(StatusView(fleet_report(905)))
    assert len(text.splitlines()) < 80
    assert re.search(r"non conforme +Messagerie : rpnt-2.4 .* 101 communes", text)
    assert "… et 87 autres communes" in text
    assert "905 communes : 778 conformes, 101 non conformes, 26 non vérifiées" in text


def test_a_fine_fleet_is_a_few_lines() -> None:
    report = fleet_report(30)
    fine = tuple(preuve for commune in report.communes for preuve in checks_of(commune))
    assert shown(StatusView(replace(report, preuves=fine))).splitlines() == [
        "30 communes : 30 conformes",
        "390 contrôles : 390 conformes",
    ]


def test_the_criterion_is_named_when_the_identifier_does_not_say_it() -> None:
    preuve = checks_of(demo_report().communes[0])[3].model_copy(update={"check": "mx"})
    text = shown(StatusView(replace(demo_report(), preuves=(preuve,)), detail=True))
    assert "mx [RPNT 2.4]" in text


def test_colours_only_on_a_terminal_and_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "\x1b" not in shown(StatusView(demo_report()))
    assert "\x1b[1;31m" in on_a_terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", on_a_terminal())


def on_a_terminal() -> str:
    console = Console(
        file=io.StringIO(), force_terminal=True, width=80, color_system="standard", markup=False, highlight=False
    )
    console.print(StatusView(demo_report()))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_hostile_values_cannot_drive_the_terminal() -> None:
    hostile = "\x1b]0;titre\x07[bold red]:smile:\r\x9b2J"
    preuve = Preuve(
        commune="62999",
        brique=hostile,
        check=hostile,
        state=State.NON_CONFORME,
        measured=hostile,
        expected=hostile,
        remedy=hostile,
        rpnt=hostile,
    )
    for width in (80, 140):
        text = shown(StatusView(replace(demo_report(), preuves=(preuve,))), width)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert "[bold red]:smile:" in text
    text = shown(SinceView([(None, preuve)], {}, NOW))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_since_shows_only_what_changed() -> None:
    report = demo_report()
    before = [preuve for commune in report.communes for preuve in checks_of(commune)][:-1]
    gone = before[0].model_copy(update={"check": "ancien"})
    pairs = changed_since([*before, gone], report.preuves)
    text = shown(SinceView(pairs, report.names, NOW, report.preuves[0].at))
    assert "Messagerie, rpnt-2.4 : ✔ conforme → ✘ non conforme" in text
    assert "ancien : ✔ conforme → n'est plus contrôlé" in text.replace(" [RPNT 2.1]", "")
    assert "dnssec : nouveau, ✔ conforme" in text
    assert "rpnt-2.5" not in text
    conclusion = "3 dégradations, 5 contrôles nouveaux et 1 contrôle disparu depuis le relevé précédent (il y a 3 min)."
    assert conclusion in words_of(text)
    objects = json.loads(render_since_json(pairs))
    assert len(objects) == len(pairs) == 9
    assert {item["turn"] for item in objects} == {"degrade", "apparu", "disparu"}
    assert [item["after"] for item in objects if item["turn"] == "disparu"] == [None]
    back = changed_since(report.preuves, [*before, gone])
    assert {turn_of(pair) for pair in back} == {Turn.BETTER, Turn.APPEARED, Turn.VANISHED}


def test_since_nothing() -> None:
    assert shown(SinceView([], {}, NOW)) == "Rien n'a changé d'état depuis le relevé précédent."
    assert render_since_json([]) == "[]\n"
    with pytest.raises(ValueError, match="at least one"):
        turn_of((None, None))
