# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the host of the file spaces: bins, quotas, deposits, links."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from packmairie.partage_hote.antivirus import AntivirusSilent, scan_waiting, verdict
from packmairie.partage_hote.command import AskedWrong, answer, restore
from packmairie.partage_hote.hook import decide
from packmairie.partage_hote.keeping import dated, keep, purge
from packmairie.partage_hote.links import base_of, links_of, revoke, shorten, witness
from packmairie.partage_hote.places import Places
from packmairie.partage_hote.quota import Ledger, Refused, measure

INSEE = "62708"
NOW = datetime(2026, 11, 24, 10, 32, 5, tzinfo=UTC)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A host with one commune of 1 MB."""
    found = Places(tmp_path / "srv", tmp_path / "sites", tmp_path / "etc", tmp_path / "var")
    for folder in ("commun", "elus", "depot", "boite", "personnel/agent.exemple", "sonde/temoin"):
        (found.root / INSEE / folder).mkdir(parents=True)
    for folder in (
        found.waiting,
        found.quarantine,
        found.sites / INSEE,
        found.settings / "communes",
        found.state / "lot-0",
    ):
        folder.mkdir(parents=True)
    said = {
        "quota_mo": 1,
        "depot_mo": 1,
        "contact": "contact@exemple.fr",
        "hote": "fichiers.exemple.fr",
        "lot": 0,
        "site": True,
        "personnes": ["agent.exemple"],
        "sonde": "sonde@exemple.fr",
    }
    (found.settings / "communes" / f"{INSEE}.json").write_text(json.dumps(said))
    return found


def write(path: Path, text: str = "contenu") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class TestBin:
    def test_each_space_keeps_in_its_own_and_the_site_in_the_common_one(self, places: Places) -> None:
        base = places.root / INSEE
        cases = {
            base / "commun/a/b.txt": base / "commun/Corbeille/2026-11-24/a/b.txt",
            base / "personnel/agent.exemple/c.txt": base / "personnel/agent.exemple/Corbeille/2026-11-24/c.txt",
            places.sites / INSEE / "pages/d.md": base / "commun/Corbeille/2026-11-24/site/pages/d.md",
        }
        for path, wished in cases.items():
            write(path, path.name)
            assert keep(places, str(path), now=NOW) == wished
            path.unlink()
            assert wished.read_text() == path.name

    def test_three_versions_of_a_day_have_three_names(self, places: Places) -> None:
        path = places.root / INSEE / "commun/a.txt"
        for text in ("un", "deux", "trois"):
            path.unlink(missing_ok=True)
            write(path, text)
            keep(places, str(path), now=NOW)
        names = sorted(file.name for file in (places.root / INSEE / "commun/Corbeille/2026-11-24").iterdir())
        assert names == ["a (10h32m05 2).txt", "a (10h32m05).txt", "a.txt"]

    def test_a_rewrite_in_place_does_not_reach_what_is_kept(self, places: Places) -> None:
        path = write(places.root / INSEE / "commun/a.txt", "avant")
        held = keep(places, str(path), copy=True, now=NOW)
        path.write_text("après")
        assert held is not None
        assert held.read_text() == "avant"

    def test_what_is_not_worth_keeping(self, places: Places, tmp_path: Path) -> None:
        base = places.root / INSEE
        link = base / "commun/lien"
        link.symlink_to("/etc/passwd")
        for path in (
            write(base / "commun/vide", ""),
            write(base / "commun/.x.PARTIAL"),
            write(base / "boite/x"),
            write(base / "commun/Corbeille/2026-11-24/x"),
            write(tmp_path / "ailleurs"),
            link,
            base / "commun/absent",
        ):
            assert keep(places, str(path), now=NOW) is None

    def test_a_long_name_stays_within_what_a_disk_takes(self) -> None:
        name = dated("é" * 125 + ".txt", NOW, 3)
        assert len(name.encode()) <= 255
        assert name.endswith("(10h32m05 3).txt")

    def test_only_old_days_are_emptied(self, places: Places) -> None:
        bin_ = places.root / INSEE / "commun/Corbeille"
        for day in ("2026-10-01", "2026-11-20", "pas-une-date"):
            write(bin_ / day / "x")
        assert purge(places, INSEE, 30, date(2026, 11, 24)) == 1
        assert sorted(path.name for path in bin_.iterdir()) == ["2026-11-20", "pas-une-date"]

    def test_a_restored_file_has_its_name_and_place_again(self, places: Places) -> None:
        path = write(places.root / INSEE / "commun/a/b.txt", "un")
        keep(places, str(path), now=NOW)
        keep(places, str(path), now=NOW)
        path.unlink()
        assert restore(places, INSEE, "commun/Corbeille/2026-11-24/a/b (10h32m05).txt") == "commun/a/b.txt"
        assert restore(places, INSEE, "commun/Corbeille/2026-11-24/a/b.txt") == "commun/a/b (restauré 1).txt"
        with pytest.raises(AskedWrong):
            restore(places, INSEE, "commun/Corbeille/../../../etc/passwd")


class TestHook:
    def event(self, places: Places, src: str, path: str, **more: object) -> dict[str, object]:
        return {"src": src, "ap": str(places.root / INSEE / path), "sz": 10, "perms": "rwmd", **more}

    def test_the_bin_is_read_only(self, places: Places) -> None:
        ledger = Ledger(places)
        for src, path, more in (
            ("xbu.http.dump", "commun/Corbeille/x", {}),
            ("xbd", "commun/Corbeille/2026-11-24/x", {}),
            ("xbd", "personnel/agent.exemple/Corbeille/x", {}),
            ("xbr", "commun/x", {"ap_to": str(places.root / INSEE / "commun/Corbeille/x")}),
            ("xbr", "commun/x", {"ap_to": "/etc/cron.d/x"}),
            ("xbu.http.dump", "../../etc/x", {}),
        ):
            with pytest.raises(Refused):
                decide(self.event(places, src, path, **more), places, ledger)
        out = {"ap_to": str(places.root / INSEE / "commun/x")}
        decide(self.event(places, "xbr", "commun/Corbeille/2026-11-24/x", **out), places, ledger)

    def test_quota_counts_what_was_accepted_since(self, places: Places) -> None:
        ledger = Ledger(places)
        decide(self.event(places, "xbu.up2k", "commun/a", sz=600_000), places, ledger)
        with pytest.raises(Refused, match="plein"):
            decide(self.event(places, "xbu.up2k", "commun/b", sz=600_000), places, ledger)

    def test_an_upload_that_is_resumed_is_not_counted_twice(self, places: Places) -> None:
        write(places.root / INSEE / "commun/.a.PARTIAL", "x" * 600_000)
        decide(self.event(places, "xbu.up2k", "commun/a", sz=600_000), places, Ledger(places))

    def test_bins_are_counted_apart_and_bounded(self, places: Places) -> None:
        write(places.root / INSEE / "commun/Corbeille/2026-11-24/x", "x" * 1_900_000)
        assert measure(places, INSEE) == (0, 1_900_000)
        with pytest.raises(Refused, match="corbeille"):
            decide(self.event(places, "xbu.up2k", "commun/b", sz=200_000), places, Ledger(places))

    def test_a_commune_that_is_unknown_is_refused(self, places: Places) -> None:
        with pytest.raises((Refused, OSError)):
            decide({"src": "xbu", "ap": str(places.root / "59001/commun/x"), "sz": 1}, places, Ledger(places))


class TestDeposits:
    def deposit(self, places: Places, name: str = "plan.pdf", text: str = "plan") -> None:
        path = write(places.root / INSEE / "boite/Architecte" / name, text)
        decide({"src": "xau.http.dump", "ap": str(path), "sz": 4}, places, Ledger(places))

    def test_clean_becomes_visible_and_leaves_the_box(self, places: Places) -> None:
        self.deposit(places)
        outcome = scan_waiting(places, lambda path: None, lambda message, to: None)
        assert (outcome.clean, outcome.refused, outcome.held) == (1, 0, 0)
        assert (places.root / INSEE / "depot/Architecte/plan.pdf").read_text() == "plan"
        assert not (places.root / INSEE / "boite/Architecte/plan.pdf").exists()
        assert list(places.waiting.iterdir()) == []

    def test_found_goes_to_quarantine_and_is_told_even_if_mail_fails(self, places: Places) -> None:
        told: list[EmailMessage] = []

        def broken(message: EmailMessage, to: str) -> None:
            told.append(message)
            raise OSError("Postfix est arrêté")

        self.deposit(places, "fac\nture.exe")
        outcome = scan_waiting(places, lambda path: "Eicar", broken)
        assert outcome.refused == 1
        assert not list((places.root / INSEE / "depot").rglob("*.exe"))
        assert len(list(places.quarantine.glob("*.json"))) == 1
        assert "fac_ture.exe" in told[0].get_content()
        assert told[0]["Auto-Submitted"] == "auto-generated"

    def test_a_silent_antivirus_holds_everything(self, places: Places) -> None:
        def silent(path: Path) -> str | None:
            raise AntivirusSilent("connexion refusée")

        self.deposit(places)
        self.deposit(places, "autre.pdf")
        outcome = scan_waiting(places, silent, lambda message, to: None)
        assert (outcome.clean, outcome.held) == (0, 2)
        assert not list((places.root / INSEE / "depot").rglob("*.pdf"))

    @pytest.mark.parametrize("path", [["..", "x"], ["a/b"], [], [""], ["."]])
    def test_an_announce_that_leads_elsewhere_is_left(self, places: Places, path: list[str]) -> None:
        write(places.waiting / "a.json", json.dumps({"insee": INSEE, "chemin": path}))
        write(places.waiting / "a.fichier")
        assert scan_waiting(places, lambda path: None, lambda message, to: None).clean == 0

    def test_only_a_clear_answer_is_a_verdict(self) -> None:
        assert verdict("fd[10]: OK") is None
        assert verdict("fd[10]: Eicar-Test FOUND") == "Eicar-Test"
        for said in ("", "fd[10]: Can't access file ERROR", "UNKNOWN COMMAND", "OK"):
            with pytest.raises(AntivirusSilent):
                verdict(said)


class TestLinks:
    @pytest.fixture
    def base(self, places: Places) -> sqlite3.Connection:
        database = sqlite3.connect(base_of(places, 0))
        database.execute("create table sh (k, pw, vp, pr, st, un, t0, t1)")
        database.execute("create table sf (k, vp)")
        database.commit()
        return database

    def test_listed_revoked_and_bounded(self, places: Places, base: sqlite3.Connection) -> None:
        limits = places.limits(INSEE)
        with base:
            base.execute("insert into sh values ('a','+h',?,'r',0,'s@x',1000,0)", (f"{INSEE}/commun",))
            base.execute("insert into sh values ('b','','59001/commun','r',0,'s@y',1000,0)")
        assert witness(places, limits)
        assert not witness(places, limits)
        assert [(link.key, link.has_password) for link in links_of(places, limits)] == [("a", True)]
        assert shorten(places, 0, 90) == 2
        assert links_of(places, limits)[0].end == 1000 + 90 * 86400
        assert not revoke(places, limits, "b")
        assert revoke(places, limits, "a")
        assert links_of(places, limits) == []


def test_an_unknown_commune_is_told(places: Places) -> None:
    with pytest.raises(AskedWrong):
        answer({"insee": "59001", "action": "liens"}, places)


def test_a_leavers_folder_goes_to_someone_present(places: Places) -> None:
    (places.root / INSEE / "personnel/partie").mkdir()
    asked = {"insee": INSEE, "action": "transmettre", "de": "partie", "a": "agent.exemple"}
    assert answer(asked, places) == {"vers": "personnel/agent.exemple/Dossier de partie"}
    for wrong in ({"de": "agent.exemple"}, {"de": ".."}, {"de": "absente"}, {"a": "inconnu"}):
        with pytest.raises(AskedWrong):
            answer(asked | wrong, places)


def test_hard_links_do_not_leave_the_folder(places: Places) -> None:
    path = write(places.root / INSEE / "commun/a.txt")
    kept = keep(places, str(path), now=NOW)
    assert kept is not None
    assert path.samefile(kept)
