# SPDX-License-Identifier: GPL-3.0-or-later
"""The communes on the web, as visitors, mail programs and agents meet them on a deployed platform."""

from __future__ import annotations

import gzip
import http.client
import imaplib
import plistlib
import re
import smtplib
import socket
import ssl
import threading
import time
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from packmairie.engines.names import Names
from packmairie.engines.web import Session, Web
from packmairie.engines.webmail import visit_webmail
from packmairie.inventory.loader import load_pack
from packmairie.lab import Lab
from packmairie.lab.rehearsal import play_registrar
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Found, Page, WebmailVisit

pytestmark = pytest.mark.lab

PATIENCE = 40
"""Seconds that a message may take to become a page on a busy two-core machine."""
NEW, ELSEWHERE = "62062", "62066"
"""Communes of the register that the tests add: one gets a site, the other has one elsewhere."""

SecretsOf = Callable[[str], Mapping[str, Any]]


@dataclass
class Reply:
    """An answer of the web host."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def text(self) -> str:
        """The body, decompressed."""
        unpacked = gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw
        return unpacked.decode("utf-8")


@dataclass
class Front:
    """The deployed web host, asked by address with any name."""

    address: str
    tls: ssl.SSLContext

    def ask(self, host: str, path: str = "/", method: str = "GET", body: str | None = None, **headers: str) -> Reply:
        """Send one request over TLS; ``sni`` and ``Host`` may differ from the name."""
        name = headers.pop("sni", host)
        sent = {"Host": host} | {key.replace("_", "-"): value for key, value in headers.items()}
        with (
            socket.create_connection((self.address, 443), timeout=20) as plain,
            self.tls.wrap_socket(plain, server_hostname=name) as secured,
        ):
            return exchange(secured, method, path, body, sent)

    def ask_plainly(self, host: str, path: str = "/") -> Reply:
        """Send one request over HTTP without TLS."""
        with socket.create_connection((self.address, 80), timeout=20) as plain:
            return exchange(plain, "GET", path, None, {"Host": host})


def exchange(stream: socket.socket, method: str, path: str, body: str | None, headers: dict[str, str]) -> Reply:
    """Send one HTTP/1.1 request as it is given, and read its answer."""
    content = (body or "").encode()
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items()), "Connection: close"]
    if body is not None:
        lines.append(f"Content-Length: {len(content)}")
    stream.sendall("\r\n".join([*lines, "", ""]).encode() + content)
    answer = http.client.HTTPResponse(stream, method=method)
    answer.begin()
    return Reply(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())


@pytest.fixture(scope="module")
def front(pack: Pack, lab: Lab) -> Front:
    return Front(str(pack.file.plateforme.ipv4[0]), ssl.create_default_context(cafile=str(lab.root_certificate())))


@pytest.fixture(scope="module")
def commune(pack: Pack) -> Commune:
    """A commune with a site, mail, and an agent."""
    return next(c for c in pack.communes if c.deploys("presence") and c.deploys("messagerie") and c.agents)


@pytest.fixture(scope="module")
def other(pack: Pack, commune: Commune) -> Commune:
    """Another one."""
    return next(c for c in pack.communes if c.insee != commune.insee and c.deploys("messagerie") and c.agents)


class TestSite:
    def test_every_commune_has_one_under_its_own_name(self, pack: Pack, front: Front) -> None:
        for served in pack.communes:
            page = front.ask(f"www.{served.domaine.nom}", Accept_Encoding="gzip")
            assert page.status == 200
            assert page.headers["content-encoding"] == "gzip"
            assert '<html lang="fr' in page.text
            assert served.nom in page.text.replace("’", "'")

    def test_a_fresh_site_has_the_first_texts_and_documents_of_the_pack(self, pack: Pack, front: Front) -> None:
        seen = 0
        for insee, files in pack.contents.items():
            host = f"www.{pack.commune(insee).domaine.nom}"
            for path, source in files.items():
                if path.startswith("actualites/"):
                    assert front.ask(host, f"/{path.removesuffix('.md')}/").status == 200
                    seen += 1
                if path.startswith("documents/"):
                    size = Path(source).stat().st_size
                    links = re.findall(r'href="([^"]*\.pdf)"', front.ask(host, "/documents/").text)
                    assert size in {len(front.ask(host, link.removeprefix(f"https://{host}")).raw) for link in links}
                    seen += 1
        assert seen > 5

    def test_its_headers_protect_visitors(self, commune: Commune, front: Front) -> None:
        headers = front.ask(f"www.{commune.domaine.nom}").headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'none'"
        )
        assert headers["strict-transport-security"] == "max-age=31536000"
        assert headers["x-content-type-options"] == "nosniff"
        assert "geolocation=()" in headers["permissions-policy"]
        assert "server" not in headers
        assert "alt-svc" not in headers
        assert headers["cache-control"] == "public, max-age=300"
        assert "set-cookie" not in headers

    def test_http_leads_to_https_and_the_apex_to_www(self, commune: Commune, front: Front) -> None:
        domain = commune.domaine.nom
        plain = front.ask_plainly(f"www.{domain}", "/mairie/?x=1")
        assert (plain.status, plain.headers["location"]) == (308, f"https://www.{domain}/mairie/?x=1")
        apex = front.ask(domain, "/mairie/?x=1")
        assert (apex.status, apex.headers["location"]) == (308, f"https://www.{domain}/mairie/?x=1")

    def test_an_unknown_page_is_explained_in_french(self, commune: Commune, front: Front) -> None:
        page = front.ask(f"www.{commune.domaine.nom}", "/rien/ici")
        assert page.status == 404
        assert '<html lang="fr' in page.text
        assert "content-security-policy" in page.headers
        assert page.headers["cache-control"] == "no-store"
        assert "server" not in page.headers

    @pytest.mark.parametrize("path", ["/.vers-www", "/.git/config", "/mairie/.htaccess", "/../../etc/passwd"])
    def test_nothing_hidden_is_shown(self, commune: Commune, front: Front, path: str) -> None:
        assert front.ask(f"www.{commune.domaine.nom}", path).status == 404
        assert front.ask(f"autoconfig.{commune.domaine.nom}", path).status == 404

    def test_a_folder_is_not_listed(self, commune: Commune, front: Front) -> None:
        assert front.ask(f"autoconfig.{commune.domaine.nom}", "/mail/").status == 404
        assert front.ask(f"mta-sts.{commune.domaine.nom}", "/.well-known/").status == 404

    @pytest.mark.parametrize("host", ["..", "inconnu", "sites", "communes", ".www.essai.fr.nouveau", "a..b", "WWW"])
    def test_a_host_header_is_not_a_path(self, commune: Commune, front: Front, host: str) -> None:
        answer = front.ask(host, "/", sni=f"www.{commune.domaine.nom}")
        assert answer.status in (400, 404)
        assert "<html" not in answer.text

    def test_a_stranger_s_name_gets_no_certificate_and_no_order(self, front: Front, lab: Lab) -> None:
        name = f"inconnu-{uuid.uuid4().hex[:8]}.example"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            front.ask(name)
        said = lab.run("plateforme", ["journalctl", "--unit", "caddy", "--output", "cat", "--lines", "200"]).stdout
        assert not [line for line in said.splitlines() if name in line and "obtain" in line]


class TestMailPrograms:
    def test_thunderbird_finds_its_settings_three_ways(self, commune: Commune, pack: Pack, front: Front) -> None:
        domain = commune.domaine.nom
        texts = {
            front.ask(f"autoconfig.{domain}", f"/mail/config-v1.1.xml?emailaddress=a%40{domain}").text,
            front.ask(domain, "/.well-known/autoconfig/mail/config-v1.1.xml").text,
            front.ask(f"www.{domain}", "/.well-known/autoconfig/mail/config-v1.1.xml").text,
        }
        assert len(texts) == 1
        root = ElementTree.fromstring(texts.pop())
        assert root.findtext(".//incomingServer/hostname") == pack.file.plateforme.host_name("mail")
        assert root.findtext(".//incomingServer/port") == "993"

    @pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"])
    def test_outlook_gets_the_login_that_it_gave(self, commune: Commune, front: Front, path: str) -> None:
        address = f"secretariat@{commune.domaine.nom}"
        body = f"<Autodiscover><Request><EMailAddress>{address}</EMailAddress></Request></Autodiscover>"
        for host in (f"autodiscover.{commune.domaine.nom}", commune.domaine.nom):
            answer = front.ask(host, path, "POST", body, Content_Type="text/xml")
            assert answer.status == 200
            assert answer.headers["cache-control"] == "no-store"
            assert re.findall(r"<LoginName>([^<]*)</LoginName>", answer.text) == [address, address]
            ElementTree.fromstring(answer.text)

    @pytest.mark.parametrize(
        "hostile",
        ["{{ env }}@x.fr", "<a/>&lt;@x.fr", "secretariat@autre.fr", "", "{{ .Req.Header }}", "x" * 100_000],
    )
    def test_outlook_s_request_is_not_a_template(self, commune: Commune, front: Front, hostile: str) -> None:
        answer = front.ask(
            f"autodiscover.{commune.domaine.nom}", "/autodiscover/autodiscover.xml", "POST", f"<E>{hostile}</E>"
        )
        assert answer.status in (200, 413)
        assert "LoginName" not in answer.text
        if answer.status == 200:
            ElementTree.fromstring(answer.text)

    def test_apple_s_profile(self, commune: Commune, pack: Pack, front: Front) -> None:
        domain = commune.domaine.nom
        asked = front.ask(f"autoconfig.{domain}", f"/apple.mobileconfig?adresse=secretariat%40{domain}")
        assert asked.headers["content-type"].startswith("application/x-apple-aspen-config")
        account = plistlib.loads(asked.text.encode())["PayloadContent"][0]
        assert account["EmailAddress"] == account["IncomingMailServerUsername"] == f"secretariat@{domain}"
        assert account["IncomingMailServerHostName"] == pack.file.plateforme.host_name("mail")
        blank = plistlib.loads(front.ask(f"autoconfig.{domain}", "/apple.mobileconfig?adresse={{x}}").text.encode())
        assert "EmailAddress" not in blank["PayloadContent"][0]


@dataclass
class Mailbox:
    """An agent's account, by submission and IMAP."""

    front: Front
    server: str
    address: str
    password: str

    def write(self, to: str, subject: str, text: str = "", pdf: bytes | None = None) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.address, to, subject
        message.set_content(text)
        if pdf:
            message.add_attachment(pdf, maintype="application", subtype="pdf", filename="document.pdf")
        with _Submission(self) as client:
            client.login(self.address, self.password)
            client.send_message(message)

    def answer(self, about: str) -> str:
        """Return the text of the answer whose subject holds these words, taking it out of the inbox."""
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            client = _Imap(self)
            try:
                client.login(self.address, self.password)
                client.select("INBOX")
                for number in client.search(None, "ALL")[1][0].split():
                    message = message_from_bytes(client.fetch(number, "(RFC822)")[1][0][1], policy=default)
                    if about in str(message["Subject"]) and str(message["From"]).startswith("site@"):
                        client.store(number, "+FLAGS", r"\Deleted")
                        client.expunge()
                        assert message["Auto-Submitted"] == "auto-replied"
                        return str(message.get_content())
            finally:
                client.logout()
            time.sleep(1)
        raise AssertionError(f"no answer about {about} in {PATIENCE} s")


