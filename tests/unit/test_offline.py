# SPDX-License-Identifier: GPL-3.0-or-later
"""``plan --offline``: everything rendered and read again, nothing contacted, no secret opened."""

from __future__ import annotations

import socket
from pathlib import Path

import dns.zone
import pytest
from core_samples import edit, make_pack
from inventory_samples import OEUF

from packmairie.model.problem import PackmairieError
from packmairie.model.record import Record, Zone
from packmairie.model.tree import Part, Tree, TreeFile
from packmairie.operations.offline import LONGEST_LINE, lint_trees, lint_zones, plan_offline, text_fault


@pytest.fixture
def folder(tmp_path):
    return make_pack(tmp_path / "pack")


@pytest.fixture
def _no_network(monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "sendto", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("_no_network")
class TestPlan:
    def test_renders_all_and_contacts_nothing(self, folder):
        counts = plan_offline(folder).counts()
        assert counts["communes"] == 2
        assert counts["zones"] == 3
        assert counts["records"] > 40
        assert counts["files"] > 10
        assert not (folder / "secrets").exists()

    def test_writes_what_a_name_server_would_read(self, folder, tmp_path):
        plan_offline(folder, write_to=tmp_path / "out")
        written = sorted(path.name for path in (tmp_path / "out" / "zones").iterdir())
        assert len(written) == 3
        for name in written:
            origin = name.removesuffix("zone")
            zone = dns.zone.from_text((tmp_path / "out" / "zones" / name).read_text(), origin, check_origin=False)
            assert len(zone.nodes) > 5

    def test_is_the_same_from_one_run_to_the_next(self, folder, tmp_path):
        for name in ("a", "b"):
            plan_offline(folder, write_to=tmp_path / name)
        one, other = (
            {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
            for root in (tmp_path / "a", tmp_path / "b")
        )
        assert one == other
        assert any(path.startswith("hotes/messagerie/etc/postfix") for path in one)

    def test_an_address_that_is_none_is_told_by_octodns(self, folder):
        edit(
            folder / "communes" / OEUF,
            "  dns: geree",
            '  dns: geree\n  enregistrements: [{nom: vieux, type: A, valeurs: ["pas une adresse"]}]',
        )
        with pytest.raises(PackmairieError, match=r"zone oeuf-en-ternois\.fr.*vieux"):
            plan_offline(folder)

    def test_an_unknown_commune_is_an_error(self, folder):
        with pytest.raises(PackmairieError, match="59529"):
            plan_offline(folder, ["59529"])


class TestLint:
    def test_zones(self):
        bad = [
            Zone("a.fr", (Record("x", "A", ("n'importe quoi",)),)),
            Zone("b.fr", (Record("", "MX", ("pas de priorité",)),)),
            Zone("c.fr", (Record("", "MX", ("10 mx.c.fr.",)),)),
        ]
        assert [problem.place for problem in lint_zones(bad)] == ["zone a.fr", "zone b.fr"]

    @pytest.mark.parametrize("path", ["etc/x", "/etc/../shadow", "../x"])
    def test_paths(self, path):
        assert lint_trees([Tree("t", "dns", (TreeFile(path, (Part("a\n"),)),))])

    def test_a_path_claimed_by_two_trees(self):
        trees = [Tree(name, "dns", (TreeFile("/etc/x", (Part("a\n"),)),)) for name in ("a", "b")]
        assert [problem.place for problem in lint_trees(trees)] == ["/etc/x"]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", None),
            ("a\n", None),
            ("a\tb\r\n", None),
            ("a", "dernière ligne"),
            ("a\0b\n", "contrôle"),
            ("\x01\n", "contrôle"),
            ("x" * (LONGEST_LINE + 1) + "\n", "trop longue"),
            ("x\n" * LONGEST_LINE, None),
        ],
    )
    def test_texts(self, text, told):
        fault = text_fault(text)
        assert fault is None if told is None else told in fault

    def test_a_fault_names_its_commune(self):
        (problem,) = lint_trees([Tree("t", "dns", (TreeFile("/etc/x", (Part("a", "62708"),), shared=True),))])
        assert problem.place == "/etc/x (62708)"


def test_no_path_of_the_demonstration_pack_is_written_twice():
    rendered = plan_offline(Path("inventories/demo"))
    paths = [file.path for tree in rendered.trees.values() for file in tree.files]
    assert len(set(paths)) == len(paths)
