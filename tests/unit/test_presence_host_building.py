# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites built by the web host: what changed and nothing else, the commune's folder, the pack's first content."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path

import pytest
from presence_host_samples import AGENT, HOST, NOW, OEUF, RIENCOURT, SITE, Post, host_places, lay, message

from packmairie.site_hote import __main__ as unit
from packmairie.site_hote import builder
from packmairie.site_hote.builder import build_changed
from packmairie.site_hote.deposit import deposit
from packmairie.site_hote.mailroom import follow_mail
from packmairie.site_hote.places import Places


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return host_places(tmp_path, monkeypatch)


class TestBuilding:
    def test_only_what_changed_is_built(self, places: Places):
        assert build_changed(places, NOW).built == [OEUF, RIENCOURT]
        assert (places.sites / HOST / "index.html").is_file()
        again = build_changed(places, NOW)
        assert (again.built, again.unchanged) == ([], 2)
        lay(places, RIENCOURT, population=34)
        assert build_changed(places, NOW).built == [RIENCOURT]

    def test_a_file_of_the_secretary_is_a_change(self, places: Places):
        build_changed(places, NOW)
        news = places.contents / RIENCOURT / "actualites"
        news.mkdir(parents=True)
        (news / "2026-11-20-marche.md").write_text("# Marché\n\nDimanche.\n", encoding="utf-8")
        assert build_changed(places, NOW).built == [RIENCOURT]
        assert "Marché" in (places.sites / HOST / "index.html").read_text(encoding="utf-8")

    def test_a_new_day_is_a_change(self, places: Places):
        build_changed(places, NOW)
        assert build_changed(places, NOW + timedelta(days=1)).built == [OEUF, RIENCOURT]

    def test_a_site_that_vanished_is_built_again(self, places: Places):
        build_changed(places, NOW)
        (places.sites / HOST).rename(places.sites / ".ailleurs")
        assert RIENCOURT in build_changed(places, NOW).built
        assert (places.sites / HOST).is_dir()
        assert not (places.sites / ".ailleurs").exists()

    def test_a_commune_that_left_has_no_site_and_keeps_its_content(self, places: Places):
        build_changed(places, NOW)
        (places.data / f"{RIENCOURT}.json").unlink()
        assert build_changed(places, NOW).removed == [HOST]
        assert not (places.sites / HOST).exists()
        assert (places.contents / RIENCOURT).is_dir()

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 99}', "\x00"])
    def test_bad_data_leaves_every_site_as_it_was(self, places: Places, text: str):
        build_changed(places, NOW)
        (places.data / f"{RIENCOURT}.json").write_text(text, encoding="utf-8")
        lay(places, OEUF, population=1)
        report = build_changed(places, NOW)
        assert (report.failed, report.built, report.removed) == ([RIENCOURT], [OEUF], [])
        assert (places.sites / HOST).is_dir()

    def test_a_commune_cannot_take_another_s_host(self, places: Places):
        lay(places, RIENCOURT, hote="www.oeuf-en-ternois.fr")
        assert build_changed(places, NOW).failed == [RIENCOURT]

    def test_data_under_another_s_code_is_refused(self, places: Places):
        (places.data / f"{OEUF}.json").rename(places.data / "59001.json")
        assert build_changed(places, NOW).failed == ["59001"]

    def test_links_in_the_content_are_not_followed(self, places: Places, tmp_path: Path):
        secret = tmp_path / "secret.md"
        secret.write_text("# Secret\n\nne pas lire\n", encoding="utf-8")
        news = places.contents / RIENCOURT / "actualites"
        news.mkdir(parents=True)
        (news / "2026-11-20-lien.md").symlink_to(secret)
        report = build_changed(places, NOW)
        assert RIENCOURT in report.built
        assert any("lien" in problem for problem in report.problems)
        published = "".join(page.read_text(encoding="utf-8") for page in (places.sites / HOST).rglob("*.html"))
        assert "ne pas lire" not in published


