# SPDX-License-Identifier: GPL-3.0-or-later
"""Deposits in archival systems: OpenSSH's SFTP, and mutual TLS by nginx before a stand-in of each platform."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from archivage_samples import RNG, header, item
from envois_front import NOW, identified, needs_nginx, official, served
from envois_peers import OpenSsh
from envois_samples import PDF, SCHEMAS, envois_pack, files_to_archive, run_and_kill

from packmairie.engines.xml_schemas import load_rng
from packmairie.formats.seda.manifest import Unit, write_manifest
from packmairie.formats.seda.replies import Kind
from packmairie.formats.xml import parse
from packmairie.inventory.vault import Vault, ensure_vault_password
from packmairie.model.preuve import State
from packmairie.model.problem import PackmairieError
from packmairie.model.secret import Secret
from packmairie.operations import archivage, archivage_depot

REPLY = (
    '<{name} xmlns="fr:gouv:culture:archivesdefrance:seda:v2.2"><Date>2026-11-25T10:00:00</Date>'
    "<ReplyCode>{code}</ReplyCode><{field}>{transfer}</{field}></{name}>"
)
needs_sshd = pytest.mark.skipif(
    not Path("/usr/sbin/sshd").exists(), reason="sshd n'est pas installé : scripts/install-test-tools (root)"
)


def reply(transfer, code="OK"):
    return REPLY.format(name="ArchiveTransferReply", field="MessageRequestIdentifier", code=code, transfer=transfer)


def acknowledgement(transfer):
    return REPLY.format(name="Acknowledgement", field="MessageReceivedIdentifier", code="OK", transfer=transfer)


def keep_secret(pack, name, value):
    ensure_vault_password(pack)
    Vault(pack).write("62708", {name: Secret(value)})


@pytest.fixture
def sshd(tmp_path):
    server = OpenSsh(tmp_path / "sshd")
    yield server
    server.stop()


def sftp_lines(server, fingerprint=None):
    import getpass

    return (
        f"sae:\n  depot: sftp\n  hote: localhost.localdomain\n  port: {server.port}\n  compte: {getpass.getuser()}\n"
        f'  empreinte: "{fingerprint or server.fingerprint}"\n  dossier: {server.folder}/depot\n'
        f"  retours: {server.folder}/retours\n"
    )


@pytest.fixture
def resolved(monkeypatch):
    """Let the pack name the loopback as it names a host: a name of two labels at least."""
    import socket

    real = socket.getaddrinfo

    def local(host, *arguments, **options):
        return real("127.0.0.1" if host == "localhost.localdomain" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", local)


@pytest.fixture
def front(tmp_path):
    with served(tmp_path) as made:
        yield made


@official
@needs_sshd
class TestSftp:
    def test_story(self, tmp_path, sshd, resolved):
        pack = envois_pack(tmp_path / "pack", sftp_lines(sshd))
        keep_secret(pack, "archivage.cle_sftp", sshd.private_key)
        prepared = archivage.prepare(pack, "62708", files_to_archive(tmp_path), NOW)
        assert archivage_depot.deposit(pack, "62708", prepared.transfer).now
        assert not archivage_depot.deposit(pack, "62708", prepared.transfer).now
        [arrived] = (sshd.folder / "depot").iterdir()
        assert arrived.read_bytes() == prepared.package.read_bytes()
        assert archivage.verify_file(arrived).state is State.CONFORME
        assert archivage_depot.follow(pack, "62708") == ()
        (sshd.folder / "retours" / "ar.xml").write_text(acknowledgement(prepared.transfer))
        (sshd.folder / "retours" / "bruit.xml").write_text("<x/>")
        (sshd.folder / "retours" / "autre.xml").write_text(reply("62633-20261124-x-1"))
        [found] = archivage_depot.follow(pack, "62708")
        assert found.reply.kind is Kind.ACKNOWLEDGEMENT
        (sshd.folder / "retours" / "atr.xml").write_text(reply(prepared.transfer))
        [found] = archivage_depot.follow(pack, "62708")
        assert found.reply.granted
        assert archivage_depot.purge(pack, "62708", prepared.transfer, prepared.transfer).removed == 3

    def test_another_host_key_is_refused(self, tmp_path, sshd, resolved):
        pack = envois_pack(tmp_path / "pack", sftp_lines(sshd, "SHA256:" + "A" * 43))
        keep_secret(pack, "archivage.cle_sftp", sshd.private_key)
        prepared = archivage.prepare(pack, "62708", files_to_archive(tmp_path), NOW)
        with pytest.raises(PackmairieError, match="une autre clé"):
            archivage_depot.deposit(pack, "62708", prepared.transfer)
        assert not list((sshd.folder / "depot").iterdir())

    def test_a_foreign_account_is_refused(self, tmp_path, sshd, resolved):
        import paramiko

        pack = envois_pack(tmp_path / "pack", sftp_lines(sshd))
        paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "autre"))
        keep_secret(pack, "archivage.cle_sftp", (tmp_path / "autre").read_text())
        prepared = archivage.prepare(pack, "62708", files_to_archive(tmp_path), NOW)
        with pytest.raises(PackmairieError, match="refuse le compte"):
            archivage_depot.deposit(pack, "62708", prepared.transfer)

    def test_killed_and_resumed(self, tmp_path, sshd, resolved, monkeypatch):
        pack = envois_pack(tmp_path / "pack", sftp_lines(sshd))
        keep_secret(pack, "archivage.cle_sftp", sshd.private_key)
        source = files_to_archive(tmp_path)
        for at in range(1, 80, 4):
            monkeypatch.setenv("PACKMAIRIE_ENVOIS", str(tmp_path / f"envois-{at}"))
            prepared = archivage.prepare(pack, "62708", source, NOW)
            finished = run_and_kill(lambda name=prepared.transfer: archivage_depot.deposit(pack, "62708", name), at)
            archivage_depot.deposit(pack, "62708", prepared.transfer)
            [arrived] = (sshd.folder / "depot").iterdir()
            assert arrived.read_bytes() == prepared.package.read_bytes()
            arrived.unlink()
            if finished:
                break
        assert finished


@official
@needs_nginx
class TestVitam:
    def test_trial_first_then_deposit_then_reply(self, tmp_path, front):
        behind, nginx, authority = front
        pack = envois_pack(tmp_path / "pack")
        identified(tmp_path, authority, pack, f"sae:\n  depot: vitam\n  url: {nginx.url}\n  tenant: 3\n")
        prepared = archivage.prepare(pack, "62708", files_to_archive(tmp_path), NOW)
        name = prepared.transfer
        with pytest.raises(PackmairieError, match="--trial"):
            archivage_depot.deposit(pack, "62708", name)
        ingest = ("POST", "/ingest-external/v1/ingests")
        behind.answers[ingest] = (202, {"X-Request-Id": "essai1"}, b"")
        assert archivage_depot.deposit(pack, "62708", name, trial=True).trial
        behind.answers["HEAD", "/admin-external/v1/operations/essai1"] = (202, {}, b"")
        with pytest.raises(PackmairieError, match="encore en cours"):
            archivage_depot.deposit(pack, "62708", name)
        behind.answers["HEAD", "/admin-external/v1/operations/essai1"] = (200, {}, b"")
        answer = ("GET", "/ingest-external/v1/ingests/essai1/archivetransferreply")
        behind.answers[answer] = (200, {}, reply(name).encode())
        behind.answers[ingest] = (202, {"X-Request-Id": "vrai1"}, b"")
        assert archivage_depot.deposit(pack, "62708", name).receipt["operation"] == "vrai1"
        trial, real = behind.asked(*ingest)
        assert (trial[0]["x-context-id"], real[0]["x-context-id"]) == ("BLANK_TEST", "DEFAULT_WORKFLOW")
        assert (real[0]["x-tenant-id"], real[0]["x-action"]) == ("3", "RESUME")
        assert real[1] == prepared.package.read_bytes()
        behind.answers["HEAD", "/admin-external/v1/operations/vrai1"] = (200, {}, b"")
        recorded = (SCHEMAS / "seda" / "sedaArchiveTransferReply.xml").read_bytes()
        answer = ("GET", "/ingest-external/v1/ingests/vrai1/archivetransferreply")
        behind.answers[answer] = (200, {}, recorded.replace(b"OK_texte_14BinaryMaster_fmts", name.encode()))
        [found] = archivage_depot.follow(pack, "62708")
        assert found.reply.granted

    def test_refused_trial_blocks(self, tmp_path, front):
        behind, nginx, authority = front
        pack = envois_pack(tmp_path / "pack")
        identified(tmp_path, authority, pack, f"sae:\n  depot: vitam\n  url: {nginx.url}\n  tenant: 3\n")
        name = archivage.prepare(pack, "62708", files_to_archive(tmp_path), NOW).transfer
        behind.answers["POST", "/ingest-external/v1/ingests"] = (202, {"X-Request-Id": "e"}, b"")
        archivage_depot.deposit(pack, "62708", name, trial=True)
        behind.answers["HEAD", "/admin-external/v1/operations/e"] = (200, {}, b"")
        path = "/ingest-external/v1/ingests/e/archivetransferreply"
        behind.answers["GET", path] = (200, {}, reply(name, "KO").encode())
        with pytest.raises(PackmairieError, match="refusé"):
            archivage_depot.deposit(pack, "62708", name)
        assert len(behind.asked("POST", "/ingest-external/v1/ingests")) == 1

    def test_an_answer_cut_after_the_deposit_is_not_sent_again(self, tmp_path, front):
        behind, nginx, authority = front
        pack = envois_pack(tmp_path / "pack")
        identified(tmp_path, authority, pack, f"sae:\n  depot: vitam\n  url: {nginx.url}\n  tenant: 3\n")
        name = archivage.prepare(pack, "62708", files_to_archive(tmp_path), NOW).transfer
        ingest = ("POST", "/ingest-external/v1/ingests")
        behind.answers[ingest] = (202, {"X-Request-Id": "e"}, b"")
        archivage_depot.deposit(pack, "62708", name, trial=True)
        behind.answers["HEAD", "/admin-external/v1/operations/e"] = (200, {}, b"")
        path = "/ingest-external/v1/ingests/e/archivetransferreply"
        behind.answers["GET", path] = (200, {}, reply(name).encode())
        behind.dropped.add(ingest)
        with pytest.raises(PackmairieError, match="interrompu"):
            archivage_depot.deposit(pack, "62708", name)
        behind.dropped.clear()
        with pytest.raises(PackmairieError, match="--resend"):
            archivage_depot.deposit(pack, "62708", name)
        assert len(behind.asked(*ingest)) == 2


@official
@needs_nginx
class TestAsalae:
    def test_story(self, tmp_path, front):
        behind, nginx, authority = front
        pack = envois_pack(tmp_path / "pack")
        identified(tmp_path, authority, pack, f"sae:\n  depot: asalae\n  url: {nginx.url}\n  compte: commune\n")
        keep_secret(pack, "archivage.mot_de_passe", "motdepasse-exemple")
        prepared = archivage.prepare(pack, "62708", files_to_archive(tmp_path), NOW)
        behind.answers["GET", "/restservices/ping"] = (200, {}, b'"webservices as@lae accessibles"')
        behind.answers["POST", "/restservices/sedaMessages"] = (200, {}, b"{}")
        archivage_depot.deposit(pack, "62708", prepared.transfer)
        [(headers, body)] = behind.asked("POST", "/restservices/sedaMessages")
        assert b'name="seda_message"; filename="bordereau.xml"' in body
        assert prepared.package.read_bytes() in body
        assert "motdepasse" not in str(headers)
        base = (
            "/restservices/sedaMessages/sequence:ArchiveTransfer/message:{}/originOrganizationIdentification:VERSANT-1"
        )
        path = base.format("ArchiveTransferReply") + f"/originMessageIdentifier:{prepared.transfer}"
        behind.answers["GET", path] = (200, {}, reply(prepared.transfer, "000").encode())
        [found] = archivage_depot.follow(pack, "62708")
        assert found.reply.granted

    def test_in_pieces(self, tmp_path, front):
        behind, nginx, authority = front
        pack = envois_pack(tmp_path / "pack")
        lines = f"sae:\n  depot: asalae\n  url: {nginx.url}\n  compte: commune\n  morceaux_mo: 1\n"
        identified(tmp_path, authority, pack, lines)
        keep_secret(pack, "archivage.mot_de_passe", "motdepasse-exemple")
        source = files_to_archive(tmp_path)
        (source / "deliberations" / "gros.pdf").write_bytes(PDF + bytes(range(256)) * 9000)
        prepared = archivage.prepare(pack, "62708", source, NOW)
        behind.answers["GET", "/restservices/ping"] = (200, {}, b"{}")
        opening, pieces = ("POST", "/restservices/sedaMessages"), ("POST", "/restservices/sedaAttachmentsChunkFiles")
        behind.answers[opening] = (200, {}, b"{}")
        with pytest.raises(PackmairieError, match="par morceaux"):
            archivage_depot.deposit(pack, "62708", prepared.transfer)
        behind.answers[opening] = (200, {}, b'{"chunk_session_identifier": "s1", "chunk_security_identifier": "k1"}')
        behind.answers[pieces] = (503, {}, b"")
        # Cut before the last piece: as@lae has nothing, and the same command sends it whole.
        with pytest.raises(PackmairieError, match="interrompu avant la fin"):
            archivage_depot.deposit(pack, "62708", prepared.transfer)
        behind.answers[pieces] = (200, {}, b"{}")
        behind.seen.clear()
        done = archivage_depot.deposit(pack, "62708", prepared.transfer)
        assert done.receipt["morceaux"] == 3
        assert b'name="send_chunked_attachments"' in behind.asked(*opening)[-1][1]
        assert b'name="attachments"' not in behind.asked(*opening)[-1][1]
        sent = b""
        for number, (headers, body) in enumerate(behind.asked(*pieces), start=1):
            fields = parts_of(headers, body)
            assert (fields["session_identifier"], fields["security_identifier"]) == (b"s1", b"k1")
            assert (fields["chunk_index"], fields["number_of_chunks"]) == (b"%d" % number, b"3")
            sent += fields["chunk_content"]
        assert sent == prepared.package.read_bytes()
        assert not archivage_depot.deposit(pack, "62708", prepared.transfer).now


def parts_of(headers, body):
    """Return the parts of a multipart request by name (RFC 7578)."""
    boundary = b"--" + headers["content-type"].partition("boundary=")[2].encode()
    found = {}
    for part in body.split(boundary)[1:-1]:
        head, _empty, content = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        found[name] = content.removesuffix(b"\r\n")
    return found


@official
class TestJing:
    def test_a_second_opinion_on_a_profile(self, tmp_path):
        """Our judge of RELAX NG and Debian's jing agree on a manifest that a profile accepts, and on another."""
        if shutil.which("jing") is None:
            pytest.skip("jing n'est pas installé : scripts/install-test-tools (root)")
        profile = tmp_path / "profil.rng"
        profile.write_text(RNG.replace("@titre@", "Délibérations"), encoding="utf-8")
        ours = load_rng(profile)
        for title, accepted in (("Délibérations", True), ("Autre chose", False)):
            manifest = tmp_path / "manifest.xml"
            with manifest.open("wb") as stream:
                write_manifest(stream, header(), [Unit(title, "RecordGrp", (item(),))])
            theirs = subprocess.run(["jing", str(profile), str(manifest)], capture_output=True, timeout=60, check=False)
            assert ours.validate(parse(manifest.read_bytes()).getroottree()) is accepted
            assert (theirs.returncode == 0) is accepted, theirs.stdout