class _Submission(smtplib.SMTP_SSL):
    def __init__(self, box: Mailbox) -> None:
        self._box = box
        super().__init__(box.front.address, 465, timeout=20, context=box.front.tls)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        raw = smtplib.SMTP._get_socket(self, host, port, timeout)  # type: ignore[attr-defined]
        return self.context.wrap_socket(raw, server_hostname=self._box.server)


class _Imap(imaplib.IMAP4_SSL):
    def __init__(self, box: Mailbox) -> None:
        self._box = box
        super().__init__(box.front.address, 993, ssl_context=box.front.tls, timeout=20)

    def _create_socket(self, timeout: float | None) -> Any:
        raw = imaplib.IMAP4._create_socket(self, timeout)  # type: ignore[attr-defined]
        return self._box.front.tls.wrap_socket(raw, server_hostname=self._box.server)


def mailbox(commune: Commune, login: str, front: Front, pack: Pack, secrets: SecretsOf) -> Mailbox:
    password = str(secrets(commune.insee)[f"messagerie.boites.{login}"]["mot_de_passe"])
    return Mailbox(front, pack.file.plateforme.host_name("mail"), f"{login}@{commune.domaine.nom}", password)


@pytest.fixture(scope="module")
def agent(commune: Commune, front: Front, pack: Pack, secrets: SecretsOf) -> Mailbox:
    return mailbox(commune, commune.agents[0].identifiant, front, pack, secrets)