class TestFolder:
    """What is changed in the folder itself, through the commune's file space."""

    def news(self, places: Places, name: str = "2026-11-20-marche.md", text: str = "# Marché\n\nDimanche.\n") -> Path:
        path = places.contents / RIENCOURT / "actualites" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def home(self, places: Places) -> str:
        return (places.sites / HOST / "index.html").read_text(encoding="utf-8")

    def test_edits_of_both_kinds_are_undone_by_mail_last_first(self, places: Places):
        build_changed(places, NOW)
        deposit(places.incoming, SITE, AGENT, io.BytesIO(message("Actualité : Par courriel")))
        follow_mail(places, NOW, Post())
        build_changed(places, NOW)
        self.news(places)
        build_changed(places, NOW)
        assert "Marché" in self.home(places)
        for gone, kept in (("Marché", "Par courriel"), ("Par courriel", "")):
            deposit(places.incoming, SITE, AGENT, io.BytesIO(message("Annuler")))
            post = Post()
            follow_mail(places, NOW, post)
            assert "Annulé" in post.sent[0][1]["Subject"]
            build_changed(places, NOW)
            assert gone not in self.home(places)
            assert kept in self.home(places)

    def test_a_file_still_arriving_is_waited_for(self, places: Places, monkeypatch):
        build_changed(places, NOW)
        monkeypatch.setattr(builder, "SETTLED", timedelta(hours=1))
        self.news(places)
        report = build_changed(places, NOW)
        assert (report.waiting, report.built) == ([RIENCOURT], [])
        assert "Marché" not in self.home(places)
        monkeypatch.setattr(builder, "SETTLED", timedelta(0))
        assert build_changed(places, NOW).built == [RIENCOURT]
        assert "Marché" in self.home(places)

    def test_the_unit_looks_again_and_does_not_wait_for_ever(self, places: Places, monkeypatch):
        build_changed(places, NOW)
        slept: list[float] = []
        monkeypatch.setattr(unit, "SETTLED", timedelta(seconds=2))
        monkeypatch.setattr(builder, "SETTLED", timedelta(hours=1))
        monkeypatch.setattr(unit.time, "sleep", slept.append)
        self.news(places)
        assert unit.build_settled(places).waiting == [RIENCOURT]
        assert slept == [2.0] * 4

    def test_what_the_file_space_has_not_received_whole_is_not_looked_at(self, places: Places):
        build_changed(places, NOW)
        for name in ("2026-11-20-marche.md.PARTIAL", ".2026-11-20-marche.md"):
            self.news(places, name)
        assert build_changed(places, NOW).built == []

    def test_a_name_that_is_not_text_is_told_and_stops_nothing(self, places: Places):
        folder = self.news(places).parent
        (Path(os.fsdecode(os.fsencode(folder) + b"/2026-11-21-caf\xe9.md"))).write_text("# Café\n\nx\n")
        report = build_changed(places, NOW)
        assert RIENCOURT in report.built
        assert any("UTF-8" in problem for problem in report.problems)
        assert "Marché" in self.home(places)

    def test_a_record_that_cannot_be_kept_is_told_and_the_site_built(self, places: Places, tmp_path: Path):
        self.news(places)
        (places.contents / RIENCOURT / ".versions").symlink_to(tmp_path)
        report = build_changed(places, NOW)
        assert RIENCOURT in report.built
        assert any("notés" in problem for problem in report.problems)


class TestSeeds:
    """What the pack has for a commune reaches its folder once."""

    def lay(self, places: Places) -> Path:
        folder = places.initial / RIENCOURT
        (folder / "actualites").mkdir(parents=True, exist_ok=True)
        (folder / "documents").mkdir(exist_ok=True)
        (folder / "actualites" / "2026-11-20-marche.md").write_text("# Marché\n\nDimanche.\n", encoding="utf-8")
        (folder / "documents" / "2026-10-15 Procès-verbal.pdf").write_bytes(b"%PDF-1.7\n\xff\x00")
        (folder / "horaires.txt").write_text("Lundi : 9h-12h\n", encoding="utf-8")
        return folder

    def test_a_fresh_site_has_its_news(self, places: Places):
        self.lay(places)
        report = build_changed(places, NOW)
        assert report.seeded == [RIENCOURT]
        assert "Marché" in (places.sites / HOST / "index.html").read_text(encoding="utf-8")
        kept = places.contents / RIENCOURT / "documents" / "2026-10-15 Procès-verbal.pdf"
        assert kept.read_bytes() == b"%PDF-1.7\n\xff\x00"
        assert build_changed(places, NOW).seeded == []

    def test_what_the_secretary_did_is_never_undone(self, places: Places):
        self.lay(places)
        build_changed(places, NOW)
        folder = places.contents / RIENCOURT
        (folder / "horaires.txt").write_text("Lundi : 10h-12h\n", encoding="utf-8")
        (folder / "actualites" / "2026-11-20-marche.md").unlink()
        (self.lay(places) / "actualites" / "2026-11-22-neuf.md").write_text("# Neuf\n\nx\n", encoding="utf-8")
        assert build_changed(places, NOW).seeded == [RIENCOURT]
        assert "10h" in (folder / "horaires.txt").read_text(encoding="utf-8")
        assert [path.name for path in (folder / "actualites").iterdir()] == ["2026-11-22-neuf.md"]

    def test_a_folder_that_cannot_be_written_is_told_and_tried_again(self, places: Places, capsys, tmp_path: Path):
        self.lay(places)
        (places.contents / RIENCOURT).mkdir()
        (places.contents / RIENCOURT / ".versions").symlink_to(tmp_path)
        report = build_changed(places, NOW)
        assert (report.seeded, report.failed) == ([], [])
        assert "contenu initial" in capsys.readouterr().err
        (places.contents / RIENCOURT / ".versions").unlink()
        assert build_changed(places, NOW).seeded == [RIENCOURT]
