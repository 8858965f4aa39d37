# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose change each part of a shared file is, in ``packmairie_tree``, and runs about one commune alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_module_samples import COMPARISON, TEXT_OF_PARTS, made_host

from packmairie.model.tree import Part, TreeFile


@pytest.fixture
def host(tmp_path, capsys, monkeypatch):
    return made_host(tmp_path, capsys, monkeypatch)


class TestAttribution:
    def test_each_part_of_a_shared_file_is_its_commune_s_change(self, host):
        def boxes(*parts):
            return host.file("boites", *parts, shared=True)

        first = boxes((None, "p\n"), ("62633", "o\n"), ("62708", "r\n"))
        assert set(host.told(first)) == {("create", "boites", code) for code in (None, "62633", "62708")}
        second = boxes((None, "p\n"), ("59529", "s\n"), ("62708", "R\n"))
        assert set(host.told(second)) == {
            ("create", "boites", "59529"),
            ("update", "boites", "62708"),
            ("delete", "boites", "62633"),
        }
        assert host.text("boites") == "# >>> plateforme\np\n# >>> 59529\ns\n# >>> 62708\nR\n"

    def test_the_host_s_copy_is_the_controller_s(self, host):
        file = host.file("boites", (None, "p\n"), ("62633", "o\n"), ("62708", ""), shared=True)
        host.run(file)
        assert host.text("boites") == file.text()

    def test_text_without_a_mark_is_nobody_s_and_goes(self, host):
        (host.etc / "boites").write_text("à la main\n# >>> 62708\nr\n")
        assert host.told(host.file("boites", ("62708", "r\n"), shared=True)) == [("delete", "boites", None)]
        assert host.text("boites") == "# >>> 62708\nr\n"


class TestSelection:
    def test_others_parts_and_files_are_left_alone(self, host):
        def state(number: str):
            return (
                host.file("boites", *((code, f"{code} {number}\n") for code in (None, "62633", "62708")), shared=True),
                host.file("62633.key", ("62633", f"{number}\n")),
                host.file("62708.key", ("62708", f"{number}\n")),
                host.file("main.cf", (None, f"{number}\n")),
            )

        host.run(*state("1"))
        told = host.told(*state("2"), communes=["62708"])
        assert set(told) == {
            ("update", "boites", None),
            ("update", "boites", "62708"),
            ("update", "62708.key", "62708"),
            ("update", "main.cf", None),
        }
        assert host.text("boites") == "# >>> plateforme\nplateforme 2\n".replace("plateforme 2", "None 2") + (
            "# >>> 62633\n62633 1\n# >>> 62708\n62708 2\n"
        )
        assert host.text("62633.key") == "1\n"

    def test_nothing_of_another_s_is_removed_until_its_turn(self, host):
        folder = [str(host.etc)]
        both = [host.file(f"{code}.key", (code, "x\n")) for code in ("62633", "62708")]
        host.run(*both, exclusive=folder)
        assert host.told(both[1], communes=["62708"], exclusive=folder) == []
        assert (host.etc / "62633.key").exists()
        assert host.told(both[1], exclusive=folder) == [("delete", "62633.key", "62633")]

    def test_removing_the_selected_one(self, host):
        both = [host.file(f"{code}.key", (code, "x\n")) for code in ("62633", "62708")]
        host.run(*both)
        assert host.told(both[0], communes=["62708"]) == [("delete", "62708.key", "62708")]

    def test_it_need_not_carry_the_others(self, host):
        """A run about one commune brings its files alone: nothing else may go, even when the list of owners is lost."""
        mine, theirs, platform = (
            host.file("62708.key", ("62708", "a\n")),
            host.file("62633.key", ("62633", "b\n")),
            host.file("platform", (None, "c\n")),
        )
        shared = host.file("map", ("62633", "d\n"), shared=True)
        folder = [str(host.etc)]
        host.run(mine, theirs, platform, shared, exclusive=folder)
        assert host.told(mine, communes=["62708"], exclusive=folder) == []
        state = Path(COMPARISON.STATE_FOLDER) / "essai.json"
        assert set(json.loads(state.read_text())["owned"].values()) == {"62708", "62633", None}
        state.unlink()
        assert host.told(mine, communes=["62708"], exclusive=folder) == []
        for name in ("62633.key", "platform", "map"):
            assert (host.etc / name).exists()

    def test_a_new_commune_is_inserted_among_the_others(self, host):
        host.run(host.file("boites", ("59529", "s\n"), ("62708", "r\n"), shared=True))
        wished = host.file("boites", ("59529", "S\n"), ("62633", "o\n"), ("62708", "R\n"), shared=True)
        host.run(wished, communes=["62633"])
        assert host.text("boites") == "# >>> 59529\ns\n# >>> 62633\no\n# >>> 62708\nr\n"


LINES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20).map(
    lambda text: text.replace("\n", " ") + "\n"
)
CONTENTS = st.lists(LINES.filter(lambda line: not TEXT_OF_PARTS.PART_MARK.match(line)), max_size=4).map("".join)
PARTS = st.dictionaries(st.sampled_from(["plateforme", "59529", "62633", "62708", "2A004"]), CONTENTS, max_size=5)


class TestMarks:
    @settings(max_examples=40)
    @given(PARTS)
    def test_what_is_joined_is_split_back(self, parts):
        assert TEXT_OF_PARTS.split_parts(TEXT_OF_PARTS.join_parts(parts)) == parts

    @settings(max_examples=40)
    @given(PARTS)
    def test_the_controller_joins_in_the_same_way(self, parts):
        names = sorted(parts, key=lambda name: "" if name == "plateforme" else name)
        file = TreeFile(
            "/x",
            tuple(Part(parts[name], None if name == "plateforme" else name) for name in names),
            shared=True,
        )
        assert file.text() == TEXT_OF_PARTS.join_parts(parts)

    @settings(max_examples=40)
    @given(st.text(max_size=200))
    def test_any_text_is_split_without_loss(self, text):
        parts = TEXT_OF_PARTS.split_parts(text)
        assert sum(len(content) for content in parts.values()) <= len(text)
        if "# >>> " not in text:
            assert parts in ({}, {None: text})

    @pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
    def test_a_mark_begins_a_line_and_nothing_else_does(self, separator):
        text = f"# >>> 62708\nx{separator}# >>> 62633\ny\n"
        assert list(TEXT_OF_PARTS.split_parts(text)) == ["62708"]
