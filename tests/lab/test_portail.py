# SPDX-License-Identifier: GPL-3.0-or-later
"""The portal on a deployed platform: an author, the cell, a survey, and what a thief or a technician finds there."""

from __future__ import annotations

import html
import re
import secrets as random
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pyotp
import pytest

from packmairie.lab import Lab
from packmairie.model.pack import Pack
from packmairie.model.preuve import State
from packmairie.operations.status import status_pack

pytestmark = pytest.mark.lab

HOST = "plateforme"
GENTLE = 2.0
"""Highest exposure that systemd-analyze may give to the portal's unit, of 10."""


@dataclass
class Browser:
    """A visitor of the portal: its own cookies, the platform's address, the certificate verified."""

    client: httpx.Client
    name: str

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Send a request; redirections are followed on the portal."""
        for _hop in range(5):
            url = f"{self.client.base_url}".rstrip("/") + path
            answer = self.client.request(
                method,
                url,
                headers={"Host": self.name, "Referer": f"https://{self.name}/"},
                extensions={"sni_hostname": self.name},
                **given,
            )
            if answer.status_code not in (301, 302, 303):
                return answer
            path = re.sub(r"^https?://[^/]+", "", answer.headers["location"])
            method, given = "GET", {}
        raise AssertionError(f"too many redirections at {path}")

    def send(self, page: str, path: str, fields: dict[str, Any], **given: Any) -> httpx.Response:
        """Post a form with the token of the page that shows it."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found, page[:400]
        return self.ask("POST", path, data={"csrfmiddlewaretoken": found.group(1), **fields}, **given)


@pytest.fixture(scope="module")
def visit(pack: Pack, lab: Lab) -> Iterator[Callable[[], Browser]]:
    tls = ssl.create_default_context(cafile=str(lab.root_certificate()))
    opened: list[httpx.Client] = []

    def new() -> Browser:
        client = httpx.Client(base_url=f"https://{pack.file.plateforme.ipv4[0]}", verify=tls, timeout=30)
        # A cookie is kept for the name by which the portal is asked, not for its address.
        opened.append(client)
        return Browser(client, pack.portal_name())

    yield new
    for client in opened:
        client.close()


@pytest.fixture(scope="module")
def shell(deployed: object, lab: Lab) -> Callable[..., str]:
    def run(line: str, *, refused: bool = False) -> str:
        done = lab.run(HOST, ["sh", "-c", line], timeout=120)
        assert (done.returncode != 0) is refused, done.stderr
        return str(done.stdout)

    return run


@pytest.fixture(scope="module")
def totp(deployed: Any) -> dict[str, str]:
    return dict(re.findall(r"^(\S+) : .*clé TOTP (\w+)", deployed.cell, re.MULTILINE))


def deposit(visitor: Browser, words: str) -> tuple[str, str]:
    """Walk an author's way; return the number and the code."""
    page = visitor.ask("GET", "/signaler/")
    facts = {
        "insee": "62708", "dispositif": "avdhas", "mis_en_cause": "collegue", "qualite": "temoin", "lien": "agent",
        "categories": "menace", "recit": words, "anonyme": "oui",
    }  # fmt: skip
    piece = {"pieces": ("piece.txt", f"{words} dans une pièce\n".encode() * 400, "text/plain")}
    made = visitor.send(page.text, "/signaler/faits/", facts, files=piece)
    assert made.status_code == 200, made.text[:2000]
    number, code = re.findall(r'id="(?:numero|code-affiche)">([^<]+)<', made.text)
    return number, code


def follow(visitor: Browser, number: str, code: str) -> httpx.Response:
    page = visitor.ask("GET", "/retour/")
    return visitor.send(page.text, "/retour/", {"numero": number, "code": code})


def log_in(visitor: Browser, totp: str) -> httpx.Response:
    fields = {"identifiant": "membre.exemple", "mot_de_passe": "exemple de mot de passe", "code": totp}
    return visitor.send(visitor.ask("GET", "/cellule/connexion/").text, "/cellule/connexion/", fields)


def found_on_disk(shell: Callable[..., str], words: str, since: str) -> str:
    """Return the files of the host, younger than a mark, that hold some words."""
    # The command itself must not be what is found: the words are given in two halves.
    half = len(words) // 2
    search = f"w='{words[:half]}''{words[half:]}'; find / -xdev -type f -newer {since} -size -300M"
    return shell(f"{search} ! -path '/proc/*' ! -path '/sys/*' -exec grep -lF -- \"$w\" {{}} + || true").strip()


