# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hourly round of the file spaces' host does with folders like its own, and how it is judged."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from envois_host_samples import NOW, host_folders
from envois_samples import PDF, SCHEMAS, FolderDeposit, envois_pack
from hypothesis import given
from hypothesis import strategies as st
from s2low_samples import FakeS2low, arack

import packmairie.operations.archivage_depot as archives
import packmairie.operations.teletransmission_depot as acts
from packmairie.briques.envois import judge_rounds
from packmairie.cli.main import run
from packmairie.formats.actes.names import MODEL, act_file, read_name
from packmairie.formats.actes.s2low import Status
from packmairie.model.preuve import State
from packmairie.model.probes_envois import Rounds
from packmairie.model.problem import ExitCode
from packmairie.operations.envois_places import spool_of
from packmairie.operations.envois_rounds import adopt, follow_all

DROPPED = "2026-10-15 délibération 2026_017 7.1 Budget supplémentaire.pdf"
official = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")


@pytest.fixture
def host(tmp_path, monkeypatch):
    return host_folders(tmp_path, monkeypatch)


def deposits_by_itself(folder: Path) -> None:
    path = folder / "communes" / "62708.yml"
    path.write_text(path.read_text().replace('"deposer": false', '"deposer": true'))


@pytest.fixture
def s2low(monkeypatch):
    fake = FakeS2low()
    monkeypatch.setattr(acts, "s2low_of", lambda *_arguments: fake)
    return fake


@pytest.fixture
def sae(tmp_path, monkeypatch):
    way = FolderDeposit(tmp_path / "sae")
    way.answers = []
    way.replies = lambda: iter(way.answers)
    monkeypatch.setattr(archives, "way_of", lambda *_arguments: way)
    monkeypatch.setattr(archives, "_messages", lambda *_arguments: iter(way.answers))
    return way


@official
class TestRounds:
    def test_an_act_goes_from_its_name_to_the_archives(self, host, s2low, sae):
        dropped = host / "partage" / "62708" / "a-transmettre"
        (dropped / DROPPED).write_bytes(PDF)
        transmit = lambda: follow_all(host / "teletransmission", "teletransmission", NOW)  # noqa: E731
        assert transmit() == {}
        folder = dropped / DROPPED.removesuffix(".pdf")
        assert (folder / DROPPED).read_bytes() == PDF
        assert (folder / "vérification.txt").read_text().startswith("Conforme : acte 20261015-2026_017")
        assert not s2low.created
        deposits_by_itself(host / "teletransmission")
        assert transmit() == {}
        assert len(s2low.created) == 1
        assert "à confirmer" in (folder / "vérification.txt").read_text()
        s2low.state = Status(4, arack())
        assert transmit() == {}
        assert transmit() == {}
        assert len(s2low.created) == 1
        assert (folder / "vérification.txt").read_text().startswith("Acquitté le")
        assert (folder / "ARActe.xml").read_bytes() == arack()
        assert len(list((host / "contenus" / "62708" / "documents").iterdir())) == 1
        assert len(list((host / "remise" / "62708").iterdir())) == 1
        archive = lambda: follow_all(host / "archivage", "archivage", NOW)  # noqa: E731
        assert archive() == {}
        assert archive() == {}
        spool = spool_of(host / "archivage", "archivage", "62708")
        [transfer] = spool.transfers()
        assert spool.step(transfer, "verifie").data["etat"] == "conforme"
        assert sae.count() == 0
        deposits_by_itself(host / "archivage")
        assert archive() == {}
        assert archive() == {}
        assert sae.count() == 1
        told = json.loads((host / "envois" / "archivage" / "dernier.json").read_text())
        assert told["echecs"] == {}

    def test_what_is_wrong_is_told_beside_the_act(self, host, s2low):
        dropped = host / "partage" / "62708" / "a-transmettre"
        (dropped / DROPPED.replace("2026_017", "2026-017")).write_bytes(PDF)
        (dropped / "scan0001.pdf").write_bytes(PDF)
        assert follow_all(host / "teletransmission", "teletransmission", NOW) == {}
        assert "scan0001.pdf : ce nom ne dit pas l'acte" in (dropped / "vérification.txt").read_text()
        assert MODEL in (dropped / "LISEZ-MOI.txt").read_text()
        folder = dropped / DROPPED.replace("2026_017", "2026-017").removesuffix(".pdf")
        assert "écrire numero: 2026_017" in (folder / "vérification.txt").read_text()
        assert spool_of(host, "teletransmission", "62708").transfers() == ("classification",)

    def test_one_platform_s_silence_is_told_and_stops_nothing(self, host, s2low, monkeypatch):
        dropped = host / "partage" / "62708" / "a-transmettre"
        (dropped / DROPPED).write_bytes(PDF)
        assert follow_all(host / "teletransmission", "teletransmission", NOW) == {}

        def silent(*_arguments):
            raise OSError("pas de réponse")

        deposits_by_itself(host / "teletransmission")
        monkeypatch.setattr(s2low, "create", silent)
        told = follow_all(host / "teletransmission", "teletransmission", NOW)
        assert "dépôt interrompu" in told["62708"]
        assert json.loads((host / "envois" / "teletransmission" / "dernier.json").read_text())["echecs"] == told

    def test_a_folder_in_the_way_stops_no_other_act(self, host, s2low):
        dropped = host / "partage" / "62708" / "a-transmettre"
        for name in (DROPPED, DROPPED.replace("2026_017", "2026_018")):
            (dropped / name).write_bytes(PDF + name.encode())
        (dropped / DROPPED.removesuffix(".pdf") / "vérification.txt").mkdir(parents=True)
        told = follow_all(host / "teletransmission", "teletransmission", NOW)
        assert "vérification.txt" in told["62708"]
        other = dropped / DROPPED.replace("2026_017", "2026_018").removesuffix(".pdf")
        assert (other / "vérification.txt").read_text().startswith("Conforme")

    def test_links_lead_nowhere(self, host, s2low, tmp_path):
        dropped, outside = host / "partage" / "62708" / "a-transmettre", tmp_path / "dehors"
        outside.mkdir()
        (outside / "acte.yml").write_text("nature: autre\n")
        (dropped / "lien").symlink_to(outside)
        (dropped / "vérification.txt").symlink_to(outside / "écrasé")
        (dropped / DROPPED).symlink_to("/etc/passwd")
        assert list(adopt(dropped)) == []
        (dropped / "x.pdf").write_bytes(PDF)
        list(adopt(dropped))
        assert not (outside / "écrasé").exists()
        assert (dropped / DROPPED).is_symlink()

    def test_refused_away_from_a_host(self, tmp_path, capsys):
        made = envois_pack(tmp_path / "pack", "")
        assert run(["archivage", "follow", "--all", "--pack", str(made)]) == ExitCode.FAILURE
        assert run(["archivage", "follow", "--pack", str(made)]) == ExitCode.FAILURE
        assert "l'un des deux" in capsys.readouterr().err


