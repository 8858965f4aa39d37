# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts from their folder to the acknowledgement: deposited once, followed, published, kept for the archives."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from envois_samples import PDF, PROFILES, SCHEMAS, envois_pack
from s2low_samples import ACTES, EXAMPLES, FakeS2low, arack

import packmairie.operations.teletransmission_depot as depot
from packmairie.cli.main import run
from packmairie.formats.actes.s2low import Status
from packmairie.model.preuve import State
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import teletransmission as operations
from packmairie.operations.envois_places import spool_of

official = pytest.mark.skipif(not ACTES.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")
TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ACT = """\
nature: délibération
matiere: "7.1"
numero: {number}
date: 2026-10-15
objet: Budget supplémentaire de l’exercice
document: deliberation.pdf
annexes:
  - fichier: plan.pdf
    type: 99_DE
"""


@pytest.fixture
def s2low(monkeypatch):
    fake = FakeS2low()
    monkeypatch.setattr(depot, "s2low_of", lambda *_arguments: fake)
    return fake


@pytest.fixture
def pack(tmp_path):
    made = envois_pack(tmp_path / "pack")
    path = made / "communes" / "62708-riencourt-les-bapaume.yml"
    path.write_text(path.read_text(encoding="utf-8") + "  publier: true\n", encoding="utf-8")
    return made


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "acte"
    place.mkdir()
    (place / "deliberation.pdf").write_bytes(PDF)
    (place / "plan.pdf").write_bytes(PDF + b" ")
    (place / "acte.yml").write_text(ACT.format(number="2026_017"), encoding="utf-8")
    return place


@official
class TestStory:
    def test_from_the_folder_to_the_site_and_the_archives(self, pack, folder, s2low):
        assert operations.prepare(pack, "62708", folder, TODAY).report.state is State.NON_VERIFIE
        _found, newer = depot.fetch_classification(pack, "62708")
        assert newer
        assert not depot.fetch_classification(pack, "62708")[1]
        prepared = operations.prepare(pack, "62708", folder, TODAY)
        assert prepared.report.state is State.CONFORME, prepared.report
        assert "l'exercice" in prepared.act.subject
        assert prepared.transfer == "20261015-2026_017"
        assert operations.prepare(pack, "62708", folder, TODAY).already
        done = depot.deposit(pack, "62708", prepared.transfer)
        assert (done.transaction, done.now) == ("666", True)
        assert not depot.deposit(pack, "62708", prepared.transfer).now
        assert len(s2low.created) == 1
        assert s2low.created[0][1][1].startswith("99_DE-062-216207084-")
        [waiting] = depot.follow(pack, "62708", NOW)
        assert "agent" in waiting.label
        assert "666" in waiting.notes[0]
        s2low.state = Status(4, b"")
        [empty] = depot.follow(pack, "62708", NOW)
        assert "acquittement vide" in empty.label
        assert not empty.done
        s2low.state = Status(4, arack("2026_018"))
        assert "autre acte" in depot.follow(pack, "62708", NOW)[0].label
        s2low.state = Status(4, arack())
        first, then = depot.follow(pack, "62708", NOW)
        assert first.label == "acquitté le 2026-11-24"
        assert len(then.notes) == 2
        assert (folder / "ARActe.xml").read_bytes() == arack()
        [document] = (pack / "contenu" / "62708" / "documents").iterdir()
        assert document.name == "2026-10-15 Délibération n° 2026_017 – Budget supplémentaire de l'exercice.pdf"
        assert document.read_bytes() == s2low.stamped
        [transfer] = spool_of(pack, "archivage", "62708").transfers()
        entry = spool_of(pack, "archivage", "62708").step(transfer, "verifie")
        assert entry.data["etat"] == "conforme"
        assert spool_of(pack, "archivage", "62708").step(transfer, "prepare").data["fichiers"] == 4
        assert depot.follow(pack, "62708", NOW) == ()

    def test_an_unstamped_act_is_not_kept_as_stamped(self, pack, folder, s2low):
        depot.fetch_classification(pack, "62708")
        prepared = operations.prepare(pack, "62708", folder, TODAY)
        depot.deposit(pack, "62708", prepared.transfer)
        s2low.state, s2low.stamped = Status(4, arack()), PDF
        first, _then = depot.follow(pack, "62708", NOW)
        assert any("sans tampon" in note for note in first.notes)
        place = spool_of(pack, "teletransmission", "62708").place(prepared.transfer)
        assert not (place / "acte-tamponne.pdf").exists()

    def test_refused_number_gets_a_proposal_at_its_line(self, pack, folder, s2low, capsys):
        depot.fetch_classification(pack, "62708")
        (folder / "acte.yml").write_text(ACT.format(number='"2026-017"'), encoding="utf-8")
        code = run(["teletransmission", "prepare", "62708", "--from", str(folder), "--pack", str(pack)])
        assert code == ExitCode.NOT_CONFORM
        shown = capsys.readouterr().out
        assert "acte.yml:3:" in shown
        assert "2026_017" in shown

    def test_interrupted_deposit_is_compared_before_it_is_taken(self, pack, folder, s2low):
        depot.fetch_classification(pack, "62708")
        prepared = operations.prepare(pack, "62708", folder, TODAY)
        s2low.cut = True
        with pytest.raises(PackmairieError, match="interrompu"):
            depot.deposit(pack, "62708", prepared.transfer)
        s2low.cut = False
        with pytest.raises(PackmairieError, match="--resend"):
            depot.deposit(pack, "62708", prepared.transfer)
        s2low.refusal = "S²LOW refuse : ce numéro existe déjà"
        with pytest.raises(PackmairieError, match="existe déjà"):
            depot.deposit(pack, "62708", prepared.transfer, resend=True)
        kept, s2low.content = s2low.content, b"un autre acte"
        with pytest.raises(PackmairieError, match="ne contient pas"):
            depot.deposit(pack, "62708", prepared.transfer, transaction="666")
        s2low.content = kept
        assert depot.deposit(pack, "62708", prepared.transfer, transaction="666").now
        assert len(s2low.created) == 1

    def test_another_act_cannot_take_a_number_that_is_out(self, pack, folder, s2low):
        depot.fetch_classification(pack, "62708")
        prepared = operations.prepare(pack, "62708", folder, TODAY)
        depot.deposit(pack, "62708", prepared.transfer)
        (folder / "deliberation.pdf").write_bytes(PDF + b"autre %%EOF")
        with pytest.raises(PackmairieError, match="déjà déposé"):
            operations.prepare(pack, "62708", folder, TODAY)

    def test_a_refusal_is_told(self, pack, folder, s2low):
        depot.fetch_classification(pack, "62708")
        prepared = operations.prepare(pack, "62708", folder, TODAY)
        depot.deposit(pack, "62708", prepared.transfer)
        s2low.state = Status(-1, (EXAMPLES / "ANO_EACT--214400152--20180925-1.xml").read_bytes())
        [found] = depot.follow(pack, "62708", NOW)
        assert found.refused
        assert "anomalie 999" in found.label

    def test_an_individual_act_is_neither_published_nor_archived_as_open(self, pack, folder, s2low):
        depot.fetch_classification(pack, "62708")
        text = ACT.format(number="2026_017").replace("délibération", "individuel").replace("99_DE", "99_AI")
        (folder / "acte.yml").write_text(text.replace('"7.1"', '"4.2"'), encoding="utf-8")
        prepared = operations.prepare(pack, "62708", folder, TODAY)
        assert prepared.report.state is State.CONFORME, prepared.report
        depot.deposit(pack, "62708", prepared.transfer)
        s2low.state = Status(4, arack().replace(b"-DE", b"-AI"))
        _first, then = depot.follow(pack, "62708", NOW)
        assert "actes-individuels" in then.notes[0]
        assert not (pack / "contenu" / "62708").exists()
        profiles = PROFILES + PROFILES.split("profils:\n")[1].replace("deliberations", "x").replace(
            "  actes:", "  actes-individuels:"
        )
        (pack / "archivage" / "profils.yml").write_text(profiles, encoding="utf-8")
        [again] = depot.follow(pack, "62708", NOW)
        assert again.notes[0].startswith("archivage préparé : 62708-")

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (("document: deliberation.pdf", "document: ../../etc/passwd"), "nom d'un fichier du dossier"),
            (("document: deliberation.pdf", "document: absent.pdf"), "illisible"),
            (("date: 2026-10-15", "date: 2026-13-45"), "pas un jour"),
            (("nature: délibération", "nature: loi"), "nature inconnue"),
            (("annexes:", "pieces: x\nannexes:"), "clé inconnue"),
        ],
    )
    def test_hostile_or_wrong_files(self, pack, folder, s2low, change, reason):
        depot.fetch_classification(pack, "62708")
        path = folder / "acte.yml"
        path.write_text(path.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
        with pytest.raises(PackmairieError, match=reason):
            operations.prepare(pack, "62708", folder, TODAY)

    def test_a_link_is_no_document(self, pack, folder, s2low):
        (folder / "deliberation.pdf").unlink()
        (folder / "deliberation.pdf").symlink_to("/etc/passwd")
        with pytest.raises(PackmairieError, match="illisible"):
            operations.prepare(pack, "62708", folder, TODAY)

    def test_an_older_classification_is_refused(self, pack, s2low, tmp_path):
        depot.fetch_classification(pack, "62708")
        older = tmp_path / "c.xml"
        older.write_bytes(s2low.classification().replace(b"2017-11-13", b"2016-01-01"))
        with pytest.raises(PackmairieError, match="plus ancienne"):
            depot.fetch_classification(pack, "62708", older.read_bytes())

    def test_commands(self, pack, folder, s2low, capsys):
        arguments = ["--pack", str(pack)]
        assert run(["teletransmission", "classification", "62708", *arguments]) == ExitCode.SUCCESS
        assert "99_DE" in capsys.readouterr().out
        made = run(["teletransmission", "prepare", "62708", "--from", str(folder), "--json", *arguments])
        assert made == ExitCode.SUCCESS
        transfer = json.loads(capsys.readouterr().out)["transfer"]
        assert run(["teletransmission", "deposit", "62708", transfer, *arguments]) == ExitCode.SUCCESS
        assert "certificat" in capsys.readouterr().out
        assert run(["teletransmission", "follow", "62708", *arguments]) == ExitCode.SUCCESS
        assert run(["teletransmission", "list", "62708", *arguments]) == ExitCode.SUCCESS
        assert transfer in capsys.readouterr().out
