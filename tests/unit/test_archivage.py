# SPDX-License-Identifier: GPL-3.0-or-later
"""SEDA packages: valid by construction, judged as an archival system would, followed to the purge; hostile files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from envois_samples import SCHEMAS, SECTIONS, FolderDeposit, envois_pack, files_to_archive, run_and_kill
from hypothesis import given, settings
from hypothesis import strategies as st

import packmairie.operations.archivage_depot as depot
from packmairie.cli.main import run
from packmairie.engines.sip import Original, day_of, scan
from packmairie.engines.xml_schemas import load_rng, load_xsd
from packmairie.formats.seda.manifest import Header, Item, Rules, Unit, write_manifest
from packmairie.formats.seda.replies import Kind, read_reply
from packmairie.formats.seda.verify import Schemas, verify_package
from packmairie.formats.xml import parse
from packmairie.model.preuve import State
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import archivage as operations
from packmairie.operations.envois import states
from packmairie.operations.envois_places import spool_of

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SEDA = SCHEMAS / "seda"
official = pytest.mark.skipif(not SEDA.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")
VERSIONS = ("2.1", "2.2", "2.3")


def official_xsd(version):
    name = f"seda-{version}-main.xsd"
    folder = SEDA / ("seda-2.3" if version == "2.3" else "official-2.0-2.2")
    return load_xsd(folder / name, [SEDA / "official-2.0-2.2"])


@pytest.fixture(scope="module")
def compiled():
    return {version: official_xsd(version) for version in VERSIONS} if SEDA.is_dir() else {}


def header(version="2.2", identifier="V-1"):
    return Header(identifier, NOW, "ACCORD-1", "SAE-1", "VERSANT-1", "PRODUCTEUR-1", "Essai", version)


def item(number=1, content=b"contenu", name="délibération.pdf", **changes):
    values = {
        "uri": f"content/BDO{number:05d}.pdf",
        "name": name,
        "size": len(content),
        "digest": hashlib.sha512(content).hexdigest(),
        "modified": NOW,
        "puid": "fmt/18",
        "mime": "application/pdf",
        "format_name": "PDF 1.4",
    }
    return Item(**{**values, **changes})


def package(files=None, units=None, version="2.2", extra=(), manifest="manifest.xml", edit=None):
    """Return the bytes of a package; ``edit`` changes the manifest's text, ``extra`` adds entries."""
    files = {"content/BDO00001.pdf": b"contenu"} if files is None else files
    stream = io.BytesIO()
    write_manifest(stream, header(version), units or [Unit("Titre", "RecordGrp", (item(),))])
    text = stream.getvalue()
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        archive.writestr(manifest, edit(text) if edit else text)
        for name, content in files.items():
            archive.writestr(name, content)
        for info, content in extra:
            archive.writestr(info, content)
    return io.BytesIO(result.getvalue())


def reasons(stream, schemas=None):
    return [f"{found.place} : {found.reason}" for found in verify_package(stream, schemas or Schemas(None)).errors]


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=60).filter(
    lambda text: text.strip() and "\ufffe" not in text
)


@official
class TestManifest:
    @pytest.mark.parametrize("version", VERSIONS)
    @settings(max_examples=10, deadline=None)
    @given(titles=st.lists(TEXTS, min_size=1, max_size=4), name=TEXTS, days=st.dates(), size=st.integers(1, 10**13))
    def test_valid_whatever_the_names_and_dates(self, compiled, version, titles, name, days, size):
        first = item(1, name=name, size=size)
        bare = item(2, puid="", modified=datetime(1970, 1, 1, tzinfo=UTC), uri="content/BDO00002")
        rules = Rules("APP-1", "Destroy", "ACC-1", days)
        inner = tuple(Unit(title, "File", description=name) for title in titles)
        units = [Unit(titles[0], "RecordGrp", (first, bare), inner, rules, start=days, end=days)]
        stream = io.BytesIO()
        write_manifest(stream, header(version), units)
        root = parse(stream.getvalue())
        assert compiled[version].validate(root.getroottree()), compiled[version].error_log

    @pytest.mark.parametrize("version", VERSIONS)
    def test_the_official_schema_refuses_what_is_wrong(self, compiled, version):
        found = verify_package(
            package(
                version=version, edit=lambda text: text.replace(b"<Date>", b"<Jour>").replace(b"</Date>", b"</Jour>")
            ),
            Schemas(compiled[version]),
        )
        assert any("Jour" in finding.reason for finding in found.errors)
        assert verify_package(package(version=version), Schemas(compiled[version])).state is State.CONFORME


