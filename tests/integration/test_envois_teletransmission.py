# SPDX-License-Identifier: GPL-3.0-or-later
"""Deposits of acts: mutual TLS by nginx before a stand-in of S²LOW, and who is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from envois_front import NOW, identified, needs_nginx, official, served
from envois_peers import issue
from envois_samples import PDF, SCHEMAS, envois_pack
from tls_peers import Authority

from packmairie.engines.deposit import NotSentError
from packmairie.engines.deposit_http import Client, Identity
from packmairie.engines.s2low import S2low
from packmairie.model.preuve import State
from packmairie.model.problem import PackmairieError
from packmairie.operations import teletransmission, teletransmission_depot
from packmairie.operations.envois_places import spool_of


@pytest.fixture
def front(tmp_path):
    with served(tmp_path) as made:
        yield made


@needs_nginx
class TestMutualTls:
    @pytest.mark.parametrize("kind", ["aucun", "expiré", "autre autorité"])
    def test_refused(self, tmp_path, front, kind):
        behind, nginx, authority = front
        certificate: tuple[Path, Path] | None = None
        if kind == "expiré":
            certificate = issue(authority, tmp_path / "c", "machine", days=-2)
        elif kind == "autre autorité":
            certificate = issue(Authority(tmp_path / "ac2", "Autre AC"), tmp_path / "c", "machine")
        identity = Identity(str(authority.root), *(map(str, certificate) if certificate else ()))
        behind.answers["GET", "/api/test-connexion.php"] = (200, {}, b"OK\n")
        with pytest.raises(NotSentError, match=r"HTTP 400|refuse le certificat"):
            S2low(Client(nginx.url, identity)).test()
        assert behind.seen == []

    def test_accepted(self, tmp_path, front):
        behind, nginx, authority = front
        certificate = issue(authority, tmp_path / "c", "machine")
        behind.answers["GET", "/api/test-connexion.php"] = (200, {}, b"OK\n")
        S2low(Client(nginx.url, Identity(str(authority.root), *map(str, certificate)))).test()
        assert behind.asked("GET", "/api/test-connexion.php")[0][0]["x-client-verify"] == "SUCCESS"

    def test_a_platform_of_another_authority_is_refused(self, tmp_path, front):
        behind, nginx, authority = front
        certificate = issue(authority, tmp_path / "c", "machine")
        other = Authority(tmp_path / "ac2", "Autre AC")
        with pytest.raises(NotSentError, match="injoignable ou refusé"):
            S2low(Client(nginx.url, Identity(str(other.root), *map(str, certificate)))).test()
        assert behind.seen == []

    def test_a_key_that_others_read_is_refused(self, tmp_path, front):
        _behind, nginx, authority = front
        certificate, key = issue(authority, tmp_path / "c", "machine")
        key.chmod(0o644)
        with pytest.raises(PackmairieError, match="chmod 600"):
            Client(nginx.url, Identity(str(authority.root), str(certificate), str(key)))


ACT = """\
nature: délibération
matiere: "7.1"
numero: 2026_017
date: 2026-10-15
objet: Réfection de l'église d'Œuf – été
document: deliberation.pdf
"""


@official
@needs_nginx
class TestS2low:
    def test_deposit_waits_for_the_agent_and_is_followed(self, tmp_path, front):
        behind, nginx, authority = front
        pack = envois_pack(tmp_path / "pack")
        identified(tmp_path, authority, pack, f"tdt:\n  url: {nginx.url}\n")
        folder = tmp_path / "acte"
        folder.mkdir()
        (folder / "acte.yml").write_text(ACT, encoding="utf-8")
        (folder / "deliberation.pdf").write_bytes(PDF)
        fetch = "/modules/actes/actes_classification_fetch.php?api=1"
        behind.answers["GET", fetch] = (200, {}, "KO\nclassification indisponible".encode("iso-8859-1"))
        with pytest.raises(PackmairieError, match="classification indisponible"):
            teletransmission_depot.fetch_classification(pack, "62708")
        recorded = (SCHEMAS / "actes" / "exemples" / "pastell-classification.xml").read_bytes()
        behind.answers["GET", fetch] = (200, {}, recorded)
        teletransmission_depot.fetch_classification(pack, "62708")
        prepared = teletransmission.prepare(pack, "62708", folder, date(2026, 11, 24))
        assert prepared.report.state is State.CONFORME, prepared.report
        create = ("POST", "/modules/actes/actes_transac_create.php")
        behind.answers["GET", "/api/test-connexion.php"] = (200, {}, b"OK\n")
        behind.answers[create] = (200, {}, "KO\nLe numéro est déjà utilisé".encode("iso-8859-1"))
        with pytest.raises(PackmairieError, match="numéro est déjà utilisé"):
            teletransmission_depot.deposit(pack, "62708", prepared.transfer)
        behind.answers[create] = (200, {}, b"OK\n666")
        assert teletransmission_depot.deposit(pack, "62708", prepared.transfer).transaction == "666"
        body = behind.asked(*create)[-1][1]
        assert "Réfection de l'église d'OEuf - été".encode("iso-8859-1") in body
        for field, value in (
            ("en_attente", b"1"),
            ("type_acte", b"99_DE"),
            ("classif2", b"1"),
            ("number", b"2026_017"),
        ):
            assert f'name="{field}"'.encode() + b"\r\n\r\n" + value in body
        assert PDF in body
        status = "/modules/actes/actes_transac_get_status.php?transaction=666"
        behind.answers["GET", status] = (200, {}, b"OK\n17\n")
        [waiting] = teletransmission_depot.follow(pack, "62708", NOW)
        assert "agent" in waiting.label
        received = (
            '<?xml version="1.0" encoding="ISO-8859-1"?><actes:ARActe xmlns:actes="http://www.interieur.gouv.fr/ACTES'
            '#v1.1-20040216" actes:DateReception="2026-11-24" actes:IDActe="062-216207084-20261015-2026_017-DE"/>'
        )
        behind.answers["GET", status] = (200, {}, b"OK\n4\n" + received.encode())
        first, then = teletransmission_depot.follow(pack, "62708", NOW)
        assert first.done
        assert "indisponible" in first.notes[0]
        assert then.notes[0].startswith("archivage préparé")
        assert (folder / "ARActe.xml").read_text() == received
        [transfer] = spool_of(pack, "archivage", "62708").transfers()
        assert spool_of(pack, "archivage", "62708").step(transfer, "verifie").data["etat"] == "conforme"
