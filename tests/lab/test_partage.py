# SPDX-License-Identifier: GPL-3.0-or-later
"""The file spaces as agents, outsiders and workstations meet them on a deployed platform."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from partage_client import Client, SecretsOf, host_of

from packmairie.lab import Lab
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack

pytestmark = pytest.mark.lab

COMMUNE, OTHER = "62633", "62708"
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
PATIENCE = 40
LINK = f"{COMMUNE}-essai-{time.time():.0f}"
REFUSED = (401, 403, 404)
"""A program that is no browser is asked for an account (401) where a browser is refused."""


@pytest.fixture(scope="module")
def client(pack: Pack, lab: Lab, secrets: SecretsOf) -> Client:
    tls = ssl.create_default_context(cafile=str(lab.root_certificate()))
    codes = {commune.domaine.nom: commune.insee for commune in pack.communes}
    return Client(str(pack.file.plateforme.ipv4[0]), tls, secrets, insee=codes)


@pytest.fixture(scope="module")
def commune(pack: Pack) -> Commune:
    return pack.commune(COMMUNE)


@pytest.fixture
def shell(lab: Lab) -> Callable[..., str]:
    """Run a line of shell on the platform, and return what it says."""

    def run(line: str, *, timeout: int = 120) -> str:
        done = lab.run("plateforme", ["sh", "-c", line], timeout=timeout)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    return run


def until(tell: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return the first true thing told; the last one when time is over."""
    limit = time.monotonic() + seconds
    while not (found := tell()) and time.monotonic() < limit:
        time.sleep(0.5)
    return found


class TestFiles:
    def test_an_agent_puts_reads_renames_and_deletes(self, commune: Commune, client: Client) -> None:
        host, who, base = host_of(commune), f"secretariat@{commune.domaine.nom}", f"/{COMMUNE}/commun"
        name = quote("Délibération n° 12 – œuvre.txt")
        assert client.ask(host, who, "PUT", f"{base}/{name}", b"contenu").status == 201
        assert client.ask(host, who, "GET", f"{base}/{name}").body == b"contenu"
        moved = {"Destination": f"https://{host}{base}/classe.txt"}
        assert client.ask(host, who, "MOVE", f"{base}/{name}", headers=moved).status == 201
        listing = client.ask(host, who, "PROPFIND", f"{base}/", headers={"Depth": "1"})
        assert listing.status == 207
        assert b"classe.txt" in listing.body
        assert client.ask(host, who, "DELETE", f"{base}/classe.txt").status == 200
        assert client.ask(host, who, "GET", f"{base}/classe.txt").status == 404

    def test_whatever_replaces_or_deletes_keeps_what_was_there(
        self, commune: Commune, client: Client, packmairie: Callable[..., Any]
    ) -> None:
        host, who, base = host_of(commune), f"secretariat@{commune.domaine.nom}", f"/{COMMUNE}/commun"
        to = {"Destination": f"https://{host}{base}/budget.txt", "Overwrite": "T"}
        for text in (b"premier", b"second"):
            assert client.ask(host, who, "PUT", f"{base}/budget.txt", text).status == 201
        assert client.ask(host, who, "PUT", f"{base}/temporaire", b"par MOVE").status == 201
        assert client.ask(host, who, "MOVE", f"{base}/temporaire", headers=to).status in (201, 204)
        assert client.ask(host, who, "PUT", f"{base}/copie", b"par COPY").status == 201
        assert client.ask(host, who, "COPY", f"{base}/copie", headers=to).status in (201, 204)
        assert client.ask(host, who, "DELETE", f"{base}/budget.txt").status == 200
        kept = json.loads(packmairie("partage", "restore", COMMUNE, "--json").out)
        paths = [file["path"] for file in kept if "/budget" in file["path"]]
        inside = {client.ask(host, who, "GET", "/" + quote(f"{COMMUNE}/{path}")).body for path in paths}
        assert inside == {b"premier", b"second", b"par MOVE", b"par COPY"}
        path = "/" + quote(f"{COMMUNE}/{paths[0]}")
        assert client.ask(host, who, "DELETE", path).status != 200 or client.ask(host, who, "GET", path).status == 200
        assert client.ask(host, who, "PUT", path, b"autre").status == 403
        assert packmairie("partage", "restore", COMMUNE, paths[0]).code == 0
        assert client.ask(host, who, "GET", f"{base}/budget.txt").status == 200
        out = {"Destination": f"https://{host}{base}/repris.txt"}
        assert client.ask(host, who, "MOVE", "/" + quote(f"{COMMUNE}/{paths[1]}"), headers=out).status == 201

    def test_what_was_uploaded_runs_nothing(self, commune: Commune, client: Client) -> None:
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        page = b"<html xmlns='http://www.w3.org/1999/xhtml'><script>document.title='pris'</script></html>"
        for name in ("page.html", "image.svg", "page.xhtml", "page.xml", "note.md", "sans", "doc.pdf", "p.mhtml"):
            client.ask(host, who, "PUT", f"/{COMMUNE}/commun/{name}", page)
            told = client.ask(host, who, "GET", f"/{COMMUNE}/commun/{name}")
            policy = told.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert "sandbox" in policy or told.headers["content-type"] == "application/pdf"
            assert "nosniff" in told.headers["x-content-type-options"]
            assert client.ask(host, who, "DELETE", f"/{COMMUNE}/commun/{name}").status == 200

    def test_the_quota_refuses_and_loses_nothing(
        self, commune: Commune, client: Client, shell: Callable[..., str]
    ) -> None:
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        settings = f"/etc/packmairie/partage/communes/{COMMUNE}.json"
        shell(f'cp -p {settings} /root/limites && sed -i \'s/"quota_mo": [0-9]*/"quota_mo": 1/\' {settings}')
        try:
            told = client.ask(host, who, "PUT", f"/{COMMUNE}/commun/gros.bin", b"x" * 1_500_000)
            assert told.status == 403
            assert "l'espace de la commune est plein" in told.body.decode()
            assert client.ask(host, who, "GET", f"/{COMMUNE}/commun/gros.bin").status == 404
        finally:
            shell(f"cp -p /root/limites {settings}")


