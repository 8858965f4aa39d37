# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, folders and secrets that ``packmairie_tree`` lays and removes; the user running the tests suffices."""

from __future__ import annotations

import json

import pytest
from tree_module_samples import GROUP, OWNER, made_host, sent

from packmairie.model.tree import Part, TreeFile


@pytest.fixture
def host(tmp_path, capsys, monkeypatch):
    return made_host(tmp_path, capsys, monkeypatch)


class TestFiles:
    def test_creates_with_its_mode_and_owner(self, host):
        file = host.file("a/b/x.conf", ("62708", "un\n"), mode="0640")
        assert host.told(file) == [("create", "x.conf", "62708")]
        path = host.etc / "a/b/x.conf"
        assert path.read_text() == "un\n"
        assert path.stat().st_mode & 0o7777 == 0o640
        assert (path.owner(), path.group()) == (OWNER, GROUP)
        assert (host.etc / "a").stat().st_mode & 0o7777 == 0o755

    def test_octets_that_are_no_text(self, host, tmp_path):
        source = tmp_path / "Procès-verbal.pdf"
        source.write_bytes(b"%PDF-1.7\n\xff\xfe\x00\r\n")
        laid = host.etc / "d" / "Procès-verbal.pdf"
        file = TreeFile(str(laid), (Part("", "62633", str(source)),), owner=OWNER, group=GROUP)
        assert host.told(file) == [("create", "Procès-verbal.pdf", "62633")]
        assert laid.read_bytes() == source.read_bytes()
        assert host.told(file, phase="inspect") == host.told(file) == []
        laid.write_bytes(b"%PDF-1.7\n\xff\xfe\x00\r\r")
        result = host.run(file)
        assert [(change["action"], change["commune"]) for change in result["changes"]] == [("update", "62633")]
        assert "14 octets" in result["changes"][0]["detail"]
        assert laid.read_bytes() == source.read_bytes()

    def test_a_second_run_changes_nothing(self, host):
        files = (host.file("x", ("62708", "un\n")), host.file("y", (None, "a\n"), ("62708", "b\n"), shared=True))
        options = {"directories": [{"path": str(host.etc / "d"), "mode": "0750", "owner": OWNER, "group": GROUP}]}
        assert host.run(*files, **options)["changed"]
        before = host.snapshot()
        for phase in ("inspect", "apply"):
            result = host.run(*files, phase=phase, **options)
            assert result["changed"] is False
            assert result["changes"] == []
        assert host.snapshot() == before

    def test_updates_and_shows_the_difference(self, host):
        host.run(host.file("x", ("62708", "un\ndeux\n")))
        result = host.run(host.file("x", ("62708", "un\ntrois\n")))
        (change,) = result["changes"]
        assert (change["action"], change["commune"]) == ("update", "62708")
        assert "-deux" in change["detail"]
        assert "+trois" in change["detail"]
        assert host.text("x") == "un\ntrois\n"

    def test_deletes_what_it_owned_and_says_whose_it_was(self, host):
        host.run(host.file("x", ("62708", "un\n")), host.file("y", ("62633", "deux\n")))
        assert host.told(host.file("y", ("62633", "deux\n"))) == [("delete", "x", "62708")]
        assert not (host.etc / "x").exists()

    def test_leaves_what_it_never_owned(self, host):
        (host.etc / "autre").write_text("d'un autre")
        host.run(host.file("x", (None, "un\n")))
        host.run(host.file("y", (None, "un\n")))
        assert host.text("autre") == "d'un autre"

    def test_mends_attributes_alone(self, host):
        host.run(host.file("x", ("62708", "un\n"), mode="0640"))
        (host.etc / "x").chmod(0o666)
        inode = (host.etc / "x").stat().st_ino
        (change,) = host.run(host.file("x", ("62708", "un\n"), mode="0640"))["changes"]
        assert (change["action"], change["commune"], change["detail"]) == (
            "update",
            "62708",
            f"droits 0640 {OWNER}:{GROUP}",
        )
        assert (host.etc / "x").stat().st_mode & 0o777 == 0o640
        assert (host.etc / "x").stat().st_ino == inode

    def test_a_binary_in_the_way_is_replaced(self, host):
        (host.etc / "x").write_bytes(b"\xff\xfe\0")
        assert host.told(host.file("x", (None, "un\n"))) == [("update", "x", None)]
        assert host.text("x") == "un\n"

    def test_once_files_belong_to_their_service_afterwards(self, host):
        seed = host.file("x.zone", ("62708", "graine\n"), once=True)
        assert host.told(seed) == [("create", "x.zone", "62708")]
        (host.etc / "x.zone").write_text("signée")
        assert host.told(host.file("x.zone", ("62708", "autre\n"), once=True)) == []
        assert host.told() == []
        assert host.text("x.zone") == "signée"


