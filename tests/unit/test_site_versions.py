# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the secretary's folder can be undone, one after the other, for thirty days."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from site_samples import FILES, NOW, PDF, write

from packmairie.site_mairie.versions import Noted, Store, VersionsError


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "contenu", FILES)


@pytest.fixture
def store(folder):
    store = Store(folder)
    store.record(NOW)
    return store


def at(minutes):
    return NOW + timedelta(minutes=minutes)


def test_change_and_undo(folder, store):
    path = folder / "actualites" / "2026-11-20-fete.md"
    old = path.read_bytes()
    store.change({"actualites/2026-11-20-fete.md": b"# Autre\n\nx\n"}, "a@x.fr", "essai", at(1))
    assert path.read_bytes() == b"# Autre\n\nx\n"
    assert store.undo("a@x.fr", at(2)).label == "essai"
    assert path.read_bytes() == old


def test_two_undos_undo_two_changes(folder, store):
    path = folder / "horaires.txt"
    old = path.read_bytes()
    store.change({"horaires.txt": b"Lundi : 9h-12h\n"}, "a@x.fr", "un", at(1))
    store.change({"horaires.txt": b"Lundi : 10h-12h\n"}, "a@x.fr", "deux", at(2))
    assert store.undo("a@x.fr", at(3)).label == "deux"
    assert path.read_bytes() == b"Lundi : 9h-12h\n"
    assert store.undo("a@x.fr", at(4)).label == "un"
    assert path.read_bytes() == old
    with pytest.raises(VersionsError, match="rien à annuler"):
        store.undo("a@x.fr", at(5))


def test_a_new_file_goes_away_and_a_removed_one_comes_back(folder, store):
    store.change({"documents/2026-11-24 x.pdf": PDF}, "a@x.fr", "ajout", at(1))
    store.change({"documents/plan.pdf": None}, "a@x.fr", "retrait", at(2))
    assert not (folder / "documents" / "plan.pdf").exists()
    store.undo("a@x.fr", at(3))
    assert (folder / "documents" / "plan.pdf").read_bytes() == PDF + b"3"
    store.undo("a@x.fr", at(4))
    assert not (folder / "documents" / "2026-11-24 x.pdf").exists()


def test_changes_made_in_the_folder_itself_are_noted_and_undone(folder, store):
    (folder / "documents" / "plan.pdf").unlink()
    write(folder, {"actualites/2026-11-24-main.md": "# À la main\n\nx\n"})
    assert store.record(at(1)) == Noted(2, settled=True)
    assert store.record(at(2)) == Noted(0, settled=True)
    assert {change.author for change in store.history()} == {"dossier partagé"}
    assert store.undo("a@x.fr", at(3)).label == "ajout de actualites/2026-11-24-main.md"
    assert not (folder / "actualites" / "2026-11-24-main.md").exists()
    assert not (folder / "documents" / "plan.pdf").exists()
    assert store.undo("a@x.fr", at(4)).label == "retrait de documents/plan.pdf"
    assert (folder / "documents" / "plan.pdf").exists()


def test_edits_of_the_folder_are_undone_last_first(folder, store):
    for number, name in enumerate(("b", "a")):
        path = folder / "pages" / f"{name}.md"
        path.write_text(f"# {name}\n\nx\n")
        os.utime(path, (1_790_000_000 + number, 1_790_000_000 + number))
    store.record(at(1))
    assert "pages/a.md" in store.undo("a@x.fr", at(2)).label
    assert "pages/b.md" in store.undo("a@x.fr", at(3)).label


def test_another_name_is_one_change(folder, store):
    (folder / "documents" / "plan.pdf").rename(folder / "documents" / "carte.pdf")
    store.record(at(1))
    store.undo("a@x.fr", at(2))
    assert (folder / "documents" / "plan.pdf").exists()
    assert not (folder / "documents" / "carte.pdf").exists()


def test_a_file_that_is_being_written_is_left_for_the_next_time(folder, store):
    path = folder / "documents" / "plan.pdf"
    old = path.read_bytes()
    path.write_bytes(PDF + b"la moitie")
    # A client may give any time of modification: it proves nothing.
    os.utime(path, (0, 0))
    assert store.record(at(1), timedelta(hours=1)) == Noted(0, settled=False)
    assert store.history() == ()
    path.write_bytes(PDF + b"la moitie, puis le reste")
    assert store.record(at(2)) == Noted(1, settled=True)
    store.undo("a@x.fr", at(3))
    assert path.read_bytes() == old


def test_what_a_mail_wrote_is_whole_at_once(store):
    store.change({"horaires.txt": b"Lundi : 9h-12h\n"}, "a@x.fr", "essai", at(1))
    assert store.record(at(2), timedelta(hours=1)) == Noted(0, settled=True)


def test_a_name_that_is_not_text_is_left_alone(folder, store):
    strange = folder / "pages" / os.fsdecode(b"caf\xe9.md")
    strange.write_bytes(b"# x\n\nx\n")
    assert store.record(at(1)).files == 0
    assert strange.exists()