def eventually(tried: Callable[[], bool]) -> bool:
    """Try until it holds, for as long as a message may take."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if tried():
            return True
        time.sleep(0.5)
    return False


class TestEditingByMail:
    def test_news_appear_and_can_be_undone(self, commune: Commune, front: Front, agent: Mailbox) -> None:
        word = f"essai{uuid.uuid4().hex[:8]}"
        host, to = f"www.{commune.domaine.nom}", f"site@{commune.domaine.nom}"
        agent.write(to, f"Actualité : Fête {word}", "Rendez-vous **dimanche**.\n\n<script>alert(1)</script>")
        assert "publiée" in agent.answer(f"Fête {word}")
        assert eventually(lambda: word in front.ask(host, "/actualites/").text)
        found = re.search(rf'href="([^"]*{word}[^"]*)"', front.ask(host, "/actualites/").text)
        assert found
        page = front.ask(host, found[1].removeprefix(f"https://{host}")).text
        assert "<strong>dimanche</strong>" in page
        assert "<script" not in page
        agent.write(to, "Annuler")
        assert word in agent.answer("Annulé")
        assert eventually(lambda: word not in front.ask(host, "/actualites/").text)

    def test_a_stranger_is_told_that_the_address_does_not_exist(self, commune: Commune, front: Front) -> None:
        with smtplib.SMTP(front.address, 25, timeout=20) as client:
            client.ehlo("stranger.ailleurs.example")
            client.mail("temoin@ailleurs.example")
            code, said = client.rcpt(f"site@{commune.domaine.nom}")
            unknown = client.rcpt(f"personne-{uuid.uuid4().hex[:6]}@{commune.domaine.nom}")
        assert code == 550
        assert re.sub(rb"<[^>]*>", b"", said) == re.sub(rb"<[^>]*>", b"", unknown[1])

    def test_an_agent_of_another_commune_changes_nothing(
        self, commune: Commune, other: Commune, front: Front, pack: Pack, secrets: SecretsOf
    ) -> None:
        neighbour = mailbox(other, other.agents[0].identifiant, front, pack, secrets)
        word = f"voisin{uuid.uuid4().hex[:8]}"
        neighbour.write(f"site@{commune.domaine.nom}", f"Actualité : {word}", "texte")
        assert "ne peut pas changer" in neighbour.answer("Refusé")
        assert word not in front.ask(f"www.{commune.domaine.nom}", "/actualites/").text

    def test_the_technical_account_changes_nothing(
        self, commune: Commune, front: Front, pack: Pack, secrets: SecretsOf
    ) -> None:
        probe = mailbox(commune, "sonde", front, pack, secrets)
        probe.write(f"site@{commune.domaine.nom}", "Horaires", "Lundi : 9h-12h")
        assert "ne peut pas changer" in probe.answer("Refusé")

    def test_what_did_not_log_in_is_not_followed(self, commune: Commune, lab: Lab, agent: Mailbox) -> None:
        to, word = f"site@{commune.domaine.nom}", f"faux{uuid.uuid4().hex[:8]}"
        forged = f"From: {agent.address}\nTo: {to}\nSubject: Actualité : {word}\n\ntexte\n"
        lab.run("plateforme", ["sh", "-c", f"printf '%s' '{forged}' | /usr/sbin/sendmail -f {agent.address} {to}"])
        followed = "/var/lib/packmairie/contenus"
        assert eventually(
            lambda: "Adresse reservee" in lab.run("plateforme", ["journalctl", "-u", "postfix", "-n", "60"]).stdout
        )
        assert word not in lab.run("plateforme", ["find", followed]).stdout


class TestWebmail:
    def test_every_commune_logs_in_and_sees_its_name(self, pack: Pack, secrets: SecretsOf) -> None:
        web = Web(Names([str(address) for address in pack.file.resolveurs]), pack.file.acme.racine)
        url = f"https://{pack.file.plateforme.host_name('webmail')}/"
        for served in pack.communes:
            account = f"sonde@{served.domaine.nom}"
            probe = WebmailVisit(url, served.insee, account, "messagerie.boites.sonde")
            answer = visit_webmail(web, probe, secrets(served.insee)["messagerie.boites.sonde"]["mot_de_passe"])
            assert isinstance(answer, Found), answer
            assert not answer.value.failed, answer.value
            assert served.nom in answer.value.title.replace("’", "'")

    def test_a_wrong_password_is_refused(self, pack: Pack, commune: Commune) -> None:
        web = Web(Names([str(address) for address in pack.file.resolveurs]), pack.file.acme.racine)
        url = f"https://{pack.file.plateforme.host_name('webmail')}/"
        probe = WebmailVisit(url, commune.insee, f"sonde@{commune.domaine.nom}", "x")
        answer = visit_webmail(web, probe, "faux")
        assert isinstance(answer, Found)
        assert answer.value.failed == "connexion"

    @pytest.fixture
    def opened(self, pack: Pack, agent: Mailbox) -> tuple[Session, str, Page]:
        """A browser in which the agent is logged in, the webmail's address, and the page of the mail."""
        web = Web(Names([str(address) for address in pack.file.resolveurs]), pack.file.acme.racine)
        url = f"https://{pack.file.plateforme.host_name('webmail')}/"
        session = web.visitor()
        first = session.request("GET", url)
        assert 'lang="fr"' in first.body
        cookie = first.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("secure", "httponly", "samesite=strict"))
        token = re.search(r'"request_token":"(\w+)"', first.body)
        assert token
        form = {"_token": token[1], "_task": "login", "_action": "login", "_user": agent.address}
        logged = session.request("POST", f"{url}?_task=login", data={**form, "_pass": agent.password})
        assert logged.status == 302
        return session, url, session.request("GET", f"{url}?_task=mail")

    def test_mail_is_read_on_the_host_and_the_account_known_by_the_server_s_name(
        self, opened: tuple[Session, str, Page], pack: Pack, agent: Mailbox, lab: Lab
    ) -> None:
        _session, _url, page = opened
        assert page.status == 200
        said = lab.run("plateforme", ["journalctl", "-u", "dovecot", "--output", "cat", "--lines", "400"]).stdout
        lines = [line for line in said.splitlines() if "Logged in" in line and f"user=<{agent.address}>" in line]
        assert "lip=127.0.0.1" in lines[-1]
        asked = "import sqlite3,sys; print(*{row[0] for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2])})"
        database = "/var/lib/packmairie/webmail/webmail.sqlite"
        hosts = lab.run("plateforme", ["python3", "-c", asked, database, "select mail_host from users"]).stdout.split()
        assert hosts == [pack.file.plateforme.host_name("mail")]

    def test_expired_sessions_are_taken_away_and_not_by_a_page(self, lab: Lab) -> None:
        folder = "/var/lib/packmairie/webmail/sessions"
        made = (
            f"cd {folder} && touch sess_neuf && touch -d '2 hours ago' sess_vieux && chown webmail sess_neuf sess_vieux"
        )
        assert lab.run("plateforme", ["sh", "-c", made]).returncode == 0
        assert (
            "session.gc_probability] = 0"
            in lab.run("plateforme", ["cat", "/etc/packmairie/webmail/php-fpm.conf"]).stdout
        )
        assert lab.run("plateforme", ["systemctl", "start", "packmairie-webmail-menage"], timeout=120).returncode == 0
        left = lab.run("plateforme", ["ls", folder]).stdout.split()
        assert "sess_neuf" in left
        assert "sess_vieux" not in left
        lab.run("plateforme", ["rm", f"{folder}/sess_neuf"])

    def test_roundcube_s_classes_are_found_without_its_search_and_what_is_not_there_is_left_to_it(
        self, lab: Lab
    ) -> None:
        classes = ["rcmail", "rcmail_action_mail_list", "rcube_db_sqlite", "rcube_session_php", "html_table"]
        script = (
            "require '/etc/packmairie/webmail/classes.php';"
            " foreach (array_slice($argv, 1) as $name) { echo (int) class_exists($name), ' '; }"
        )
        absent = ["rcmail_action_mail_rien", "rcube_rien", "autre"]
        done = lab.run("plateforme", ["php8.4", "-d", "display_errors=1", "-r", script, "--", *classes, *absent])
        assert done.stdout.split() == ["1"] * len(classes) + ["0"] * len(absent), done.stdout

    def test_no_page_of_the_webmail_complains(self, opened: tuple[Session, str, Page], lab: Lab) -> None:
        said = lab.run("plateforme", ["journalctl", "-t", "webmail", "--output", "cat"]).stdout
        assert "Successful login" in said
        assert "PHP Error" not in said

    def test_the_shared_box_is_there(self, opened: tuple[Session, str, Page]) -> None:
        _session, _url, page = opened
        assert "contact/Courrier" in page.body.replace("\\/", "/")

    def test_the_commune_s_name_and_colour(self, opened: tuple[Session, str, Page], commune: Commune) -> None:
        _session, _url, page = opened
        couleurs = commune.site.couleurs
        assert "#layout-menu" in page.body
        assert couleurs is None or couleurs.principale in page.body

    def test_identities_are_the_agent_s_and_the_commune_s(
        self, opened: tuple[Session, str, Page], commune: Commune, agent: Mailbox
    ) -> None:
        session, url, _page = opened
        listed = session.request("GET", f"{url}?_task=settings&_action=identities").body
        addresses = set(re.findall(r"[\w.-]+@" + re.escape(commune.domaine.nom), listed))
        assert {agent.address, f"contact@{commune.domaine.nom}"} <= addresses

    def test_rules_and_absence_are_offered_passwords_are_not(self, opened: tuple[Session, str, Page]) -> None:
        session, url, _page = opened
        absence = session.request("GET", f"{url}?_task=settings&_action=plugin.managesieve-vacation")
        assert absence.status == 200
        assert "vacation" in absence.body
        assert "plugin.password" not in session.request("GET", f"{url}?_task=settings").body

    @pytest.mark.parametrize(
        "path",
        [
            "/installer/",
            "/installer/index.php",
            "/config/config.inc.php",
            "/plugins/managesieve/config.inc.php.dist",
            "/plugins/packmairie/packmairie.php",
            "/plugins/managesieve/managesieve.php",
            "/program/lib/Roundcube/rcube.php",
            "/SQL/sqlite.initial.sql",
            "/index.php/x.php",
            "/logs/errors.log",
            "/.htaccess",
        ],
    )
    def test_nothing_else_of_it_is_served(self, pack: Pack, front: Front, path: str) -> None:
        assert front.ask(pack.file.plateforme.host_name("webmail"), path).status == 404


