# SPDX-License-Identifier: GPL-3.0-or-later
"""``packmairie_tree`` as Ansible runs it, on a folder that stands for a host; the user running the tests suffices."""

from __future__ import annotations

import base64
import errno
import getpass
import grp
import hashlib
import importlib.util
import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.engines.first_look import LIBRARIES
from packmairie.model.tree import Part, TreeFile

SOURCE = Path(__file__).parents[2] / "plugins/modules/packmairie_tree.py"
OWNER, GROUP = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
CANARY = "canari-7f3a"


def load(name: str, path: Path):
    """Load a file of plugins/ under the name by which Ansible sends it."""
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


for companion in LIBRARIES:
    load(f"ansible.module_utils.{companion}", SOURCE.parents[1] / f"module_utils/{companion}.py")
MODULE = load("packmairie_tree", SOURCE)
COMPARISON = sys.modules["ansible.module_utils.packmairie_comparison"]
TEXT_OF_PARTS = sys.modules["ansible.module_utils.packmairie_parts"]


class Host:
    """A folder in the place of a host's root, on which the module is run."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys
        self.etc = root / "etc"
        self.etc.mkdir()
        self.log: list[str] = []

    def file(self, name: str, *parts: tuple[str | None, str], **options: Any) -> TreeFile:
        owner = {"owner": OWNER, "group": GROUP} | options
        return TreeFile(str(self.etc / name), tuple(Part(text, commune) for commune, text in parts), **owner)

    def run(self, *files: TreeFile, phase: str = "apply", check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module once; return what it printed."""
        arguments = {"tree": "essai", "phase": phase, "files": [sent(file) for file in files], **options}
        arguments |= {"_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            MODULE.main()
        return json.loads(self.capsys.readouterr().out)

    def told(self, *files: TreeFile, **options: Any) -> list[tuple[str, str, str | None]]:
        """Run it and return (action, name, commune) of each change."""
        result = self.run(*files, **options)
        assert not result.get("failed"), result["msg"]
        return [(entry["action"], Path(entry["path"]).name, entry["commune"]) for entry in result["changes"]]

    def text(self, name: str) -> str:
        return (self.etc / name).read_text(encoding="utf-8")

    def snapshot(self) -> dict[str, Any]:
        """Return everything under the root: content or target, mode, inode."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            info = path.lstat()
            content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
            found[str(path.relative_to(self.root))] = (content, info.st_mode, info.st_ino)
        return found


def sent(file: TreeFile) -> dict[str, Any]:
    """Return a file as the action plugin sends it."""
    wish = file.payload()
    for part in wish["parts"]:
        raw = Path(part["source"]).read_bytes() if part.get("source") else part["content"].encode("utf-8")
        part["sha256"] = hashlib.sha256(raw).hexdigest()
        part["content"] = base64.b64encode(zlib.compress(raw)).decode("ascii")
    return wish


@pytest.fixture
def host(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(COMPARISON, "STATE_FOLDER", str(tmp_path / "var/lib/packmairie/trees"))
    made = Host(tmp_path, capsys)
    monkeypatch.setattr(
        MODULE.AnsibleModule, "log", lambda _self, message, log_args=None: made.log.append(str(message))
    )
    return made


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


class TestCheckMode:
    @pytest.mark.parametrize("phase", ["inspect", "apply"])
    @pytest.mark.parametrize("fresh", [True, False])
    def test_writes_nothing(self, host, phase, fresh):
        if not fresh:
            host.run(host.file("x", ("62708", "un\n")), host.file("parti", ("62633", "un\n")))
        (host.etc / ".packmairie-tree-reste").write_text("x")
        before = host.snapshot()
        result = host.run(
            host.file("x", ("62708", "deux\n")),
            host.file("n/y", (None, "trois\n")),
            phase=phase,
            check=True,
            directories=[{"path": str(host.etc / "d"), "mode": "0750", "owner": OWNER, "group": GROUP}],
            exclusive=[str(host.etc)],
        )
        assert result["changed"] is True
        assert host.snapshot() == before

    def test_foresees_what_applying_does(self, host):
        host.run(host.file("x", ("62708", "un\n")), host.file("parti", ("62633", "un\n")))
        files = (host.file("x", ("62708", "deux\n")), host.file("n/y", (None, "trois\n")))
        assert host.told(*files, check=True) == host.told(*files)

    def test_a_user_that_does_not_exist_yet_is_no_obstacle(self, host):
        file = host.file("x", (None, "un\n"), owner="pas-encore-cree")
        assert host.told(file, check=True) == [("create", "x", None)]


class TestFailure:
    def state(self, host):
        return host.file("x", ("62708", "bon\n")), host.file("y", ("62633", "bon\n"))

    def test_a_refused_file_replaces_nothing(self, host):
        host.run(*self.state(host))
        before = host.snapshot()
        result = host.run(
            host.file("x", ("62708", "mauvais\n")),
            host.file("y", ("62633", "bon aussi\n")),
            validate={str(host.etc / "x"): "grep -q bon %s"},
        )
        assert result["failed"]
        assert "rien n'a été remplacé" in result["msg"]
        assert str(host.etc / "x") in result["msg"]
        assert host.snapshot() == before

    def test_an_accepted_one_is_put_in_place(self, host):
        assert host.told(self.state(host)[0], validate={str(host.etc / "x"): "grep -q bon %s"})

    def test_a_refused_whole_is_put_back(self, host):
        host.run(*self.state(host), host.file("z", (None, "parti\n"), mode="0600"))
        before = {name: entry[:2] for name, entry in host.snapshot().items()}
        result = self.refused(host)
        assert result["failed"]
        assert "tout a été remis comme avant" in result["msg"]
        assert "raison du refus" in result["msg"]
        assert {name: entry[:2] for name, entry in host.snapshot().items()} == before

    def refused(self, host):
        files = [host.file("x", ("62708", "autre\n")), self.state(host)[1], host.file("nouveau", (None, "n\n"))]
        arguments = {"tree": "essai", "phase": "apply", "files": [sent(file) for file in files]}
        arguments["check"] = [f"test -e {host.etc / 'nouveau'}", "sh -c 'echo raison du refus >&2; exit 1'"]
        with patch_module_args(arguments), pytest.raises(SystemExit):
            MODULE.main()
        return json.loads(host.capsys.readouterr().out)

    def test_a_full_disk_replaces_nothing_and_is_told_in_french(self, host, monkeypatch):
        host.run(*self.state(host))
        before = host.snapshot()
        real = os.fsync
        written = iter(range(9))

        def full(descriptor):
            if next(written) == 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        result = host.run(host.file("x", ("62708", "autre\n")), host.file("y", ("62633", "autre\n")))
        assert result["failed"]
        assert result["msg"] == f"rien n'a été remplacé ; {host.etc / 'y'} : le disque est plein"
        assert host.snapshot() == before

    def test_a_user_that_does_not_exist_is_named(self, host):
        before = host.snapshot()
        result = host.run(host.file("x", (None, "un\n"), owner="inconnu-au-bataillon"))
        assert result["failed"]
        assert "inconnu-au-bataillon" in result["msg"]
        assert host.snapshot() == before

    def test_content_that_was_not_sent_is_not_guessed(self, host):
        wish = sent(host.file("x", (None, "un\n")))
        del wish["parts"][0]["content"]
        with patch_module_args({"tree": "essai", "phase": "apply", "files": [wish]}), pytest.raises(SystemExit):
            MODULE.main()
        assert "contenu non reçu" in json.loads(host.capsys.readouterr().out)["msg"]
        assert not (host.etc / "x").exists()

    @pytest.mark.parametrize("tree", ["../x", "A", "", "a/b"])
    def test_a_tree_s_name_is_no_path(self, host, tree):
        with patch_module_args({"tree": tree, "phase": "inspect", "files": []}), pytest.raises(SystemExit):
            MODULE.main()
        assert json.loads(host.capsys.readouterr().out)["failed"]

    def test_an_unreadable_state_is_made_again(self, host):
        host.run(host.file("x", (None, "un\n")))
        state = Path(COMPARISON.STATE_FOLDER) / "essai.json"
        state.write_text("{")
        assert host.told(host.file("x", (None, "deux\n"))) == [("update", "x", None)]
        assert json.loads(state.read_text())["owned"] == {str(host.etc / "x"): None}

    def test_a_folder_in_the_place_of_a_file(self, host):
        (host.etc / "x").mkdir()
        before = host.snapshot()
        result = host.run(host.file("a", (None, "a\n")), host.file("x", (None, "un\n")))
        assert result["failed"]
        assert "un dossier occupe" in result["msg"]
        assert host.snapshot() == before

    def test_a_link_is_put_back_as_a_link(self, host):
        (host.etc / "x").symlink_to("ailleurs")
        assert self.refused(host)["failed"]
        assert str((host.etc / "x").readlink()) == "ailleurs"


class TestCrash:
    def test_leftovers_are_removed(self, host):
        (host.etc / ".packmairie-tree-abc").write_text(CANARY)
        host.run(host.file("x", (None, "un\n")))
        assert [path.name for path in host.etc.iterdir()] == ["x"]

    def test_and_are_no_intruders(self, host):
        (host.etc / ".packmairie-tree-abc").write_text("x")
        told = host.told(host.file("x", (None, "un\n")), exclusive=[str(host.etc)])
        assert told == [("create", "x", None)]


class TestLinks:
    def test_a_link_at_the_destination_is_replaced_and_not_followed(self, host):
        target = host.root / "passwd"
        target.write_text("intact\n")
        target.chmod(0o600)
        (host.etc / "x").symlink_to(target)
        assert host.told(host.file("x", (None, "un\n")))[0][1] == "x"
        assert target.read_text() == "intact\n"
        assert target.stat().st_mode & 0o777 == 0o600
        assert not (host.etc / "x").is_symlink()
        assert host.text("x") == "un\n"

    def test_even_when_its_target_has_the_wished_content(self, host):
        target = host.root / "cible"
        target.write_text("un\n")
        (host.etc / "x").symlink_to(target)
        host.run(host.file("x", (None, "un\n")))
        assert not (host.etc / "x").is_symlink()

    def test_or_leads_nowhere(self, host):
        (host.etc / "x").symlink_to(host.root / "nulle-part")
        host.run(host.file("x", (None, "un\n")))
        assert host.text("x") == "un\n"
        assert not (host.root / "nulle-part").exists()


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