COMPOSED, DECOMPOSED = quote("temoin-\u00e9t\u00e9.txt"), quote("temoin-e\u0301te\u0301.txt")
"""One name for a reader, two for a disk (NFC, NFD)."""
SPACES = ("commun", "elus", "a-archiver", "depot", "site", "boite")
DEPOSITING = ("PUT", "MKCOL", "MOVE-IN", "SHARE")
METHODS = ("GET", "HEAD", "PROPFIND", "PUT", "DELETE", "MOVE", "COPY", "MKCOL", "LS", "ZIP", "SHARE", "MOVE-IN")


def may(login: str, commune: Commune, space: str, method: str) -> bool:
    """What the page of the brique promises, written apart from the code: who may do what in a space."""
    local, _at, domain = login.partition("@")
    if space == "boite" and login == f"sonde@{commune.domaine.nom}":
        return method in DEPOSITING
    person = next((agent for agent in commune.agents if agent.identifiant == local), None)
    if domain != commune.domaine.nom or person is None:
        return False
    reading = method in ("GET", "HEAD", "PROPFIND", "LS", "ZIP", "COPY")
    if space.startswith("personnel-"):
        return space == f"personnel-{local}"
    if space == "commun":
        return True
    if space == "elus":
        return "elus" in person.groupes
    if space == "depot":
        return reading if "agents" not in person.groupes else method not in ("PUT", "MKCOL", "MOVE-IN")
    if space == "boite":
        return method in DEPOSITING
    return "agents" in person.groupes


def spellings(path: str) -> list[str]:
    """Return ways to write a path: as it is, encoded, by traversal, encoded traversal, doubled, decomposed."""
    first, rest = path.strip("/").split("/", 1)
    return [
        path,
        f"/{first}/%2e%2e/{first}/{rest}",
        f"/{first}/commun/..%2f{rest}",
        f"/{first}//{rest}",
        f"/.cpr/../{first}/{rest}",
        f"/{first[:-1]}%{ord(first[-1]):02x}/{rest}",
    ]


