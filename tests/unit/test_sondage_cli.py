# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie sondage` from its arguments to its exit codes, and the questionnaire's refusals."""

from __future__ import annotations

import json

import pytest

from packmairie.cli.main import run
from packmairie.model.problem import PackmairieError
from packmairie.portail.sondage.questionnaire.model import parse, shipped


@pytest.fixture
def cli(capsys):
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["sondage", *map(str, arguments)])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return code, shown.out, shown.err

    return call


def test_size_is_explained(cli):
    code, out, _err = cli("size", "--population", 1534, "--margin", 5, "--rate", 50)
    assert code == 0
    assert "308 réponses suffisent" in out
    assert "inviter 616" in out
    assert json.loads(cli("size", "--population", 1534, "--json")[1])["reponses"] == 308
    assert cli("size", "--population", 10, "--margin", 0)[0] == 1


def test_frame_then_draw_twice_the_same(cli, tmp_path):
    base, first, second = tmp_path / "base.csv", tmp_path / "a.csv", tmp_path / "b.csv"
    assert cli("frame", "--departement", 59, "--departement", 62, "--to", base)[0] == 0
    code, out, _err = cli("draw", "--frame", base, "--size", 300, "--seed", "Lille", "--to", first)
    assert code == 0
    assert "300 collectivités tirées parmi 1534" in out
    told = json.loads(cli("draw", "--frame", base, "--size", 300, "--seed", "Lille", "--to", second, "--json")[1])
    assert sum(one["tirees"] for one in told["strates"]) == 300
    assert len(told["empreinte"]) == 64
    assert first.read_bytes() == second.read_bytes()
    assert first.read_text("utf-8").count("titulaire") == 300


def test_bad_input_is_one_line(cli, tmp_path):
    assert "aucune commune" in cli("frame", "--departement", 75, "--to", tmp_path / "x.csv")[2]
    code, _out, err = cli("draw", "--frame", tmp_path / "absent", "--size", 3, "--seed", "x", "--to", tmp_path / "y")
    assert code == 1
    assert "illisible" in err
    assert not (tmp_path / "y").exists()


def test_shipped_questionnaire_is_whole():
    found = shipped()
    satisfaction, importance = found.with_role("satisfaction"), found.with_role("importance")
    assert satisfaction is not None
    assert importance is not None
    assert [m.sens for m in satisfaction.modalites] == [2, 1, -1, -2, None]
    assert {line.code for line in importance.lignes} == {line.code for line in satisfaction.lignes}
    assert all(len(line.short) <= 23 for line in satisfaction.lignes)
    assert found.version == 1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: [", "YAML"),
        ("titre: seul", "sections"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
    ],
)
def test_bad_questionnaires_are_refused(text, word):
    with pytest.raises(PackmairieError, match=word):
        parse(text, "essai.yml")


def test_answers_outside_the_questionnaire_are_refused_or_dropped():
    found = shipped()
    section = found.sections[1]
    kept, wrong = found.clean(
        section, {"satisfaction.delai": ["pas"], "satisfaction.suivi": ["DROP"], "satisfaction.contact": ["peu", "pas"],
                  "inconnu": ["x"], "amelioration": ["autre page"]},
    )  # fmt: skip
    assert kept == {"satisfaction.delai": "pas"}
    assert set(wrong) == {"satisfaction.suivi", "satisfaction.contact"}
    kept, wrong = found.clean(found.sections[3], {"amelioration": ["a\x00b\x1b[0m\n" + "é" * 3000]})
    assert "\x00" not in kept["amelioration"]
    assert "2000 au plus" in wrong["amelioration"]