def test_a_report_is_received_read_and_found_nowhere(
    visit: Callable[[], Browser], shell: Callable[..., str], totp: dict[str, str], pack: Pack
) -> None:
    canary, planted = f"CANARI{random.token_hex(12)}", f"TEMOIN{random.token_hex(12)}"
    shell("touch /var/tmp/depart; sleep 0.1")
    author = visit()
    home = author.ask("GET", "/")
    assert home.status_code == 200
    assert "set-cookie" not in home.headers
    assert home.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in home.headers
    assert author.ask("GET", "/statique/socle/portail.css").headers["content-type"].startswith("text/css")

    number, code = deposit(author, canary)
    member = visit()
    assert log_in(member, "000000").status_code == 403
    queue = log_in(member, pyotp.TOTP(totp["membre.exemple"]).now())
    assert queue.status_code == 200
    names = dict.fromkeys(re.findall(r'href="(/cellule/dossier/[^"]+)"', queue.text))
    (name,) = [one for one in names if canary in member.ask("GET", one).text]
    # He is no custodian: the key of the identity is not his.
    shown = member.send(member.ask("GET", name).text, f"{name}identite/", {"motif": "essai"})
    assert shown.status_code in (403, 404, 409, 422)

    # Killed without notice: what was acknowledged is there when it comes back, by itself.
    before = shell("systemctl show -pMainPID --value postgresql@17-main").strip()
    shell(f"kill -KILL {before}")
    deadline = time.monotonic() + 30
    while shell("systemctl show -pMainPID --value postgresql@17-main").strip() in (before, "0", ""):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    back = visit()
    while (page := follow(back, number, code)).status_code >= 500:
        assert time.monotonic() < deadline, page.text[:300]
        time.sleep(0.5)
    assert page.status_code == 200
    assert canary in page.text
    assert follow(visit(), number, "0000-0000-0000-0000").status_code == 403

    # What a thief of the disk, or a technician, finds. The search is proven on something that is there.
    shell(f"printf 'a%sb' '{planted}' > /var/tmp/temoin; sync")
    assert found_on_disk(shell, planted, "/var/tmp/depart").split() == ["/var/tmp/temoin"]
    for words in (canary, code, code.replace("-", "")):
        assert found_on_disk(shell, words, "/var/tmp/depart") == ""
        assert words not in shell("journalctl --no-pager -o export --since -10min")
    dump = shell("runuser -u postgres -- pg_dump portail")
    assert number.replace("-", "") in dump
    for words in (canary, canary.encode().hex(), "pièce".encode().hex()):
        assert words not in dump
    shell("runuser -u caddy -- psql -h /run/postgresql -U portail portail -c 'SELECT 1'", refused=True)
    shell("rm /var/tmp/temoin /var/tmp/depart")


def test_an_error_tells_neither_who_nor_where(
    visit: Callable[[], Browser], shell: Callable[..., str], lab: Lab
) -> None:
    shell("systemctl stop packmairie-portail.socket packmairie-portail.service")
    try:
        answer = visit().ask("GET", "/sondage/r/CHEMINSECRET/")
    finally:
        shell("systemctl start packmairie-portail.socket packmairie-portail.service")
    assert answer.status_code == 502
    assert "ne répond pas" in answer.text
    said = shell("journalctl --no-pager -o cat -u caddy --since -2min")
    # Debian's Caddy tells nothing of an error that a site says itself; another version would, and must not say this.
    assert "CHEMINSECRET" not in said
    visitor = lab.network.machine
    assert visitor not in said
    assert visitor not in shell("journalctl --no-pager -o cat -u packmairie-portail --since -10min")


def test_units_are_confined_and_their_jobs_end_well(shell: Callable[..., str]) -> None:
    told = shell("systemd-analyze security --no-pager packmairie-portail.service | tail -1")
    assert float(re.findall(r"\d+\.\d", told)[0]) <= GENTLE
    for job in ("menage", "rappels"):
        shell(f"systemctl start packmairie-portail-{job}.service")
    environment = shell("tr '\\0' '\\n' < /proc/$(systemctl show -pMainPID --value packmairie-portail)/environ")
    key = shell("cat /etc/packmairie/portail/cle").strip()
    assert "PACKMAIRIE_PORTAIL=/etc" in environment
    assert key not in environment
    assert key not in shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert key not in shell("journalctl --no-pager -o export --since -30min")
    assert shell("stat -c '%a %U %G' /etc/packmairie/portail/cle").split() == ["640", "root", "portail"]