class TestNames:
    def test_the_model_reads_itself(self):
        act = read_name(MODEL)
        assert (act.nature, act.number, act.matter) == ("délibération", "2026_031", "7.1")

    @pytest.mark.parametrize(
        "name",
        [
            "délibération.pdf",
            "2026-13-45 délibération 2026_1 7.1 X.pdf",
            "2026-10-15 facture 2026_1 7.1 X.pdf",
            "2026-10-15 délibération 2026_1 7.1 .pdf",
            "2026-10-15 délibération 2026_1 7.1 X.exe",
        ],
    )
    def test_refusals(self, name):
        assert read_name(name) is None

    @given(st.text(max_size=60))
    def test_no_subject_breaks_the_file(self, subject):
        import yaml

        act = read_name(f"2026-10-15 délibération 2026_1 7.1 x{subject}.pdf".replace("/", "_"))
        if act is not None:
            text = act_file(act, "x.pdf")
            if text.isprintable() or all(c == "\n" or c.isprintable() for c in text):
                assert yaml.safe_load(text)["objet"] == act.subject


class TestJudging:
    @pytest.mark.parametrize(
        ("rounds", "state"),
        [
            (Rounds(True, NOW - timedelta(hours=1), {}), State.CONFORME),
            (Rounds(True, NOW - timedelta(hours=4), {}), State.NON_CONFORME),
            (Rounds(False, NOW, {}), State.NON_CONFORME),
            (Rounds(True, None, {}), State.NON_VERIFIE),
            (Rounds(True, NOW, {"62708": "panne"}), State.NON_CONFORME),
            (Rounds(True, NOW, {}, {"https://x/": "pas de réponse"}), State.NON_VERIFIE),
        ],
    )
    def test_rounds(self, rounds, state):
        assert judge_rounds(rounds, "r", NOW).state is state