class TestIsolation:
    def test_no_account_reaches_what_is_not_its_own(
        self, pack: Pack, client: Client, shell: Callable[..., str]
    ) -> None:
        """Every account and nobody × every space of every commune × every method × every spelling: zero leaks."""
        communes = [pack.commune(COMMUNE), pack.commune(OTHER)]
        logins = [f"{a.identifiant}@{c.domaine.nom}" for c in communes for a in c.agents]
        logins += [*(f"sonde@{c.domaine.nom}" for c in communes), ""]
        targets = [(c, s) for c in communes for s in (*SPACES, *(f"personnel-{a.identifiant}" for a in c.agents))]
        canary = {}
        for c, space in targets:
            folder = space.replace("personnel-", "personnel/")
            root = f"/var/lib/packmairie/contenus/{c.insee}" if space == "site" else f"/srv/partage/{c.insee}/{folder}"
            canary[c.insee, space] = f"canari-{c.insee}-{space}"
            for name in ("temoin-\u00e9t\u00e9.txt", "temoin-e\u0301te\u0301.txt"):
                shell(f"printf {canary[c.insee, space]} >'{root}/{name}'; chown partage:partage '{root}/{name}'")
        listing = "find /srv/partage /var/lib/packmairie/contenus -type f -exec sha256sum {} + | sort"
        # The round that publishes keeps the witnesses among its versions: it waits until the matrix is through.
        rounds = "packmairie-sites.timer packmairie-sites.path"
        shell(f"systemctl stop {rounds} packmairie-sites.service")
        before = shell(listing)
        own = {c.domaine.nom: c for c in communes}

        def walk(login: str) -> tuple[list[tuple[str, ...]], int, int]:
            leaks, asked, allowed = [], 0, 0
            home = own.get(login.partition("@")[2], communes[0])
            mine = Client(client.address, client.tls, client.secrets, insee=client.insee)
            for (c, space), method in product(targets, METHODS):
                if login and may(login, c, space, method):
                    allowed += 1
                    continue
                paths = spellings(f"/{c.insee}/{space}/{COMPOSED}")
                paths = [*paths, f"/{c.insee}/{space}/{DECOMPOSED}"] if method == "GET" else paths[:3]
                for path, host in product(paths, {host_of(home), host_of(c)}):
                    told = send(mine, host, login, method, path, home)
                    asked += 1
                    # Who may deposit in a box sees that it is there (207), and no name of what it holds.
                    silent = method == "LS" or (
                        method == "PROPFIND" and space == "boite" and b"temoin" not in told.body
                    )
                    if canary[c.insee, space].encode() in told.body or (told.status < 300 and not silent):
                        leaks.append((login, method, host, path, str(told.status)))
            return leaks, asked, allowed

        try:
            with ThreadPoolExecutor(4) as pool:
                told = list(pool.map(walk, logins))
            after = shell(listing)
        finally:
            shell(f"systemctl start {rounds}")
        assert [leak for leaks, _asked, _allowed in told for leak in leaks] == []
        assert after == before
        assert sum(allowed for _leaks, _asked, allowed in told) > 50
        assert sum(asked for _leaks, asked, _allowed in told) > 3000
        print(sum(asked for _leaks, asked, _allowed in told), "demandes, aucune fuite")

    def test_what_is_promised_is_given(self, pack: Pack, client: Client) -> None:
        """The other side of the matrix: a refusal proves nothing where everything is refused."""
        for code in (COMMUNE, OTHER):
            c = pack.commune(code)
            for agent in c.agents:
                login = f"{agent.identifiant}@{c.domaine.nom}"
                for space in (*SPACES, f"personnel-{agent.identifiant}"):
                    path = f"/{code}/{space}/{COMPOSED}"
                    told = client.ask(host_of(c), login, "GET", path)
                    assert (told.status == 200) == may(login, c, space, "GET"), (login, space, told.status)

    def test_another_communes_name_serves_nothing_of_mine(self, pack: Pack, client: Client) -> None:
        mine, theirs = pack.commune(COMMUNE), pack.commune(OTHER)
        login = f"secretariat@{mine.domaine.nom}"
        assert client.ask(host_of(theirs), login, "GET", f"/{COMMUNE}/commun/").status == 404
        assert client.ask(host_of(theirs), "", "GET", f"/p/{COMMUNE}-sonde-valable/").status == 404
        assert client.ask(host_of(mine), "", "GET", f"/p/{COMMUNE}-sonde-valable/").status == 200