def test_a_survey_leaves_by_mail_and_comes_back_as_a_pdf(
    visit: Callable[[], Browser], shell: Callable[..., str], pack: Pack
) -> None:
    password = shell("portail-gerer sondage_gestionnaire gestion.exemple").split(" : ")[1].strip()
    boss = visit()
    form = boss.ask("GET", "/sondage/gestion/connexion/").text
    boss.send(form, "/sondage/gestion/connexion/", {"username": "gestion.exemple", "password": password})
    rows = ["identifiant;nom;departement;population;adhesion;epci;courriel"]
    rows += [
        f"{i};Commune {i};62;100;affiliée;CC;{'contact@riencourt-les-bapaume.fr' if i == 1 else ''}"
        for i in range(1, 6)
    ]
    title = f"Essai {random.token_hex(4)}"
    wanted = {
        "titre": title, "annee": "2026", "mode": "confidentiel", "cloture": "2999-12-31", "base": "\n".join(rows),
        "taille": "5", "minimum": "1", "graine": "essai", "repartition": "proportionnelle",
    }  # fmt: skip
    page = boss.send(boss.ask("GET", "/sondage/gestion/nouvelle/").text, "/sondage/gestion/nouvelle/", wanted)
    place = re.findall(r"/sondage/gestion/(\d+)/action/", page.text)[0]
    action = f"/sondage/gestion/{place}/action/"
    page = boss.send(page.text, action, {"action": "ouvrir"})
    page = boss.send(page.text, action, {"action": "envoyer"})
    assert "1 envoyés, 0 refusés" in page.text
    deadline = time.monotonic() + 40
    mails = f"grep -rlF '{title}' /var/vmail/riencourt-les-bapaume.fr || true"
    while not (mail := shell(mails).split()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={pack.file.plateforme.domaine}" in shell(
        f"cat '{mail[0]}'"
    )

    letters = boss.ask("GET", f"/sondage/gestion/{place}/lettres/?tous").text
    codes = re.findall(r'<p class="code">([^<]+)</p>', letters)
    assert len(codes) == 5
    for code in codes:
        answerer = visit()
        path = f"/sondage/r/{code.replace('-', '')}/"
        for number in range(1, 5):
            shown = answerer.ask("GET", f"{path}{number}/").text
            names = re.findall(r'type="radio" id="[^"]+" name="([^"]+)" value="([^"]+)"', shown)
            first = dict(reversed(names))
            assert answerer.send(shown, f"{path}{number}/", {**first, "suivant": ""}).status_code == 200
        shown = answerer.ask("GET", f"{path}relire/").text
        assert answerer.send(shown, f"{path}relire/", {}).status_code == 200
        assert answerer.ask("GET", path).status_code == 410
    results = boss.ask("GET", f"/sondage/resultats/{place}/")
    assert "5 réponses sur 5" in html.unescape(results.text)
    paper = boss.ask("GET", f"/sondage/resultats/{place}/resultats.pdf")
    assert paper.content.startswith(b"%PDF"), paper.text[:500]
    shell(
        "runuser -u postgres -- psql -qX portail -c"
        f' "DELETE FROM sondage_reponseconfidentielle; DELETE FROM sondage_invitation WHERE campagne_id = {place};'
        f' DELETE FROM sondage_campagne WHERE id = {place}"'
    )


def test_status_knows_the_channel_and_says_when_it_does_not(
    deployed: object, pack_folder: Any, shell: Callable[..., str]
) -> None:
    found = {(p.commune, p.check): p for p in status_pack(pack_folder, briques=("signalement", "sondage")).preuves}
    assert len(found) == 6 + 1 + 3 * 3
    assert {p.state for p in found.values()} == {State.CONFORME}, [
        p for p in found.values() if p.state is not State.CONFORME
    ]
    assert "2 membre(s) actif(s)" in found["62708", "cellule"].measured
    shell("mv /usr/local/sbin/portail-gerer /usr/local/sbin/portail-gerer.essai")
    try:
        blind = {(p.commune, p.check): p for p in status_pack(pack_folder, briques=("signalement",)).preuves}
    finally:
        shell("mv /usr/local/sbin/portail-gerer.essai /usr/local/sbin/portail-gerer")
    for key in (("62708", "canal"), ("62708", "cellule"), ("plateforme", "echeances")):
        assert blind[key].state is State.NON_VERIFIE