def test_what_the_pack_gives_is_given_once_and_is_no_change(folder, store):
    files = {
        "pages/vie.md": lambda: b"# Vie\n\nx\n",
        "horaires.txt": lambda: b"Lundi : 9h-12h\n",
        "documents/2026-01-05 neuf.pdf": lambda: PDF,
    }
    hours = (folder / "horaires.txt").read_bytes()
    assert store.give(files, at(1)) == ("documents/2026-01-05 neuf.pdf", "pages/vie.md")
    assert (folder / "horaires.txt").read_bytes() == hours
    (folder / "pages" / "vie.md").unlink()
    assert store.give(files, at(2)) == ()
    assert not (folder / "pages" / "vie.md").exists()
    store.undo("a@x.fr", at(3))
    assert (folder / "pages" / "vie.md").exists()
    with pytest.raises(VersionsError, match="rien à annuler"):
        store.undo("a@x.fr", at(4))


def test_what_the_pack_gives_is_not_written_through_a_link(folder, store, tmp_path):
    (folder / "pages" / "lien.md").symlink_to(tmp_path / "cible")
    assert store.give({"pages/lien.md": lambda: b"# x\n\nx\n"}, at(1)) == ()
    assert not (tmp_path / "cible").exists()


def test_an_edit_after_a_mail_is_undone_first(folder, store):
    store.change({"horaires.txt": b"Lundi : 9h-12h\n"}, "a@x.fr", "courriel", at(1))
    (folder / "horaires.txt").write_bytes(b"Lundi : 8h-12h\n# longueur autre\n")
    store.undo("a@x.fr", at(2))
    assert (folder / "horaires.txt").read_bytes() == b"Lundi : 9h-12h\n"


def test_what_is_old_is_forgotten(folder, store):
    store.change({"documents/plan.pdf": None}, "a@x.fr", "retrait", at(1))
    store.record(NOW + timedelta(days=31))
    assert store.history() == ()
    kept = {p.name for p in (folder / ".versions" / "objets").iterdir()}
    present = {row[0] for row in json.loads((folder / ".versions" / "etat.json").read_text()).values()}
    assert kept == present
    with pytest.raises(VersionsError):
        store.undo("a@x.fr", NOW + timedelta(days=31))


@pytest.mark.parametrize(
    "path",
    ["../x.md", "actualites/../../x.md", "/etc/passwd", "pages/a/b.md", "documents/x.exe", "x.md", "pages/.x.md", ""],
)
def test_only_files_of_the_site_are_written(folder, store, path):
    with pytest.raises(VersionsError, match="n'est pas un fichier du site"):
        store.change({path: b"x"}, "a@x.fr", "x", at(1))


def test_a_forged_journal_writes_nothing_elsewhere(folder, store, tmp_path):
    digest = next((folder / ".versions" / "objets").iterdir()).name
    rows = [
        {
            "number": 1,
            "moment": NOW.isoformat(),
            "author": "x",
            "label": "x",
            "before": {"../vole.md": digest},
            "after": {},
        },
        {
            "number": 2,
            "moment": NOW.isoformat(),
            "author": "x",
            "label": "x",
            "before": {"pages/a.md": "../../x"},
            "after": {},
        },
        {"number": 3, "moment": "hier", "author": "x", "label": "x", "before": {}, "after": {}},
        {"inattendu": 1},
        7,
    ]
    (folder / ".versions" / "journal.json").write_text(json.dumps(rows))
    with pytest.raises(VersionsError, match="rien à annuler"):
        store.undo("a@x.fr", at(1))
    assert not (tmp_path / "vole.md").exists()


@pytest.mark.parametrize("content", ["", "{", "[[", "null", "7", '{"a": 1}', "[" * 100_000])
def test_broken_records_do_not_stop_anything(folder, store, content):
    for name in ("journal.json", "etat.json"):
        (folder / ".versions" / name).write_text(content)
    store.record(at(1))
    store.change({"horaires.txt": b"Lundi : 9h-12h\n"}, "a@x.fr", "x", at(2))
    store.undo("a@x.fr", at(3))


def test_links_are_not_written_through(folder, store, tmp_path):
    (tmp_path / "dehors").mkdir()
    for item in (folder / "pages").iterdir():
        item.unlink()
    (folder / "pages").rmdir()
    (folder / "pages").symlink_to(tmp_path / "dehors")
    with pytest.raises(VersionsError):
        store.change({"pages/x.md": b"x"}, "a@x.fr", "x", at(1))
    assert list((tmp_path / "dehors").iterdir()) == []
    (folder / "horaires.txt").unlink()
    (folder / "horaires.txt").symlink_to(tmp_path / "dehors" / "cible")
    store.change({"horaires.txt": b"Lundi : 9h-12h\n"}, "a@x.fr", "x", at(2))
    assert list((tmp_path / "dehors").iterdir()) == []
    assert not (folder / "horaires.txt").is_symlink()