def send(client: Client, host: str, login: str, method: str, path: str, home: Commune) -> Any:
    """Send one line of the matrix."""
    mine = f"https://{host}/{home.insee}/commun/pris.txt"
    folder = path.rsplit("/", 1)[0] + "/"
    match method:
        case "MOVE" | "COPY":
            return client.ask(host, login, method, path, headers={"Destination": mine, "Overwrite": "T"})
        case "MOVE-IN":
            source = f"/{home.insee}/sonde/temoin/temoin.txt"
            where = {"Destination": f"https://{host}{path}", "Overwrite": "T"}
            return client.ask(host, login, "MOVE", source, headers=where)
        case "PUT":
            return client.ask(host, login, "PUT", path, b"intrus", {"Replace": "1"})
        case "MKCOL":
            return client.ask(host, login, "MKCOL", f"{folder}intrus")
        case "PROPFIND":
            return client.ask(host, login, "PROPFIND", folder, headers={"Depth": "1"})
        case "LS":
            return client.ask(host, login, "GET", f"{folder}?ls")
        case "ZIP":
            return client.ask(host, login, "GET", f"{folder}?tar")
        case "SHARE":
            asked = {"k": f"{home.insee}-vol", "vp": [path], "pw": "", "exp": "60", "perms": ["read"]}
            return client.ask(
                host, login, "POST", "/?share", json.dumps(asked).encode(), {"Content-Type": "text/plain"}
            )
        case _:
            return client.ask(host, login, method, path)


class TestOutside:
    def test_a_link_opens_by_its_password_ends_and_is_revoked(
        self, commune: Commune, client: Client, packmairie: Callable[..., Any]
    ) -> None:
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        client.ask(host, who, "PUT", f"/{COMMUNE}/commun/plan.txt", b"plan de la salle")
        key = LINK
        asked = {"k": key, "vp": [f"/{COMMUNE}/commun/plan.txt"], "pw": "sesame", "exp": "60", "perms": ["read"]}
        made = client.ask(host, who, "POST", "/?share", json.dumps(asked).encode(), {"Content-Type": "text/plain"})
        assert made.status == 201, made.body
        assert f"https://{host}/p/{key}/".encode() in made.body
        assert client.ask(host, "", "GET", f"/p/{key}/plan.txt").status in (401, 403)
        assert client.ask(host, "", "GET", f"/p/{key}/plan.txt?pw=sesame").body == b"plan de la salle"
        assert key in packmairie("partage", "list", COMMUNE).out
        assert packmairie("partage", "revoke", COMMUNE, key).code == 0
        ended = until(lambda: client.ask(host, "", "GET", f"/p/{key}/plan.txt?pw=sesame").status in (401, 403, 404))
        assert ended
        asked |= {"k": f"{key}-bref", "pw": "", "exp": "1"}
        client.ask(host, who, "POST", "/?share", json.dumps(asked).encode(), {"Content-Type": "text/plain"})
        assert client.ask(host, "", "GET", f"/p/{key}-bref/plan.txt").status == 200

    def test_a_deposit_is_scanned_before_anyone_sees_it(
        self, commune: Commune, client: Client, packmairie: Callable[..., Any], shell: Callable[..., str]
    ) -> None:
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        name = f"Architecte été {time.time():.0f}"
        opened = packmairie("partage", "depot", COMMUNE, name, "--days", "3", "--size", "2", "--json")
        path = json.loads(opened.out)["url"].removeprefix(f"https://{host}")
        shell("systemctl stop packmairie-antivirus.service")
        try:
            until(lambda: client.ask(host, "", "PUT", f"{path}plan.txt", b"le plan").status == 201, 10)
            assert client.ask(host, "", "PUT", f"{path}facture.exe", EICAR).status == 201
            assert b"le plan" not in client.ask(host, "", "GET", f"{path}plan.txt").body
            assert client.ask(host, "", "PUT", f"{path}gros.bin", b"x" * 2_500_000).status == 403
            shell("systemctl start packmairie-partage-depots.service")
            box = f"/{COMMUNE}/depot/{quote(name)}"
            assert client.ask(host, who, "GET", f"{box}/plan.txt").status == 404
            state = shell(
                "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/usr/local/lib python3 -m packmairie.partage_hote.state"
            )
            announced = shell('for note in /srv/partage/.attente/*.json; do cat "$note"; echo; done').splitlines()
            paths = [json.loads(note)["chemin"] for note in announced if note]
            assert json.loads(state)["attente"] == len(paths)
            # Other boxes may wait too. In this one: the two files, or one of them twice when its sender tried again.
            waiting = {path[-1] for path in paths if path[0] == name}
            assert {"plan.txt", "facture.exe"} <= waiting
            assert all(kept.startswith(("plan", "facture")) for kept in waiting), waiting
        finally:
            shell("systemctl start packmairie-antivirus.service")

        def seen() -> bool:
            shell("systemctl start packmairie-partage-depots.service")
            return client.ask(host, who, "GET", f"{box}/plan.txt").body == b"le plan"

        assert until(seen)
        assert client.ask(host, who, "GET", f"{box}/facture.exe").status == 404
        assert "EICAR" in shell("cat /srv/partage/.quarantaine/*.json")
        inbox = f"/var/vmail/{commune.domaine.nom}/contact/Maildir"
        told = until(lambda: shell(f"grep -rl 'mis en quarantaine' {inbox} | wc -l").strip() != "0")
        assert told