@dataclass
class Load:
    """Visitors of a site that come without pause; what they met."""

    front: Front
    host: str
    asked: int = 0
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                status = self.front.ask(self.host).status
                if status != 200:
                    self.failures.append(str(status))
            except OSError as error:
                self.failures.append(str(error))
            self.asked += 1
            time.sleep(0.05)


class TestOneMoreCommune:
    def test_it_is_served_without_a_reload_and_nobody_notices(
        self, commune: Commune, front: Front, lab: Lab, pack_folder: Path, runs_folder: Path, packmairie: Any
    ) -> None:
        def caddy() -> str:
            asked = "MainPID,ActiveEnterTimestamp,NRestarts"
            unit = lab.run("plateforme", ["systemctl", "show", "--property", asked, "caddy"]).stdout
            reloads = lab.run("plateforme", ["sh", "-c", "journalctl -u caddy | grep -c 'Reloaded\\|Reloading'"]).stdout
            return unit + reloads

        before = caddy()
        visitors = Load(front, f"www.{commune.domaine.nom}")
        thread = threading.Thread(target=visitors.run)
        thread.start()
        files = []
        try:
            for insee in (NEW, ELSEWHERE):
                added = packmairie("inventory", "add", insee)
                assert added.code == 0, added.err
                files.append(next((pack_folder / "communes").glob(f"{insee}-*.yml")))
            target = "https://exemple-de-site.example/accueil"
            with files[1].open("a", encoding="utf-8") as handle:
                handle.write("\nexistant:\n  presence: Prestataire d'exemple\n")
                handle.write(f"site:\n  redirections:\n    - de: '@'\n      vers: {target}\n")
            assert packmairie("inventory", "secrets").code == 0
            play_registrar(lab, pack_folder)
            assert packmairie("deploy", "--runs", str(runs_folder)).code == 0
            added_now = load_pack(pack_folder)
            domains = [added_now.commune(insee).domaine.nom for insee in (NEW, ELSEWHERE)]
            assert eventually(lambda: served(front, f"www.{domains[0]}") == 200)
            moved = front.ask(domains[1])
            assert (moved.status, moved.headers["location"]) == (302, target)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                front.ask(f"www.{domains[1]}")
            assert caddy() == before
        finally:
            visitors.stop.set()
            thread.join()
            for file in files:
                file.unlink()
            refused = packmairie("deploy", "--runs", str(runs_folder))
            removed = packmairie("deploy", "--allow-removal", "--runs", str(runs_folder))
        assert visitors.failures == []
        assert visitors.asked > 50
        # A commune that left the pack goes only when that is said.
        assert refused.code == 1
        assert "--allow-removal" in refused.err
        assert removed.code == 0
        assert lab.run("plateforme", ["test", "-e", f"/srv/sites/www.{domains[0]}"]).returncode == 1


def served(front: Front, host: str) -> int:
    """Return the status of a name's page, 0 while it has no certificate."""
    try:
        return front.ask(host).status
    except OSError:
        return 0
