# SPDX-License-Identifier: GPL-3.0-or-later
"""SEDA transfers: from the folder to the deposit, the reply and the purge; hostile files."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from archivage_samples import NOW, SEDA, official
from envois_samples import SCHEMAS, SECTIONS, FolderDeposit, envois_pack, files_to_archive, run_and_kill
from hypothesis import given
from hypothesis import strategies as st

import packmairie.operations.archivage_depot as depot
from packmairie.cli.main import run
from packmairie.engines.sip import Original, day_of, scan
from packmairie.formats.seda.replies import Kind, read_reply
from packmairie.model.preuve import State
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import archivage as operations
from packmairie.operations.envois import states
from packmairie.operations.envois_places import spool_of


def message(name="ArchiveTransferReply", code="OK", request="V-1", version="2.2", extra=""):
    space = f"fr:gouv:culture:archivesdefrance:seda:v{version}"
    return (
        f'<{name} xmlns="{space}"><Date>2026-11-25T10:00:00</Date><MessageIdentifier>R</MessageIdentifier>'
        f"<ReplyCode>{code}</ReplyCode>{extra}<MessageRequestIdentifier>{request}</MessageRequestIdentifier></{name}>"
    ).encode()


class TestReplies:
    @official
    def test_recorded_reply_of_vitam(self):
        reply = read_reply((SEDA / "sedaArchiveTransferReply.xml").read_bytes())
        assert (reply.kind, reply.code, reply.granted) == (Kind.REPLY, "OK", True)
        assert reply.request == "OK_texte_14BinaryMaster_fmts"

    @pytest.mark.parametrize(
        ("code", "granted"),
        [
            ("OK", True),
            (" ok ", True),
            ("WARNING", True),
            ("000", True),
            ("KO", False),
            ("FATAL", False),
            ("", False),
            ("OKKO", False),
            ("NOT OK", False),
        ],
    )
    def test_only_an_acceptance_accepts(self, code, granted):
        assert read_reply(message(code=code)).granted is granted

    def test_an_acknowledgement_accepts_nothing(self):
        reply = read_reply(message("Acknowledgement").replace(b"MessageRequest", b"MessageReceived"))
        assert (reply.kind, reply.granted, reply.request) == (Kind.ACKNOWLEDGEMENT, False, "V-1")

    def test_reasons(self):
        event = "<Operation><Event><Outcome>KO</Outcome><OutcomeDetailMessage>format  inconnu</OutcomeDetailMessage>"
        event += (
            "</Event><Event><Outcome>OK</Outcome><OutcomeDetailMessage>bien</OutcomeDetailMessage></Event></Operation>"
        )
        assert read_reply(message(code="KO", extra=event)).reasons == ("format inconnu",)

    @pytest.mark.parametrize(
        "content",
        [b"", b"<html/>", b"\x00" * 10, b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', b"<a>"],
    )
    def test_anything_else(self, content):
        with pytest.raises(ValueError, match=r"."):
            read_reply(content)


class TestScan:
    def test_what_is_set_aside(self, tmp_path):
        place = tmp_path / "deliberations"
        place.mkdir()
        (place / "bon.pdf").write_bytes(b"x")
        (place / "lien").symlink_to("/etc/passwd")
        (place / "dossier").symlink_to("/etc")
        (place / ".cache").write_bytes(b"x")
        (place / "vide.pdf").write_bytes(b"")
        (place / "Thumbs.db").write_bytes(b"x")
        os.mkfifo(place / "tuyau")
        (place / "mau\x07vais").write_bytes(b"x")
        Path(os.fsdecode(os.fsencode(place) + b"/latin\xe9.pdf")).write_bytes(b"x")
        taken, aside = scan(tmp_path)
        assert [original.relative for original in taken] == ["deliberations/bon.pdf"]
        assert len(aside) == 8
        assert all(item.reason for item in aside)
        json.dumps([item.path for item in aside])

    @pytest.mark.skipif(os.geteuid() == 0, reason="root lit tout : un fichier illisible est joué autrement")
    def test_unreadable(self, tmp_path):
        (tmp_path / "secret").write_bytes(b"x")
        (tmp_path / "secret").chmod(0)
        assert scan(tmp_path)[1][0].reason.startswith("illisible")

    @given(st.text(alphabet="0123456789-_ abc", max_size=20))
    def test_days(self, name):
        original = Original("/x", f"d/{name}", 1, "x", 0.0)
        assert day_of(original).year >= 1

    def test_day_of_the_name(self):
        assert day_of(Original("/x", "d/2026-10-15 PV.pdf", 1, "x", 0.0)).isoformat() == "2026-10-15"
        assert day_of(Original("/x", "d/2026-13-45 PV.pdf", 1, "x", 0.0)).isoformat() == "1970-01-01"


@pytest.fixture
def pack(tmp_path):
    return envois_pack(
        tmp_path / "pack", f'sae: {{depot: sftp, hote: sae.example, compte: commune, empreinte: "SHA256:{"A" * 43}"}}\n'
    )


@pytest.fixture
def source(tmp_path):
    return files_to_archive(tmp_path)


@pytest.fixture
def sae(tmp_path, monkeypatch):
    way = FolderDeposit(tmp_path / "sae")
    monkeypatch.setattr(depot, "way_of", lambda *_arguments: way)
    return way


@official
class TestStory:
    def test_from_the_folder_to_the_purge(self, pack, source, sae, tmp_path):
        prepared = operations.prepare(pack, "62708", source, NOW)
        assert (prepared.files, prepared.report.state, prepared.aside) == (3, State.CONFORME, ())
        with pytest.raises(PackmairieError, match="aucune réponse"):
            depot.purge(pack, "62708", prepared.transfer, prepared.transfer)
        assert depot.deposit(pack, "62708", prepared.transfer).now
        assert not depot.deposit(pack, "62708", prepared.transfer).now
        assert sae.count() == 1
        answer = tmp_path / "accuse.xml"
        answer.write_bytes(
            message("Acknowledgement", request=prepared.transfer).replace(b"MessageRequest", b"MessageReceived")
        )
        [followed] = depot.follow(pack, "62708", message=(str(answer), answer.read_bytes()))
        assert followed.reply.kind is Kind.ACKNOWLEDGEMENT
        with pytest.raises(PackmairieError, match="aucune réponse"):
            depot.purge(pack, "62708", prepared.transfer, prepared.transfer)
        answer.write_bytes(message(request=prepared.transfer))
        [followed] = depot.follow(pack, "62708", message=(str(answer), answer.read_bytes()))
        assert followed.reply.granted
        with pytest.raises(PackmairieError, match="--confirm"):
            depot.purge(pack, "62708", prepared.transfer, None)
        changed = sorted((source / "deliberations" / "2026").iterdir())[0]
        changed.write_bytes(b"repris depuis")
        done = depot.purge(pack, "62708", prepared.transfer, prepared.transfer)
        assert done.removed == 2
        assert done.left[0][1] == "a changé depuis le versement"
        assert [path.name for path in (source / "deliberations" / "2026").iterdir()] == [changed.name]
        [state] = states(spool_of(pack, "archivage", "62708"))
        assert state.step == "purge-finie"

    def test_the_same_files_are_not_prepared_twice(self, pack, source):
        first = operations.prepare(pack, "62708", source, NOW)
        again = operations.prepare(pack, "62708", source, datetime(2026, 12, 1, tzinfo=UTC))
        assert again.already
        assert again.transfer == first.transfer
        assert again.report.state is State.CONFORME

    def test_a_refused_transfer_is_prepared_anew_and_keeps_its_originals(self, pack, source, sae, tmp_path):
        first = operations.prepare(pack, "62708", source, NOW)
        depot.deposit(pack, "62708", first.transfer)
        answer = tmp_path / "ko.xml"
        answer.write_bytes(message(code="KO", request=first.transfer))
        depot.follow(pack, "62708", message=(str(answer), answer.read_bytes()))
        with pytest.raises(PackmairieError, match="non accepté"):
            depot.purge(pack, "62708", first.transfer, first.transfer)
        assert operations.prepare(pack, "62708", source, NOW).transfer != first.transfer

    def test_a_reply_changed_after_reading_purges_nothing(self, pack, source, sae, tmp_path):
        first = operations.prepare(pack, "62708", source, NOW)
        depot.deposit(pack, "62708", first.transfer)
        answer = tmp_path / "r.xml"
        answer.write_bytes(message(code="KO", request=first.transfer))
        depot.follow(pack, "62708", message=(str(answer), answer.read_bytes()))
        kept = spool_of(pack, "archivage", "62708").place(first.transfer) / "reponse.xml"
        kept.write_bytes(message(code="OK", request=first.transfer))
        with pytest.raises(PackmairieError, match="non accepté"):
            depot.purge(pack, "62708", first.transfer, first.transfer)

    def test_a_reply_about_another_is_left_alone(self, pack, source, sae, tmp_path):
        first = operations.prepare(pack, "62708", source, NOW)
        depot.deposit(pack, "62708", first.transfer)
        answer = tmp_path / "r.xml"
        answer.write_bytes(message(request="59529-20261124-x-1"))
        with pytest.raises(PackmairieError, match="n'attend pas"):
            depot.follow(pack, "62708", message=(str(answer), answer.read_bytes()))

    def test_a_package_changed_after_its_verification_stays(self, pack, source, sae):
        first = operations.prepare(pack, "62708", source, NOW)
        with first.package.open("ab") as stream:
            stream.write(b"x")
        with pytest.raises(PackmairieError, match="a changé"):
            depot.deposit(pack, "62708", first.transfer)

    def test_one_bad_file_never_blocks(self, pack, source, monkeypatch):
        (source / "inconnu").mkdir()
        (source / "inconnu" / "x.txt").write_bytes(b"x")
        (source / "perdu.txt").write_bytes(b"x")
        real, victim = operations.write_package, sorted((source / "deliberations" / "2026").iterdir())[1]

        def disappear(*arguments):
            victim.unlink()
            return real(*arguments)

        monkeypatch.setattr(operations, "write_package", disappear)
        prepared = operations.prepare(pack, "62708", source, NOW)
        assert prepared.files == 2
        assert {item.path for item in prepared.aside} == {
            "inconnu/x.txt",
            "perdu.txt",
            f"deliberations/2026/{victim.name}",
        }
        assert prepared.report.state is State.CONFORME

    def test_without_schema_nothing_leaves(self, pack, source, sae, monkeypatch):
        monkeypatch.setattr("packmairie.inventory.official.BESIDE", Path("/nonexistent"))
        prepared = operations.prepare(pack, "62708", source, NOW)
        assert prepared.report.state is State.NON_VERIFIE
        with pytest.raises(PackmairieError, match="sans vérification conforme"):
            depot.deposit(pack, "62708", prepared.transfer)
        assert sae.count() == 0

    def test_killed_at_every_moment_of_the_whole_story(self, pack, source, tmp_path, monkeypatch):
        """Prepare and deposit, killed at each call to the system in turn: resuming ends with one deposit."""
        monkeypatch.setattr(operations, "_identify", lambda files, _progress: {})
        for at in range(1, 400, 7):
            monkeypatch.setenv("PACKMAIRIE_ENVOIS", str(tmp_path / f"envois-{at}"))
            way = FolderDeposit(tmp_path / f"sae-{at}", takes=True)
            monkeypatch.setattr(depot, "way_of", lambda *_arguments, way=way: way)

            def story():
                prepared = operations.prepare(pack, "62708", source, NOW)
                assert prepared.report.state is State.CONFORME
                depot.deposit(pack, "62708", prepared.transfer)

            finished = run_and_kill(story, at)
            story()
            assert way.count() == 1
            if finished:
                break
        assert finished


class TestCommands:
    def test_story(self, pack, source, sae, tmp_path, capsys):
        if not SEDA.is_dir():
            pytest.skip(f"schémas officiels absents de {SCHEMAS}")
        arguments = ["--pack", str(pack)]
        assert run(["archivage", "prepare", "62708", "--from", str(source), *arguments, "--json"]) == ExitCode.SUCCESS
        transfer = json.loads(capsys.readouterr().out)["transfer"]
        assert run(["archivage", "verify", "62708", transfer, *arguments]) == ExitCode.SUCCESS
        assert run(["archivage", "deposit", "62708", transfer, *arguments]) == ExitCode.SUCCESS
        answer = tmp_path / "r.xml"
        answer.write_bytes(message(code="KO", request=transfer))
        capsys.readouterr()
        assert run(["archivage", "follow", "62708", "--file", str(answer), *arguments]) == ExitCode.NOT_CONFORM
        assert "KO" in capsys.readouterr().out
        assert run(["archivage", "list", "62708", *arguments]) == ExitCode.SUCCESS
        assert transfer in capsys.readouterr().out
        assert run(["archivage", "purge", "62708", transfer, "--confirm", transfer, *arguments]) == ExitCode.FAILURE
        assert run(["archivage", "verify", *arguments]) == ExitCode.FAILURE
        assert run(["archivage", "verify", "--file", "/etc/hostname", *arguments]) == ExitCode.NOT_CONFORM

    def test_no_section(self, tmp_path, capsys):
        bare = envois_pack(tmp_path / "nu", sections="")
        assert run(["archivage", "list", "62708", "--pack", str(bare)]) == ExitCode.FAILURE
        assert "section archivage" in capsys.readouterr().err
        assert SECTIONS
