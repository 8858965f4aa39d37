# SPDX-License-Identifier: GPL-3.0-or-later
"""The secretary's folder, whatever it holds, and the site put in place."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from site_samples import FILES, PDF, TODAY, commune, make_data, png, write

from packmairie.site_mairie import __main__ as command
from packmairie.site_mairie import content as content_module
from packmairie.site_mairie.content import category_of, read_content
from packmairie.site_mairie.images import recognise
from packmairie.site_mairie.pages import render_site
from packmairie.site_mairie.publish import publish
from packmairie.site_mairie.wording import of_name, slug, typography


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


def test_what_is_read(tmp_path):
    content = read_content(write(tmp_path, FILES))
    assert content.problems == []
    assert [(item.slug, item.title) for item in content.news] == [
        ("2026-11-20-fete", "Fête du village"),
        ("2026-10-02-travaux", "Travaux"),
    ]
    assert content.pages[0].slug == "vie-associative"
    assert [(d.name, d.category, d.day) for d in content.documents] == [
        ("2026-03-12-deliberation-n-4-budget.pdf", "Délibérations", date(2026, 3, 12)),
        ("2025-01-09-arrete-circulation.pdf", "Arrêtés", date(2025, 1, 9)),
        ("plan.pdf", "Autres documents", None),
    ]
    assert content.documents[0].title == "Délibération n° 4 – budget"
    assert content.hours is not None


def test_an_absent_folder_is_empty(tmp_path):
    content = read_content(tmp_path / "rien")
    assert (content.news, content.pages, content.documents, content.hours, content.problems) == ([], [], [], None, [])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("actualites/sans-date.md", "x", "commencer par la date"),
        ("actualites/2026-02-30-x.md", "x", "commencer par la date"),
        ("actualites/2026-01-01-x.md", "", "vide"),
        ("actualites/2026-01-01-x.md", "# Titre seul\n", "vide"),
        ("actualites/2026-01-01-x.md", b"\xff\xfe", "UTF-8"),
        ("actualites/2026-01-01-x.md", "x" * 30_000, "trop gros"),
        ("actualites/2026-01-01-%%%.md", "x", "sans titre"),
        ("actualites/2026-01-01-x.html", "<script>", "n'est pas un fichier .md"),
        ("actualites/.cache.md", "x", "fichier caché"),
        ("pages/mairie.md", "x", "le renommer"),
        ("pages/404.md", "x", "le renommer"),
        ("documents/virus.exe", "MZ", "n'est pas un fichier .pdf"),
        ("documents/faux.pdf", "<html>", "n'est pas un document PDF"),
        ("documents/vide.pdf", "", "n'est pas un document PDF"),
        ("horaires.txt", "n'importe quoi", "les horaires habituels restent"),
        ("horaires.txt", b"\xff\xfe\x00", "UTF-8"),
        ("index.html", "<script>", "ignoré"),
        (".htaccess", "x", "ignoré"),
        ("\u202egnp.exe", "x", "ignoré"),
    ],
)
def test_what_cannot_be_published_is_told(tmp_path, name, text, told):
    content = read_content(write(tmp_path, {**{k: v for k, v in FILES.items() if k != "horaires.txt"}, name: text}))
    assert any(told in problem for problem in content.problems), content.problems
    assert len(content.news) == 2
    assert len(content.documents) == 3
    assert not any("\u202e" in problem for problem in content.problems)


def test_links_pipes_and_folders_are_not_followed(tmp_path):
    outside = write(tmp_path / "dehors", {"secret.md": "SECRET", "secret.pdf": PDF + b"SECRET"})
    folder = write(tmp_path / "contenu", FILES)
    (folder / "actualites" / "2026-01-01-lien.md").symlink_to(outside / "secret.md")
    (folder / "documents" / "lien.pdf").symlink_to(outside / "secret.pdf")
    os.mkfifo(folder / "actualites" / "2026-01-02-tube.md")
    (folder / "actualites" / "2026-01-03-dossier.md").mkdir()
    (folder / "pages" / "vie-associative.md").unlink()
    (folder / "pages").rmdir()
    (folder / "pages").symlink_to(outside)
    content = read_content(folder)
    assert len(content.news) == 2
    assert content.pages == []
    assert len(content.documents) == 3
    assert len(content.problems) == 5


def test_a_linked_folder_is_refused(tmp_path):
    write(tmp_path / "vrai", FILES)
    (tmp_path / "lien").symlink_to(tmp_path / "vrai")
    content = read_content(tmp_path / "lien")
    assert content.news == []
    assert content.problems


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(content_module, "MAX_NEWS", 5)
    write(tmp_path, {f"actualites/2026-01-{n:02}-x.md": "x" for n in range(1, 21)})
    content = read_content(tmp_path)
    assert len(content.news) == 5
    assert any("plus de 5 fichiers" in problem for problem in content.problems)


def test_names_that_end_at_the_same_address(tmp_path):
    long = "Délibération " + "très " * 20
    content = read_content(
        write(
            tmp_path,
            {f"documents/2026-01-01 {long}{n}.pdf": PDF for n in "ab"}
            | {"documents/É.pdf": PDF, "documents/e.pdf": PDF},
        )
    )
    assert len(content.documents) == 3
    assert any("même adresse" in problem for problem in content.problems)


def test_words():
    assert category_of("Procès-verbal du 3 mai") == "Procès-verbaux"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("Œuf\u202e—Été") == "oeuf-ete"
    assert [of_name(n) for n in ("Œuf", "Le Quesnoy", "Les Attaques", "La Couture", "Éps", "Ytres", "Haucourt")] == [
        "d’Œuf", "du Quesnoy", "des Attaques", "de La Couture", "d’Éps", "d’Ytres", "de Haucourt",
    ]  # fmt: skip
    assert typography(typography("l'an : oui !")) == typography("l'an : oui !")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        png(filler=13_000),
        png(8),
        b"\xff\xd8\xff\xe0",
    ],
    ids=["empty", "svg", "gif", "cut", "heavy", "tiny", "jpeg"],
)
def test_coats_that_are_refused(content):
    with pytest.raises(ValueError, match=r"\w"):
        recognise(content)


def test_publishing(data, tmp_path):
    folder = write(tmp_path / "contenu", FILES)
    out = tmp_path / "site"
    site = commune(data)

    def build():
        return publish(render_site(site, read_content(folder), TODAY), folder, out)

    first = build()
    assert first.changed == len([p for p in out.rglob("*") if p.is_file()])
    before = {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.rglob("*") if p.is_file()}
    inode = out.stat().st_ino
    assert build().changed == 0
    assert out.stat().st_ino == inode
    assert {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.rglob("*") if p.is_file()} == before
    write(folder, {"actualites/2026-11-22-neuf.md": "# Neuf\n\nx\n"})
    again = build()
    assert 0 < again.changed < first.changed
    assert (out / "actualites" / "2026-11-22-neuf" / "index.html").exists()
    kept = [p for p in before if p.exists() and p.stat().st_ino == before[p][0]]
    assert out / "documents" / "plan.pdf" in kept
    (folder / "documents" / "plan.pdf").unlink()
    assert build().removed == 2, "the document and its year"
    assert not (out / "documents" / "plan.pdf").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert not [p for p in out.rglob("*") if p.is_symlink()]


def test_a_document_replaced_by_a_link_is_not_copied(data, tmp_path):
    folder = write(tmp_path / "contenu", FILES)
    rendered = render_site(commune(data), read_content(folder), TODAY)
    (folder / "documents" / "plan.pdf").unlink()
    (folder / "documents" / "plan.pdf").symlink_to("/etc/hostname")
    done = publish(rendered, folder, tmp_path / "site")
    assert not (tmp_path / "site" / "documents" / "plan.pdf").exists()
    assert any("plan.pdf" in problem for problem in done.problems)


def test_command_line(data, tmp_path, capsys):
    import json

    (tmp_path / "data").mkdir()
    for insee, host in (("62708", "www.a.example"), ("62633", "www.b.example")):
        (tmp_path / "data" / f"{insee}.json").write_text(json.dumps({**data, "insee": insee, "hote": host}))
    (tmp_path / "data" / "62999.json").write_text("{}")
    write(tmp_path / "contenu" / "62708", FILES)
    (tmp_path / "sites").mkdir()
    arguments = ["--content", str(tmp_path / "contenu"), "--out", str(tmp_path / "sites"), "--today", "2026-11-24"]
    assert command.main(["build-all", "--data", str(tmp_path / "data"), *arguments]) == 1
    told = capsys.readouterr()
    assert "sites : 2, changés : 2, en échec : 1" in told.out
    assert "62999.json" in told.err
    assert sorted(p.name for p in (tmp_path / "sites").iterdir()) == ["www.a.example", "www.b.example"]
    one = ["build", "--data", str(tmp_path / "data" / "62708.json"), "--content", str(tmp_path / "contenu" / "62708")]
    assert command.main([*one, "--out", str(tmp_path / "un"), "--today", "2026-11-24"]) == 0
    assert (tmp_path / "un" / "index.html").read_bytes() == (
        tmp_path / "sites" / "www.a.example" / "index.html"
    ).read_bytes()
    assert command.main(["undo", "--content", str(tmp_path / "contenu" / "62708")]) == 1
    assert command.main(["record", "--content", str(tmp_path / "contenu" / "62708")]) == 0


def test_the_generator_stands_alone():
    """Its folder runs on a host that has neither packmairie nor pydantic."""
    import subprocess
    import sys

    source = Path(command.__file__).parent
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import site_mairie.__main__, site_mairie.intake\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('packmairie', 'pydantic', 'yaml', 'typer', 'rich')]\n"
        "print(bad)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(source.parent)], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.strip() == "[]"
