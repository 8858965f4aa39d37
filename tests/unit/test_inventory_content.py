# SPDX-License-Identifier: GPL-3.0-or-later
"""The first files of the sites, which a pack carries: listed with it, and judged before anything is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventory_samples import make_pack

from packmairie.inventory import content
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import PackmairieError

CODE = "62708"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_pack(tmp_path)
    place = made / "contenu" / CODE
    for name in ("actualites", "documents", "pages"):
        (place / name).mkdir(parents=True)
    (place / "actualites" / "2026-11-20-marche.md").write_text("# Marché\n\nDimanche.\n", encoding="utf-8")
    (place / "documents" / "2026-10-15 Procès-verbal.pdf").write_bytes(b"%PDF-1.7\n\xff")
    (place / "horaires.txt").write_text("Lundi : 9h-12h\n", encoding="utf-8")
    return made


def problems(folder: Path) -> str:
    with pytest.raises(PackmairieError) as raised:
        load_pack(folder)
    return str(raised.value)


def test_they_are_listed_with_the_pack(folder: Path):
    listed = load_pack(folder).contents[CODE]
    assert set(listed) == {"actualites/2026-11-20-marche.md", "documents/2026-10-15 Procès-verbal.pdf", "horaires.txt"}
    assert Path(listed["horaires.txt"]).is_absolute()


def test_a_pack_without_any(tmp_path: Path):
    assert load_pack(make_pack(tmp_path)).contents == {}


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("actualites/sans-date.md", b"# x\n\nx\n", "le nom doit commencer par la date"),
        ("actualites/2026-11-20-x.md", b"# \xff\n\nx\n", "UTF-8"),
        ("documents/x.pdf", b"<html>", "PDF"),
        ("documents/x.docx", b"x", "documents/x.docx"),
        ("horaires.txt", b"Lundi : jamais\n", "horaires.txt"),
        ("photo.jpg", b"x", "photo.jpg: ignoré"),
        ("pages/sous/a.md", b"# x\n\nx\n", "pages/sous"),
        ("../99999/horaires.txt", b"Lundi : 9h-12h\n", "99999: n'est pas le dossier d'une commune"),
    ],
)
def test_what_would_not_be_published_is_told_at_once(folder: Path, name: str, data: bytes, told: str):
    path = folder / "contenu" / CODE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    assert told in problems(folder)


def test_a_link_is_not_followed(folder: Path, tmp_path: Path):
    secret = tmp_path / "secret.md"
    secret.write_text("# x\n\nx\n", encoding="utf-8")
    (folder / "contenu" / CODE / "pages" / "lien.md").symlink_to(secret)
    assert "est un lien" in problems(folder)


def test_too_much_is_refused(folder: Path, monkeypatch):
    monkeypatch.setattr(content, "MAX_OCTETS", 10)
    assert "10 au plus" in problems(folder)