class TestLife:
    def test_a_reload_leaves_transfers_alone_and_a_leaver_outside(
        self, lab: Lab, commune: Commune, client: Client, shell: Callable[..., str], tmp_path: Path
    ) -> None:
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        leaver = f"agent.exemple@{commune.domaine.nom}"
        entered = client.ask(host, leaver, "GET", f"/{COMMUNE}/commun/")
        cookie = re.search(r"cppws=[^;]+", entered.headers["set-cookie"])
        assert cookie
        with_cookie = {"Cookie": cookie.group(0)}
        assert client.ask(host, "", "GET", f"/{COMMUNE}/commun/", headers=with_cookie).status == 200
        sent = tmp_path / "envoi"
        sent.write_bytes(os.urandom(60_000_000))
        digest = hashlib.sha256(sent.read_bytes()).hexdigest()
        access = tmp_path / "acces"
        access.touch(mode=0o600)
        access.write_text(f'user = "{who}:{client.password(who)}"\n', encoding="utf-8")
        command = ["curl", "-sS", "--fail", "-K", str(access), "--cacert", str(lab.root_certificate()), "-T", str(sent)]
        command += ["--resolve", f"{host}:443:{client.address}", "--limit-rate", "6M", "--noproxy", "*"]
        transfer = subprocess.Popen([*command, f"https://{host}/{COMMUNE}/commun/envoi"])
        time.sleep(1)
        conf = f"/etc/packmairie/partage/lots/0/{COMMUNE}.conf"
        process = "systemctl show --property=MainPID --value packmairie-partage@0.service"
        before = shell(process)
        shell(f"cp -p {conf} /root/conf; sed -i '/agent.exemple@.*: +/d; s/, agent.exemple@[^,]*//' {conf}")
        block = f"awk -v RS= -v ORS='\n\n' '!/personnel-agent.exemple/' {conf} >{conf}.x"
        shell(f"{block}; cat {conf}.x >{conf}; rm {conf}.x")
        try:
            assert "reload" in shell("/usr/local/lib/packmairie/partage-appliquer")
            gone = until(
                lambda: client.ask(host, "", "GET", f"/{COMMUNE}/commun/", headers=with_cookie).status in REFUSED
            )
            assert gone
            assert client.ask(host, leaver, "GET", f"/{COMMUNE}/commun/").status in (401, 403)
            assert shell(process) == before
            assert transfer.poll() is None
            assert transfer.wait(60) == 0
            got = client.ask(host, who, "GET", f"/{COMMUNE}/commun/envoi").body
            assert hashlib.sha256(got).hexdigest() == digest
            assert shell(f"ls /srv/partage/{COMMUNE}/personnel").split().count("agent.exemple") == 1
        finally:
            shell(f"cp -p /root/conf {conf}; touch {conf}; /usr/local/lib/packmairie/partage-appliquer")

    def test_an_upload_outlives_a_killed_server(
        self, lab: Lab, commune: Commune, client: Client, shell: Callable[..., str]
    ) -> None:
        """1 GB by copyparty's resumable protocol (its own u2c), kill -9 in the middle, resumed: the same SHA-256."""
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        shell("mkdir -p /root/u2; head -c 1000000000 /dev/urandom >/root/u2/gros.bin", timeout=60)
        digest = shell("sha256sum /root/u2/gros.bin").split()[0]
        shell(f"umask 077; printf %s '{who}:{client.password(who)}' >/root/u2/mot")
        shell(f"printf %s '{cert(lab)}' >/root/ca.pem")
        program = "/opt/packmairie/partage/bin/u2c -te /root/ca.pem -a '$/root/u2/mot' -ns -j 2"
        shell(
            f"cd /root/u2; nohup {program} https://{host}/{COMMUNE}/commun/ gros.bin >dit 2>&1 & echo $! >/root/u2/pid"
        )
        folder = f"/srv/partage/{COMMUNE}/commun"
        size = f"du -sm {folder} | cut -f1"
        start = int(shell(size))
        assert until(lambda: int(shell(size)) > start + 200, 60)
        time.sleep(2.5)
        assert shell(f"test -s {folder}/gros.bin && echo entier || true") == ""
        shell("kill -9 $(systemctl show --property=MainPID --value packmairie-partage@0.service)")
        finished = until(lambda: shell("kill -0 $(cat /root/u2/pid) 2>/dev/null && echo encore || true") == "", 100)
        assert finished, shell("tail -c 2000 /root/u2/dit")
        if shell(f"test -e {folder}/gros.bin && echo oui || true") == "":
            shell(f"cd /root/u2; {program} https://{host}/{COMMUNE}/commun/ gros.bin >/root/u2/dit 2>&1", timeout=120)
        assert shell(f"sha256sum {folder}/gros.bin").split()[0] == digest
        journal = shell("journalctl -u packmairie-partage@0.service --since -3min -o cat --no-pager")
        assert "loaded snap" in journal
        shell(f"rm -rf /root/u2 {folder}/gros.bin")

    def test_a_full_disk_is_refused_clearly_and_loses_nothing(
        self, commune: Commune, client: Client, shell: Callable[..., str]
    ) -> None:
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        unit = "systemctl show --property=MainPID --value packmairie-partage@0.service"
        folder = f"/srv/partage/{COMMUNE}/a-archiver"
        # A small disk under one space, in the process's own view of files.
        shell(f"nsenter -t $({unit}) -m mount -t tmpfs -o size=40m,mode=777 tmpfs {folder}")
        try:
            assert client.ask(host, who, "PUT", f"/{COMMUNE}/a-archiver/accepte.txt", b"accepte").status in (201, 500)
            told = client.ask(host, who, "PUT", f"/{COMMUNE}/a-archiver/gros.bin", b"x" * 60_000_000)
            assert told.status >= 500
            assert b"server HDD is full" in told.body
        finally:
            shell(f"nsenter -t $({unit}) -m umount {folder}")
        assert client.ask(host, who, "GET", f"/{COMMUNE}/commun/plan.txt").body == b"plan de la salle"

    def test_a_disk_that_fills_during_transfers_loses_nothing_accepted(
        self, lab: Lab, commune: Commune, client: Client, shell: Callable[..., str]
    ) -> None:
        """There is room when two transfers begin; something else takes it meanwhile, then gives it back."""
        host, who, base = host_of(commune), f"secretariat@{commune.domaine.nom}", f"/{COMMUNE}/commun"
        access = f"{who}:{client.password(who)}"
        lab.run("plateforme", ["sh", "-c", "umask 077; mkdir -p /root/plein; cat >/root/plein/mot"], text_input=access)
        shell(f"printf %s '{cert(lab)}' >/root/plein/ca.pem")
        script = FILLING.format(root=f"/srv/partage/{COMMUNE}", url=f"https://{host}{base}")
        try:
            done = lab.run("plateforme", ["bash", "-s"], text_input=script, timeout=280)
            assert done.returncode == 0, done.stdout + done.stderr
            told = json.loads(done.stdout.splitlines()[-1])
        finally:
            shell("rm -rf /root/plein")
        assert told["code"] == "500", told
        assert "No space left on device" in told["dit"], told
        # What was accepted is there, what was being replaced is in the bin, what was half sent is taken up again.
        assert told["accepte"] == "accepte", told
        assert told["corbeille"] == "avant", told
        assert told["attendait"] == "oui", told
        assert told["repris"] == "identique", told
        assert client.ask(host, who, "GET", f"{base}/plan.txt").body == b"plan de la salle"


