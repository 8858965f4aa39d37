# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of files: contributions of many communes joined into one, each part keeping its owner."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.model.tree import Part, Tree, TreeFile, merge_trees

CODES = st.sampled_from(["59529", "62633", "62708", "62001", "2A004"])


def shared(path: str, commune: str | None, content: str = "x\n", **changes: object) -> TreeFile:
    return TreeFile(path, (Part(content, commune),), shared=True, **changes)  # type: ignore[arg-type]


class TestTreeFile:
    def test_a_shared_file_marks_each_part(self):
        file = TreeFile("/etc/x", (Part("a\n"), Part("b\n", "62708")), shared=True)
        assert file.text() == "# >>> plateforme\na\n# >>> 62708\nb\n"

    def test_another_file_is_its_content(self):
        assert TreeFile("/etc/x", (Part("a\n", "62708"),)).text() == "a\n"

    def test_the_module_is_told_everything(self):
        file = TreeFile("/etc/x", (Part("a\n", "62708"),), "0640", "knot", "knot", secret=True, once=True)
        assert file.payload() == {
            "path": "/etc/x",
            "parts": [{"commune": "62708", "content": "a\n"}],
            "shared": False,
            "mode": "0640",
            "owner": "knot",
            "group": "knot",
            "secret": True,
            "once": True,
            "binary": False,
        }


class TestMerge:
    def test_parts_of_a_shared_file_are_joined_the_platform_first(self):
        files = [shared("/etc/x", code) for code in ("62708", None, "59529")]
        tree = merge_trees(Tree("postfix", "messagerie", (file,)) for file in files)["postfix"]
        assert tree.group == "messagerie"
        assert [part.commune for part in tree.files[0].parts] == [None, "59529", "62708"]

    def test_files_are_in_the_order_of_their_paths(self):
        trees = merge_trees([Tree("a", "dns", (shared("/z", None),)), Tree("a", "dns", (shared("/b", None),))])
        assert [file.path for file in trees["a"].files] == ["/b", "/z"]

    def test_a_file_that_is_not_shared_has_one_contributor(self):
        file = TreeFile("/etc/x", (Part("a\n"),))
        with pytest.raises(ValueError, match="contributors disagree"):
            merge_trees([Tree("a", "dns", (file,)), Tree("a", "dns", (file,))])

    @pytest.mark.parametrize("change", [{"mode": "0600"}, {"owner": "knot"}, {"group": "knot"}, {"secret": True}])
    def test_contributors_agree_on_what_a_file_is(self, change):
        with pytest.raises(ValueError, match="contributors disagree"):
            merge_trees([Tree("a", "dns", (shared("/x", None),)), Tree("a", "dns", (shared("/x", "62708", **change),))])

    def test_a_tree_belongs_to_one_group(self):
        with pytest.raises(ValueError, match="claimed by groups"):
            merge_trees([Tree("a", "dns", ()), Tree("a", "messagerie", ())])

    @settings(max_examples=40)
    @given(st.lists(st.tuples(st.sampled_from(["/a", "/b", "/c"]), CODES), unique=True, max_size=15), st.randoms())
    def test_nothing_is_lost_and_order_does_not_matter(self, wishes, random):
        trees = [Tree("t", "dns", (shared(path, code, f"{path} {code}\n"),)) for path, code in wishes]
        merged = merge_trees(trees)
        random.shuffle(trees)
        assert merge_trees(trees) == merged
        kept = {(file.path, part.commune) for tree in merged.values() for file in tree.files for part in file.parts}
        assert kept == set(wishes)