class TestExclusive:
    def test_nothing_else_may_stand_there(self, host):
        (host.etc / "communes/sous").mkdir(parents=True)
        (host.etc / "communes/intrus.conf").write_text("x")
        (host.etc / "communes/sous/intrus").write_text("x")
        (host.etc / "voisin").write_text("x")
        told = host.told(host.file("communes/a", (None, "a\n")), exclusive=[str(host.etc / "communes")])
        assert set(told) == {("create", "a", None), ("delete", "intrus.conf", None), ("delete", "intrus", None)}
        assert (host.etc / "voisin").exists()

    def test_a_folder_emptied_goes_with_its_files(self, host):
        """The web front admits a certificate for each name that has a folder."""
        folder = host.etc / "communes"
        page = host.file("communes/mta-sts.ancien.fr/.well-known/mta-sts.txt", ("62708", "x\n"))
        other = host.file("communes/mta-sts.autre.fr/.well-known/mta-sts.txt", ("62633", "x\n"))
        host.run(page, other, exclusive=[str(folder)])
        host.run(other, exclusive=[str(folder)])
        assert [path.name for path in folder.iterdir()] == ["mta-sts.autre.fr"]
        host.run(exclusive=[str(folder)])
        assert list(folder.iterdir()) == []
        assert folder.is_dir()

    def test_a_link_to_a_folder_is_removed_and_not_entered(self, host):
        outside = host.root / "dehors"
        outside.mkdir()
        (outside / "x").write_text("intact")
        folder = host.etc / "communes"
        folder.mkdir()
        (folder / "lien").symlink_to(outside)
        assert host.told(exclusive=[str(folder)]) == [("delete", "lien", None)]
        assert (outside / "x").read_text() == "intact"
        assert not (folder / "lien").is_symlink()

    def test_a_wished_directory_stays(self, host):
        folder = {"path": str(host.etc / "communes/garde"), "mode": "0750", "owner": OWNER, "group": GROUP}
        options = {"exclusive": [str(host.etc / "communes")], "directories": [folder]}
        host.run(host.file("communes/garde/x", (None, "x\n")), **options)
        host.run(**options)
        assert (host.etc / "communes/garde").is_dir()
        assert host.run(**options)["changed"] is False


class TestDirectories:
    def test_are_created_then_mended(self, host):
        wish = {"path": str(host.etc / "a/b"), "mode": "0750", "owner": OWNER, "group": GROUP}
        assert host.told(directories=[wish]) == [("create", "b", None)]
        (host.etc / "a/b").chmod(0o700)
        assert host.told(directories=[wish]) == [("update", "b", None)]
        assert (host.etc / "a/b").stat().st_mode & 0o777 == 0o750


CANARY = "canari-7f3a"


class TestSecret:
    def test_content_is_in_no_result_and_no_log(self, host):
        first = host.file("cle", ("62708", f"{CANARY}\n"), secret=True, mode="0600")
        second = host.file("cle", ("62708", f"{CANARY}-nouveau\n"), secret=True, mode="0600")
        for file in (first, second):
            result = host.run(file)
            assert result["changed"]
            result.pop("invocation")
            assert CANARY not in json.dumps(result)
        assert host.text("cle") == f"{CANARY}-nouveau\n"
        assert (host.etc / "cle").stat().st_mode & 0o777 == 0o600
        content = sent(second)["parts"][0]["content"]
        assert host.log
        assert not any(CANARY in line or content in line or content[:12] in line for line in host.log)

    def test_but_the_change_is_told(self, host):
        host.run(host.file("cle", ("62708", "a\n"), secret=True))
        (change,) = host.run(host.file("cle", ("62708", "b\n"), secret=True))["changes"]
        assert (change["action"], change["commune"], change["detail"]) == ("update", "62708", "(contenu secret)")
