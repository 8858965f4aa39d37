# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as text, Markdown and JSON."""

from __future__ import annotations

import io
import json
import re

from packmairie.model.change import Action, Change, Plan
from packmairie.reports.plan_json import render_plan_json
from packmairie.reports.plan_markdown import render_plan_markdown
from packmairie.reports.plan_text import NOTHING_TO_CHANGE, PlanView
from packmairie.reports.terminal import make_console

NAMES = {"62708": "Riencourt-lès-Bapaume", "62633": "Œuf-en-Ternois", "59529": "Saint-Aubin"}
DIFF = "--- a/main.cf\n+++ b/main.cf\n@@ -1 +1 @@\n-message_size_limit = 10240000\n+message_size_limit = 26214400\n"
PLAN = Plan(
    changes=(
        Change("62708", "messagerie", "riencourt-les-bapaume.fr", Action.CREATE, "MX 10 mx.pack.example."),
        Change("62708", "messagerie", "plateforme", Action.CREATE, "boîte contact@riencourt-les-bapaume.fr"),
        Change("plateforme", "messagerie", "plateforme", Action.UPDATE, "/etc/postfix/main.cf", DIFF),
        Change("62633", "dns", "oeuf-en-ternois.fr", Action.DELETE, "TXT ancien"),
    ),
    unforeseen=("plateforme : configuration de Dovecot, paquet pas encore installé",),
    communes=("62708", "62633", "59529"),
)


def text_of(plan: Plan, *, detail: bool = False, width: int = 80) -> str:
    output = io.StringIO()
    make_console(output, width=width).print(PlanView(plan, NAMES, detail=detail))
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def test_text_is_grouped_signed_and_counted() -> None:
    text = text_of(PLAN)
    places = [text.index(name) for name in ("Plateforme partagée", "Œuf-en-Ternois (62633)", "Riencourt")]
    assert places == sorted(places)
    assert "    + MX 10 mx.pack.example.  (riencourt-les-bapaume.fr)" in text
    assert "    ~ /etc/postfix/main.cf  (plateforme)" in text
    assert "    - TXT ancien  (oeuf-en-ternois.fr)" in text
    assert "        +message_size_limit = 26214400" in text
    assert "? plateforme : configuration de Dovecot" in text
    assert "2 créations, 1 modification et 1 suppression pour 2 communes et la plateforme." in text
    assert "1 commune sans changement." in text


def test_nothing_to_change_is_said_only_when_it_is_known() -> None:
    assert text_of(Plan(())) == NOTHING_TO_CHANGE
    unsure = text_of(Plan((), unforeseen=("x",)))
    assert NOTHING_TO_CHANGE not in unsure
    assert "tout n'a pas pu être prévu" in unsure
    assert NOTHING_TO_CHANGE in render_plan_markdown(Plan(()), NAMES)


def test_long_diffs_are_cut_unless_detailed() -> None:
    long = "\n".join(f"+ligne {number}" for number in range(30))
    plan = Plan((Change("62708", "dns", "zone", Action.UPDATE, "zone", long),))
    assert "… 10 autres lignes (--detail)" in text_of(plan)
    assert "+ligne 29" in text_of(plan, detail=True)


def test_a_fleet_shows_no_diff_unless_detailed() -> None:
    plan = Plan(tuple(Change(f"62{n:03}", "dns", "zone", Action.UPDATE, "SOA", "+serial") for n in range(30)))
    assert "+serial" not in text_of(plan)
    assert "--detail" in text_of(plan)
    assert "+serial" in text_of(plan, detail=True)


def test_hostile_values_cannot_drive_the_terminal() -> None:
    hostile = "\x1b[2J[red]\x9b"
    text = text_of(Plan((Change("1", hostile, hostile, Action.CREATE, hostile, hostile),), (hostile,)))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_json_is_the_whole_plan() -> None:
    data = json.loads(render_plan_json(PLAN))
    assert data["counts"] == {"create": 2, "update": 1, "delete": 1}
    assert [change["commune"] for change in data["changes"]] == ["plateforme", "62633", "62708", "62708"]
    assert data["changes"][0]["detail"] == DIFF


def test_markdown_has_a_table_and_one_fold_a_commune() -> None:
    text = render_plan_markdown(PLAN, NAMES)
    assert "| Riencourt-lès-Bapaume (62708) | 2 |  |  |" in text
    assert text.count("<details>") == text.count("</details>") == 3
    assert "<summary>Œuf-en-Ternois (62633) : 1 changement</summary>" in text
    assert "\n  ```diff\n  --- a/main.cf\n" in text
    assert "- plateforme : configuration de Dovecot" in text


def test_markdown_content_cannot_leave_its_fence_its_cell_or_its_span() -> None:
    hostile = "```\n</details>\n# titre `x` | <script> ````` [a](http://x.example)"
    plan = Plan((Change("1", hostile, hostile, Action.CREATE, hostile, hostile),), (hostile,))
    text = render_plan_markdown(plan, {"1": hostile})
    fence = re.search(r"^  (`{3,})diff$", text, re.MULTILINE)
    assert fence is not None
    assert len(fence.group(1)) == 6
    body = text[fence.end() : text.index(f"\n  {fence.group(1)}\n", fence.end())]
    assert "# titre" in body
    outside = text.replace(body, "")
    assert not re.search(r"^# titre", outside, re.MULTILINE)
    assert outside.count("</details>") - outside.count("`</details>") >= 1
    row = next(line for line in outside.splitlines() if line.startswith("| ") and "1 |" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    summary = next(line for line in outside.splitlines() if "<summary>" in line)
    assert "<script>" not in summary


def test_markdown_fits_in_a_merge_request() -> None:
    big = "\n".join("+" + "x" * 70 for _ in range(200))
    plan = Plan(tuple(Change(f"62{n:03}", "dns", f"z{n}.fr", Action.UPDATE, "zone", big) for n in range(887)))
    text = render_plan_markdown(plan, NAMES)
    assert len(text) <= 60_000
    assert text.count("<details>") == text.count("</details>")
    assert "ne tient pas dans ce message" in text
    small = render_plan_markdown(plan, NAMES, maximum=2_000)
    assert len(small) <= 2_000
    assert "autres |" in small