class TestVerify:
    def test_without_schema_nothing_is_sure(self):
        found = verify_package(package(), Schemas(None))
        assert found.state is State.NON_VERIFIE
        assert "--schemas" in found.unverified[0]
        asked = verify_package(package(), Schemas(None, None, True))
        assert any("RELAX NG" in gap for gap in asked.unverified)

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("content/BDO00001.pdf", b"Contenu", "empreinte différente"),
            ("content/BDO00001.pdf", b"contenus", "octets"),
            ("content/autre.pdf", b"contenu", "absent du paquet"),
        ],
    )
    def test_content(self, name, content, reason):
        assert any(reason in text for text in reasons(package({name: content})))

    def test_both_directions(self):
        found = reasons(package({"content/BDO00001.pdf": b"contenu", "content/intrus.pdf": b"x"}))
        assert found == ["content/intrus.pdf : présent dans le paquet, absent du manifeste"]

    @pytest.mark.parametrize("name", ["../fuite.pdf", "/etc/x", "content/../../x", "c:\\x", "content\\x"])
    def test_names_that_leave(self, name):
        info = zipfile.ZipInfo("x")
        info.filename = name
        assert any("sort du paquet" in text for text in reasons(package(extra=[(info, b"x")])))

    def test_link(self):
        info = zipfile.ZipInfo("content/lien")
        info.external_attr = 0o120777 << 16
        assert any("lien" in text for text in reasons(package(extra=[(info, b"/etc/passwd")])))

    def test_layout(self):
        assert any("2 fichiers à la racine" in text for text in reasons(package(extra=[("lisez-moi.txt", b"x")])))
        assert any("2 dossiers" in text for text in reasons(package(extra=[("autre/x", b"x")])))
        assert any("aucun manifest" in text for text in reasons(package(manifest="bordereau.xml")))
        assert not any("racine" in text for text in reasons(package(manifest="commune_manifest.xml")))

    def test_entities_are_refused(self):
        laughs = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><ArchiveTransfer>&b;'
        laughs += b"</ArchiveTransfer>"
        assert any("DOCTYPE" in text for text in reasons(package(edit=lambda _text: laughs)))
        late = b"<a>" + b" " * 5000 + b"</a>"
        assert any("ArchiveTransfer" in text for text in reasons(package(edit=lambda _text: late)))

    def test_an_entry_that_lies_about_its_size(self):
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            stream = io.BytesIO()
            write_manifest(stream, header(), [Unit("t", "File", (item(content=b"0" * 10),))])
            archive.writestr("manifest.xml", stream.getvalue())
            archive.writestr("content/BDO00001.pdf", b"0" * 5_000_000)
        assert any("octets" in text for text in reasons(bomb))

    @pytest.mark.parametrize("content", [b"", b"PK", b"x" * 100, b"PK\x05\x06" + b"\x00" * 18])
    def test_not_a_package(self, content):
        assert reasons(io.BytesIO(content))

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 4000), st.integers(0, 255))
    def test_no_damage_breaks_the_verification(self, position, value):
        content = bytearray(package().getvalue())
        content[position % len(content)] = value
        verify_package(io.BytesIO(bytes(content)), Schemas(None))

    def test_vitam_rules(self):
        def edit(text):
            return text.replace(b"<ArchivalAgreement>ACCORD-1</ArchivalAgreement>", b"").replace(
                b"BinaryMaster_1", b"Binary Master"
            )

        found = reasons(package(edit=edit))
        assert any("accord" in text for text in found)
        assert any("usage" in text for text in found)

    def test_references(self):
        found = reasons(package(edit=lambda text: text.replace(b"Id>GOT00001<", b"Id>GOT00009<")))
        assert len([text for text in found if "GOT0000" in text]) == 2

    def test_profile(self, tmp_path):
        rng = tmp_path / "profil.rng"
        rng.write_text(RNG.replace("@titre@", "Délibérations"), encoding="utf-8")
        profile = load_rng(rng)
        good = package(units=[Unit("Délibérations", "RecordGrp", (item(),))])
        bad = package(units=[Unit("Autre chose", "RecordGrp", (item(),))])
        assert reasons(good, Schemas(None, profile, True)) == []
        assert any("profil d'archivage" in text for text in reasons(bad, Schemas(None, profile, True)))


RNG = """\
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="fr:gouv:culture:archivesdefrance:seda:v2.2">
<start><element name="ArchiveTransfer"><ref name="below"/></element></start>
<define name="below"><zeroOrMore><choice><text/><ref name="first"/><element>
<anyName><except><name>DescriptiveMetadata</name></except></anyName>
<zeroOrMore><attribute><anyName/></attribute></zeroOrMore><ref name="below"/></element></choice></zeroOrMore></define>
<define name="first"><element name="DescriptiveMetadata"><element name="ArchiveUnit"><attribute name="id" ns=""/>
<element name="Content"><element name="DescriptionLevel"><text/></element>
<element name="Title"><value>@titre@</value></element><ref name="below"/></element><ref name="below"/></element>
</element>
</define>
</grammar>
"""


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
