# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading one YAML file: lines, and everything that is refused."""

from __future__ import annotations

import os
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packmairie.inventory.scalars import plain_value, starts_with_zero
from packmairie.inventory.source import MAX_BYTES, parse_source, read_source


def only_problem(text: str):
    problems = parse_source("x.yml", text).problems
    assert len(problems) == 1, problems
    return problems[0]


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("", None),
            ("~", None),
            ("null", None),
            ("no", False),
            ("Yes", True),
            ("on", True),
            ("non", "non"),
            ("62708", 62708),
            ("-3", -3),
            ("50.25", 50.25),
            ("1e3", "1e3"),
            (".nan", ".nan"),
            ("12:30:45", "12:30:45"),
            ("2026-11-24", date(2026, 11, 24)),
            ("2026-13-24", "2026-13-24"),
            ("0x1F", "0x1F"),
            ("9" * 400, "9" * 400),
        ],
    )
    def test_plain(self, text, value):
        assert plain_value(text) == value
        assert type(plain_value(text)) is type(value)

    @pytest.mark.parametrize(
        ("text", "expected"), [("01234", True), ("-07", True), ("0", False), ("0.5", False), ("0x1", False)]
    )
    def test_leading_zero(self, text, expected):
        assert starts_with_zero(text) is expected


class TestLines:
    def test_every_node_knows_its_line(self):
        source = parse_source("x.yml", "a: 1\nb:\n  c: deux\n  d:\n    - un\n    - deux\n")
        assert source.problems == []
        root = source.root
        assert root.value == {"a": 1, "b": {"c": "deux", "d": ["un", "deux"]}}
        assert [root.nearest(path).line for path in (("a",), ("b",), ("b", "c"), ("b", "d", 1), ("b", "absent"))] == [
            1,
            2,
            3,
            6,
            2,
        ]
        assert root.text("b", "c") == "deux"
        assert root.text("b") is None

    def test_windows_file(self, tmp_path):
        path = tmp_path / "x.yml"
        path.write_bytes("\ufeffa: 1\r\nb: é\r\n".encode())
        source = read_source(path, tmp_path)
        assert source.problems == []
        assert source.root.value == {"a": 1, "b": "é"}


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("a: &x 1\n", 1, "ancre"),
            ("a: 1\nb: *x\n", 2, "renvoi"),
            ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "étiquette"),
            ("a: !vault x\n", 1, "étiquette"),
            ("a: 1\nb: 2\na: 3\n", 3, "double"),
            ("a:\n\tb: 1\n", 2, "tabulation"),
            ("a: 1\nb: x\x00y\n", 2, "invisible"),
            ("a: 1\nb: x\u202ey\n", 2, "invisible"),
            ("a: 1\nb: x\u2028c: y\n", 2, "invisible"),
            ('a: 1\nb: "x\\u202ey"\n', 2, "invisible"),
            ('a: 1\nb: "x\\ny"\n', 2, "saut de ligne"),
            ("a: |\n  deux\n  lignes\n", 1, "saut de ligne"),
            ("a: 1\n---\nb: 2\n", 2, "second document"),
            ("- a\n- b\n", 1, "clé: valeur"),
            ("juste un texte\n", 1, "clé: valeur"),
            ("", 1, "vide"),
            ("# rien\n", 1, "vide"),
            ("a: 1\nb: 01234\n", 2, "base huit"),
            ("a: 1\nb: {{ x }}\n", 2, "clé composée"),
            ("a: 1\nb: '{{ x }}'\n", 2, "modèle"),
            ("a: $(id)\n", 1, "commande"),
            ("a: x`id`\n", 1, "commande"),
            ("a:\n  '{{k}}': 1\n", 2, "modèle"),
            ("a: 1\nb: Mairie: accueil\n", 2, "deux-points"),
            ("a: 'ouvert\n", 2, "illisible"),
            ("a: [1, 2\n", 2, "illisible"),
            ("a: @x\n", 1, "illisible"),
            ("a: 1\n  b: 2\n", 2, "illisible"),
            ('a: "\\q"\n', 1, "illisible"),
            ('a: "\\ud800"\n', 1, "illisible"),
            ("? [a]\n: 1\n", 1, "clé composée"),
            ("a: " + "[" * 500 + "]" * 500, 1, "niveaux"),
            ("a: " + "{b: " * 500, 1, "niveaux"),
        ],
    )
    def test_with_line_and_remedy(self, text, line, said):
        problem = only_problem(text)
        assert problem.line == line
        assert said in problem.reason
        assert problem.remedy

    def test_bomb_stops_at_the_first_anchor(self):
        bomb = "a: &a [x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(20)
        )
        assert only_problem(bomb).line == 1

    def test_free_keys_keep_template_code(self, tmp_path):
        path = tmp_path / "pack.yml"
        path.write_text("h:\n  connexion:\n    x: '{{ y }}'\n")
        assert read_source(path, tmp_path, free=("connexion",)).problems == []
        assert read_source(path, tmp_path).problems[0].line == 3


class TestFiles:
    def test_not_utf8(self, tmp_path):
        path = tmp_path / "x.yml"
        path.write_bytes("a: 1\nb: é\n".encode("latin-1"))
        problem = read_source(path, tmp_path).problems[0]
        assert problem.line == 2
        assert "UTF-8" in problem.reason

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
    def test_wide_encodings(self, tmp_path, encoding):
        path = tmp_path / "x.yml"
        path.write_bytes("a: 1\n".encode(encoding))
        assert read_source(path, tmp_path).problems

    def test_too_big(self, tmp_path):
        path = tmp_path / "x.yml"
        path.write_bytes(b"a: 1\n" + b"#" * MAX_BYTES)
        assert "256 Kio" in read_source(path, tmp_path).problems[0].reason

    def test_link_that_leaves_the_pack(self, tmp_path):
        (tmp_path / "pack").mkdir()
        (tmp_path / "secret.yml").write_text("a: 1\n")
        (tmp_path / "pack" / "x.yml").symlink_to(tmp_path / "secret.yml")
        assert "lien symbolique" in read_source(tmp_path / "pack" / "x.yml", tmp_path / "pack").problems[0].reason

    def test_link_inside_the_pack_is_fine(self, tmp_path):
        (tmp_path / "y.yml").write_text("a: 1\n")
        (tmp_path / "x.yml").symlink_to("y.yml")
        assert read_source(tmp_path / "x.yml", tmp_path).problems == []

    def test_link_loop_pipe_folder_and_absence(self, tmp_path):
        (tmp_path / "loop.yml").symlink_to("loop.yml")
        (tmp_path / "folder.yml").mkdir()
        os.mkfifo(tmp_path / "pipe.yml")
        for name in ("loop.yml", "folder.yml", "pipe.yml", "absent.yml"):
            source = read_source(tmp_path / name, tmp_path)
            assert source.root is None
            assert len(source.problems) == 1, name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path, data):
    path = tmp_path / "x.yml"
    path.write_bytes(data)
    source = read_source(path, tmp_path)
    assert source.root is not None or source.problems


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`#?, \n\\0127~é"), max_size=80))
def test_any_yaml_like_text_is_read_or_refused(text):
    source = parse_source("x.yml", text)
    assert source.root is not None or source.problems
    assert all(problem.line >= 1 and problem.remedy for problem in source.problems)
