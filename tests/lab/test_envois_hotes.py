# SPDX-License-Identifier: GPL-3.0-or-later
"""A délibération from the file space to the archives, on booted hosts; and what the accounts that send may not do."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from envois_monde import PLACE, SAE, TDT, TDT_PORT, Peers, install_peers, put
from partage_client import Client, host_of
from stages import ROOT, Told

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.model.pack import Pack
from packmairie.model.secret import Secret

pytestmark = pytest.mark.lab
COMMUNE = "62708"
ACT = "2026-10-15 délibération 2026_017 7.1 Budget supplémentaire.pdf"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
SCHEMAS = ROOT.parent / "shared" / "data"
PROFILE = {"conservation": "APP-00001", "sort": "conserver", "acces": "ACC-00001"}
SECTIONS: dict[str, Any] = {
    "archivage": {"accord": "ACCORD-1", "service_archives": "SAE-1", "service_versant": "VERSANT-1"},
    "teletransmission": {"depuis": "2026-01-15", "arrondissement": "1", "publier": True},
}
REPLY = (
    '<{name} xmlns="fr:gouv:culture:archivesdefrance:seda:v2.2"><Date>2026-11-25T10:00:00</Date>'
    "<ReplyCode>{code}</ReplyCode><{field}>{transfer}</{field}></{name}>"
)


@dataclass
class Sending:
    """The pack in which a commune sends, its command line, and what stands on the hosts."""

    folder: Path
    lab: Lab
    peers: Peers
    client: Client

    def packmairie(self, *words: str) -> Told:
        """Run the command line on this pack."""
        done = subprocess.run(
            [Path(sys.executable).parent / "packmairie", *words],
            cwd=ROOT,
            env=os.environ | {"PACKMAIRIE_PACK": str(self.folder), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Told(done.returncode, done.stdout, done.stderr, 0.0)

    def done(self, *words: str) -> str:
        """Run a command that must succeed; return what it says."""
        told = self.packmairie(*words)
        assert told.code == 0, f"{words}\n{told.out}\n{told.err}"
        return told.out

    def play(self, pack: Path, *options: str) -> str:
        """Run the platform's playbook for what sends, as a technician does without packmairie's command."""
        done = subprocess.run(
            [
                Path(sys.executable).parent / "ansible-playbook",
                "-i",
                str(pack / "packmairie.yml"),
                "playbooks/site.yml",
                *options,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    def host(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script on the platform."""
        return self.lab.run("plateforme", ["sh", "-c", script])

    def round(self, brique: str) -> None:
        """Make the hourly round now, as its timer does."""
        done = self.host(f"systemctl start packmairie-{brique}.service")
        assert done.returncode == 0, self.host(f"journalctl -n 40 -u packmairie-{brique}").stdout

    def dav(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Ask the file space as the secretary's workstation does."""
        town = load_pack(self.folder).commune(COMMUNE)
        return self.client.ask(
            host_of(town), f"secretariat@{town.domaine.nom}", method, quote(f"/{COMMUNE}/{path}"), body
        )

    def states(self) -> dict[str, tuple[str, str]]:
        """Return the state and the evidence of each check of what is sent."""
        told = json.loads(self.packmairie("status", COMMUNE, "--json").out)
        briques = ("archivage", "teletransmission", "marches")
        return {item["check"]: (item["state"], item["measured"]) for item in told if item["brique"] in briques}


@pytest.fixture(scope="module")
def sending(
    pack: Pack,
    pack_folder: Path,
    lab: Lab,
    secrets: Callable[[str], Mapping[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sending]:
    """The deployed platform, with one commune that archives and transmits; taken away again at the end."""
    if not SCHEMAS.is_dir():
        pytest.skip(f"schémas officiels absents de {SCHEMAS}")
    peers = install_peers(lab)
    folder = tmp_path_factory.mktemp("envois") / "pack"
    shutil.copytree(pack_folder, folder)
    peers.keep(folder / "tdt", "ac.crt", "machine.crt", "machine.key")
    settings = folder / "pack.yml"
    platforms = {
        "schemas": str(SCHEMAS),
        "sae": {"depot": "sftp", "hote": SAE, "compte": "sae", "empreinte": peers.fingerprint},
        "tdt": {
            "url": f"https://{TDT}:{TDT_PORT}",
            "autorite": "tdt/ac.crt",
            "certificat": "tdt/machine.crt",
            "cle": "tdt/machine.key",
        },
    }
    settings.write_text(settings.read_text(encoding="utf-8") + yaml.safe_dump(platforms), encoding="utf-8")
    [file] = (folder / "communes").glob(f"{COMMUNE}-*.yml")
    file.write_text(file.read_text(encoding="utf-8") + yaml.safe_dump(SECTIONS), encoding="utf-8")
    (folder / "archivage").mkdir()
    profiles = {name: {"titre": f"Profil {name}", **PROFILE} for name in ("deliberations", "actes")}
    (folder / "archivage" / "profils.yml").write_text(yaml.safe_dump({"profils": profiles}), encoding="utf-8")
    vault = Vault(folder)
    vault.write(COMMUNE, {**vault.read(COMMUNE), "archivage.cle_sftp": Secret(peers.sftp_key)})
    client = Client(
        str(pack.file.plateforme.ipv4[0]), ssl.create_default_context(cafile=str(lab.root_certificate())), secrets
    )
    client.insee = {commune.domaine.nom: commune.insee for commune in pack.communes}
    made = Sending(folder, lab, peers, client)
    made.play(folder, "--tags", "partage,envois")
    yield made
    # Asked for no more: everything goes but what was sent.
    made.play(pack_folder, "--tags", "envois")
    for brique in ("archivage", "teletransmission"):
        assert made.host(f"systemctl is-active packmairie-{brique}.timer").returncode != 0
        assert made.host(f"nft list table inet packmairie_{brique}").returncode != 0
        assert made.host(f"find /etc/packmairie/{brique} -type f | grep .").returncode != 0
        assert made.host(f"test -s /var/lib/packmairie/envois/{brique}/{COMMUNE}/journal.jsonl").returncode == 0


@pytest.fixture(scope="module")
def story(sending: Sending) -> dict[str, str]:
    """An act that went the whole way, and the identifiers that it had."""
    assert sending.dav("PUT", f"a-transmettre/{ACT}", PDF).status in (200, 201, 204)
    sending.round("teletransmission")
    folder = f"a-transmettre/{ACT.removesuffix('.pdf')}"
    assert sending.dav("GET", f"{folder}/vérification.txt").body.decode().startswith("Conforme")
    [act] = json.loads(sending.done("teletransmission", "list", COMMUNE, "--json"))
    deposited = json.loads(sending.done("teletransmission", "deposit", COMMUNE, act["transfer"], "--json"))
    waiting = sending.states()
    # The machine's own certificate cannot confirm: the agent's can.
    keys = sending.folder / "agent"
    assert sending.peers.confirm(deposited["transaction"], keys, "machine") == 403
    sending.round("teletransmission")
    assert "à confirmer" in sending.dav("GET", f"{folder}/vérification.txt").body.decode()
    assert sending.peers.confirm(deposited["transaction"], keys, "agent") == 200
    sending.round("teletransmission")
    sending.round("archivage")
    [transfer] = json.loads(sending.done("archivage", "list", COMMUNE, "--json"))
    sending.done("archivage", "deposit", COMMUNE, transfer["transfer"])
    return {
        "act": act["transfer"],
        "transaction": deposited["transaction"],
        "folder": folder,
        "transfer": transfer["transfer"],
        "waiting": waiting["actes"][1],
    }


class TestStory:
    def test_the_acknowledgement_comes_back_beside_the_act(self, sending: Sending, story: dict[str, str]) -> None:
        received = sending.dav("GET", f"{story['folder']}/ARActe.xml")
        assert b"062-216207084-20261015-2026_017-DE" in received.body
        told = sending.dav("GET", f"{story['folder']}/vérification.txt").body.decode()
        assert told.startswith("Acquitté le 2026-11-24")
        assert "en cours" in story["waiting"]

    def test_deposited_once(self, sending: Sending, story: dict[str, str]) -> None:
        again = json.loads(sending.done("teletransmission", "deposit", COMMUNE, story["act"], "--json"))
        assert (again["transaction"], again["now"]) == (story["transaction"], False)
        assert sending.peers.shell(f"ls {PLACE}/recus | wc -l").strip() == "1"
        assert "déjà déposé" in sending.done("archivage", "deposit", COMMUNE, story["transfer"])
        assert sending.peers.shell(f"ls {PLACE}/sae/depot").split() == [f"{story['transfer']}.zip"]

    def test_published_on_the_site(self, sending: Sending, story: dict[str, str]) -> None:
        listed = sending.host(f"ls /var/lib/packmairie/contenus/{COMMUNE}/documents").stdout
        assert "2026_017" in listed
        assert sending.host("systemctl start packmairie-sites.service").returncode == 0
        site = "www.riencourt-les-bapaume.fr"
        page = sending.client.ask(site, "", "GET", "/documents/")
        assert page.status == 200
        links = re.findall(r'href="(/documents/[^"]*2026-017[^"]*\.pdf)"', page.body.decode())
        assert len(links) == 1, page.body.decode()
        published = sending.client.ask(site, "", "GET", links[0])
        # What is published is the act as the platform stamped it.
        assert (published.status, published.body) == (200, PDF + b"\n% tampon\n")

    def test_what_arrived_is_conforming_and_whole(
        self, sending: Sending, story: dict[str, str], tmp_path: Path
    ) -> None:
        path = f"{PLACE}/sae/depot/{story['transfer']}.zip"
        (tmp_path / "p.zip").write_bytes(bytes.fromhex(sending.peers.shell(f"od -An -v -tx1 {path} | tr -d ' \\n'")))
        told = json.loads(sending.done("archivage", "verify", "--file", str(tmp_path / "p.zip"), "--json"))
        assert told["state"] == "conforme"

    def test_only_an_accepted_reply_makes_originals_purgeable(self, sending: Sending, story: dict[str, str]) -> None:
        transfer = story["transfer"]
        refused = sending.packmairie("archivage", "purge", COMMUNE, transfer, "--confirm", transfer)
        assert refused.code == 1
        assert "aucune réponse" in refused.err
        for name, kind, field in (
            ("accuse.xml", "Acknowledgement", "MessageReceivedIdentifier"),
            ("reponse.xml", "ArchiveTransferReply", "MessageRequestIdentifier"),
        ):
            text = REPLY.format(name=kind, field=field, code="OK", transfer=transfer)
            put(sending.lab, f"{PLACE}/sae/retours/{name}", text)
        sending.peers.shell(f"chown sae: {PLACE}/sae/retours/*")
        sending.round("archivage")
        found = sending.states()
        assert found["versements"] == ("conforme", "1 accepté")
        unconfirmed = sending.packmairie("archivage", "purge", COMMUNE, transfer)
        assert unconfirmed.code == 1
        assert "--confirm" in unconfirmed.err
        assert "3 originaux effacés" in sending.done("archivage", "purge", COMMUNE, transfer, "--confirm", transfer)

    def test_status_shows_each_step_with_its_evidence(self, sending: Sending, story: dict[str, str]) -> None:
        found = sending.states()
        assert found["actes"] == ("conforme", "1 acquitté")
        assert found["classification"][0] == "conforme"
        told = json.loads(sending.packmairie("status", "--json").out)
        platform = {
            item["check"]: item["state"] for item in told if item["brique"] in ("archivage", "teletransmission")
        }
        assert platform["ronde"] == platform["certificat-tdt"] == "conforme"
        journal = sending.host(f"cat /var/lib/packmairie/envois/teletransmission/{COMMUNE}/journal.jsonl").stdout
        steps = [json.loads(line)["step"] for line in journal.splitlines()]
        for step in ("prepare", "depose", "statut", "acquitte", "archivage", "publie"):
            assert step in steps

    def test_originals_of_the_file_space(self, sending: Sending, story: dict[str, str]) -> None:
        place = "a-archiver/deliberations/2026"
        for folder in ("a-archiver/deliberations", place):
            sending.dav("MKCOL", folder)
        for number in (1, 2):
            told = sending.dav("PUT", f"{place}/2026-10-0{number} PV.pdf", PDF + str(number).encode())
            assert told.status in (200, 201, 204)
        prepared = json.loads(sending.done("archivage", "prepare", COMMUNE, "--json"))
        transfer = prepared["transfer"]
        assert (prepared["files"], prepared["state"]) == (2, "conforme")
        sending.done("archivage", "deposit", COMMUNE, transfer)
        text = REPLY.format(name="ArchiveTransferReply", field="MessageRequestIdentifier", code="OK", transfer=transfer)
        answer = sending.folder / "reponse.xml"
        answer.write_text(text, encoding="utf-8")
        assert "accepté" in sending.done("archivage", "follow", COMMUNE, "--file", str(answer))
        assert sending.dav("PUT", f"{place}/2026-10-01 PV.pdf", PDF + b"repris").status in (200, 201, 204)
        told = sending.done("archivage", "purge", COMMUNE, transfer, "--confirm", transfer)
        assert "1 originaux effacés" in told
        assert sending.dav("GET", f"{place}/2026-10-01 PV.pdf").status == 200
        assert sending.dav("GET", f"{place}/2026-10-02 PV.pdf").status == 404


class TestConfined:
    @pytest.mark.parametrize(
        ("account", "mine", "other"),
        [("archivage", (SAE, 22), (TDT, TDT_PORT)), ("teletransmission", (TDT, TDT_PORT), (SAE, 22))],
    )
    def test_an_account_reaches_its_own_platform_and_nothing_else(
        self, sending: Sending, account: str, mine: tuple[str, int], other: tuple[str, int]
    ) -> None:
        def reaches(where: str, port: int) -> bool:
            code = f"import socket; socket.create_connection(({where!r}, {port}), timeout=3)"
            return sending.host(f'runuser -u {account} -- python3 -c "{code}"').returncode == 0

        sending.host(f"/usr/local/lib/packmairie/sorties {account}")
        assert reaches(*mine)
        assert not reaches(*other)
        assert not reaches(mine[0], 443)
        assert not reaches("127.0.0.1", 25)
        # What reading the firewall again leaves is closed, not open.
        assert sending.host(f"nft -f /etc/packmairie/nftables.d/{account}.nft").returncode == 0
        assert not reaches(*mine)

    def test_neither_reads_the_other_s_secrets_nor_other_communes(self, sending: Sending) -> None:
        folders = "/etc/packmairie/archivage/secrets /etc/packmairie/teletransmission/cles"
        modes = sending.host(f"find {folders} -type f -printf '%m %u\\n'").stdout.split("\n")
        assert sorted(set(filter(None, modes))) == ["600 archivage", "600 teletransmission"]
        for account, secret in (("teletransmission", "archivage/secrets"), ("archivage", "teletransmission/cles")):
            assert sending.host(f"runuser -u {account} -- ls /etc/packmairie/{secret}").returncode != 0
            assert sending.host(f"runuser -u {account} -- ls /srv/partage/62633").returncode != 0

    @pytest.mark.parametrize("unit", ["archivage", "teletransmission", "marches"])
    def test_units_are_sandboxed(self, sending: Sending, unit: str) -> None:
        told = sending.host(f"systemd-analyze security --no-pager packmairie-{unit}.service | tail -n 1").stdout
        assert float(told.split(":")[1].split()[0]) < 3.0, told

    def test_a_foreign_certificate_is_refused(self, sending: Sending) -> None:
        for name in ("crt", "key"):
            text = sending.peers.file(f"intrus.{name}")
            target = f"/etc/packmairie/teletransmission/cles/tdt-{'certificat' if name == 'crt' else 'cle'}.pem"
            done = sending.lab.run(
                "plateforme", ["sh", "-c", f"cp -p {target} /root/{name} && cat > {target}"], text_input=text
            )
            assert done.returncode == 0
        try:
            told = sending.packmairie("teletransmission", "classification", COMMUNE)
            assert told.code == 1
            assert "classification" in told.err
        finally:
            for name, key in (("crt", "certificat"), ("key", "cle")):
                sending.host(f"cp -p /root/{name} /etc/packmairie/teletransmission/cles/tdt-{key}.pem")

    def test_a_second_run_changes_nothing(self, sending: Sending) -> None:
        told = sending.play(sending.folder, "--tags", "envois")
        [recap] = [line for line in told.splitlines() if line.startswith("plateforme ")]
        assert "changed=0" in recap
        assert "failed=0" in recap