# A small disk under the commune's files, in the view that the file server's process has of them: copyparty wants one
# free gigabyte before it begins, so that the rest is taken only once both transfers are under way.
FILLING = r"""
set -u
command -v curl >/dev/null || apt-get install -y -qq --no-install-recommends curl >/dev/null
cd /root/plein
process=$(systemctl show --property=MainPID --value packmairie-partage@0.service)
inside() {{ nsenter -t "$process" -m sh -c "$1"; }}
inside 'mount -t tmpfs -o size=2000m,mode=755 tmpfs /mnt && cp -a {root}/. /mnt/ && chown --reference={root} /mnt &&
    mount --bind /mnt {root} && umount /mnt' || exit 1
trap 'inside "umount -l {root}"; kill $(jobs -p) 2>/dev/null' EXIT
ask() {{ curl -sS --cacert ca.pem -K acces "$@"; }}
(umask 077; printf 'user = "%s"
' "$(cat mot)" >acces)
printf accepte >petit; ask -f -o /dev/null -T petit {url}/accepte.txt || exit 1
printf avant >petit; ask -f -o /dev/null -T petit {url}/remplace.txt || exit 1
head -c 60000000 /dev/urandom >gros; head -c 500000000 /dev/urandom >grand.bin
/opt/packmairie/partage/bin/u2c -te ca.pem -a '$mot' -ns -j 1 {url}/ grand.bin >reprise 2>&1 &
sender=$!
for _ in $(seq 1 300); do [ "$(inside 'du -sm {root}' | cut -f1)" -gt 40 ] && break; sleep .1; done
ask --limit-rate 6M -w '
%{{http_code}}' -T gros {url}/remplace.txt >put 2>&1 &
putting=$!
sleep 1.5
# The disk is made as small as what is on it, at once: filling it takes seconds, in which a transfer may end.
inside 'for _ in $(seq 50); do
    size=$(($(df -m --output=used {root} | tail -1) + 15))
    mount -o remount,size=${{size}}m {root} 2>/dev/null && exit; done; exit 1' || exit 1
wait "$putting"
accepted=$(ask {url}/accepte.txt)
sleep 3
waited=non; kill -0 "$sender" 2>/dev/null && waited=oui
inside 'mount -o remount,size=2000m {root}' || exit 1
kept=$(inside 'find {root} -path "*Corbeille*" -name "remplace*" -size -2k -exec cat {{}} +')
for _ in $(seq 1 90); do kill -0 "$sender" 2>/dev/null || break; sleep 1; done
resumed=non arrived=$(inside 'sha256sum {root}/commun/grand.bin' | cut -c1-64)
[ "$arrived" = "$(sha256sum grand.bin | cut -c1-64)" ] && resumed=identique
python3 -I - "$accepted" "$kept" "$waited" "$resumed" <<'FIN'
import json, pathlib, sys
said = pathlib.Path("put").read_text(errors="replace")
names = ("accepte", "corbeille", "attendait", "repris")
print(json.dumps({{"code": said[-3:], "dit": said[-300:], **dict(zip(names, sys.argv[1:]))}}))
FIN
"""


def cert(lab: Lab) -> str:
    """Return the lab's root certificate (PEM)."""
    return lab.root_certificate().read_text(encoding="ascii")


@pytest.fixture
def hosts_file(tmp_path: Path, pack: Pack) -> Path:
    """A file of host names that programs are given in a mount namespace of their own."""
    lines = [f"{pack.file.plateforme.ipv4[0]} {host_of(c)}\n" for c in pack.communes]
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n" + "".join(lines), encoding="ascii")
    return path


def isolated(hosts: Path, line: str, **names: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell with those host names; nothing of the machine is changed."""
    script = f"mount --bind {hosts} /etc/hosts && {line}"
    return subprocess.run(
        ["unshare", "--mount", "sh", "-euc", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **names},
    )


class TestClients:
    """Programs that people use: curl is in ``TestLife``; rclone and davfs2 where the machine has them."""

    @pytest.fixture(autouse=True)
    def programs(self) -> None:
        missing = [name for name in ("rclone", "mount.davfs") if shutil.which(name) is None]
        if missing:
            pytest.skip(f"{', '.join(missing)} : pas installé (scripts/install-test-tools)")

    def test_rclone(self, lab: Lab, commune: Commune, client: Client, hosts_file: Path, tmp_path: Path) -> None:
        who = f"secretariat@{commune.domaine.nom}"
        source = tmp_path / "dossier"
        (source / "sous dossier").mkdir(parents=True)
        (source / "sous dossier" / "été.txt").write_bytes(b"rclone")
        hidden = subprocess.run(
            ["rclone", "obscure", "-"], input=client.password(who), capture_output=True, text=True, check=True
        ).stdout.strip()
        config = tmp_path / "rclone.conf"
        url = f"https://{host_of(commune)}/{COMMUNE}/"
        config.write_text(
            f"[mairie]\ntype = webdav\nvendor = owncloud\nurl = {url}\nuser = {who}\npass = {hidden}\n",
            encoding="utf-8",
        )
        command = f"rclone --config {config} --ca-cert {lab.root_certificate()}"
        done = isolated(
            hosts_file,
            f"{command} copy {source} mairie:commun/rclone && {command} check {source} mairie:commun/rclone --download"
            f" && {command} purge mairie:commun/rclone",
        )
        assert done.returncode == 0, done.stderr

    def test_davfs2(self, lab: Lab, commune: Commune, client: Client, hosts_file: Path) -> None:
        who = f"secretariat@{commune.domaine.nom}"
        url = f"https://{host_of(commune)}/{COMMUNE}/"
        # davfs2 reads as an account of its own, which must enter the folder.
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            place.chmod(0o755)
            point = place / "montage"
            for folder in (point, place / "cache"):
                folder.mkdir()
            (place / "cache").chmod(0o777)
            shutil.copyfile(lab.root_certificate(), place / "racine.crt")
            secrets, config = place / "secrets", place / "davfs.conf"
            secrets.touch(mode=0o600)
            secrets.write_text(f'{point} "{who}" "{client.password(who)}"\n', encoding="utf-8")
            config.write_text(
                f"trust_ca_cert {place}/racine.crt\nsecrets {secrets}\ncache_dir {place}/cache\n"
                "delay_upload 0\nuse_locks 0\n",
                encoding="utf-8",
            )
            done = isolated(
                hosts_file,
                f"mount -t davfs -o conf={config} {url} {point}; trap 'umount {point}' EXIT;"
                f" printf davfs2 >{point}/commun/davfs.txt; sync; sleep 2; cat {point}/commun/davfs.txt;"
                f" mv {point}/commun/davfs.txt {point}/commun/davfs2.txt",
            )
        # Its listings are not looked at: davfs2 1.6.1 was seen to answer EINVAL to readdir on Linux 6.18.
        assert "davfs2" in done.stdout, done.stdout + done.stderr
        got = client.ask(host_of(commune), who, "GET", f"/{COMMUNE}/commun/davfs2.txt")
        assert got.body == b"davfs2"
        assert client.ask(host_of(commune), who, "DELETE", f"/{COMMUNE}/commun/davfs2.txt").status == 200


class TestSite:
    def test_a_file_put_in_site_is_published(self, commune: Commune, client: Client, shell: Callable[..., str]) -> None:
        host, who = host_of(commune), f"secretariat@{commune.domaine.nom}"
        news = "# Fête du village\n\nLe programme vient de l'espace de fichiers.\n".encode()
        client.ask(host, who, "MKCOL", f"/{COMMUNE}/site/actualites")
        path = f"/{COMMUNE}/site/actualites/2026-11-24-fete-du-village.md"
        assert client.ask(host, who, "PUT", path, news).status == 201
        shell("systemctl start packmairie-sites.service", timeout=180)
        page = client.ask(f"www.{commune.domaine.nom}", "", "GET", "/actualites/2026-11-24-fete-du-village/")
        assert page.status == 200
        assert "vient de l’espace" in page.body.decode().replace("'", "’")
        assert client.ask(host, who, "DELETE", path).status == 200


class TestEnd:
    def test_a_link_of_one_minute_has_ended(self, commune: Commune, client: Client) -> None:
        """Made by ``TestOutside``, above; copyparty looks for ended links within the minute."""
        link = f"/p/{LINK}-bref/plan.txt"
        assert until(lambda: client.ask(host_of(commune), "", "GET", link).status in REFUSED, 90)
        assert client.ask(host_of(commune), "", "GET", f"/p/{COMMUNE}-sonde-valable/").status == 200
