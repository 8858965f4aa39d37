# SPDX-License-Identifier: GPL-3.0-or-later
"""How the deployed mail platform behaves: what it accepts, delivers, signs, and above all refuses."""

from __future__ import annotations

import imaplib
import re
import smtplib
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import formatdate
from typing import Any

import pytest

from packmairie.lab import Lab
from packmairie.model.commune import PROBE_LOCAL_PART, Commune
from packmairie.model.pack import Pack

pytestmark = pytest.mark.lab

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PATIENCE = 30
"""Seconds that a message may take on a busy two-core machine."""
WITNESS = "temoin@ailleurs.example"
WITNESS_SERVER = "mail.ailleurs.example"

SecretsOf = Callable[[str], Mapping[str, Any]]


@dataclass(frozen=True)
class Platform:
    """The deployed mail host, and how to speak to it."""

    address: str
    name: str
    mx: str
    tls: ssl.SSLContext
    secrets: SecretsOf

    def password(self, commune: Commune, login: str) -> str:
        return str(self.secrets(commune.insee)[f"messagerie.boites.{login}"]["mot_de_passe"])

    @contextmanager
    def submission(self, commune: Commune, login: str, *, port: int = 587) -> Iterator[smtplib.SMTP]:
        """Open an authenticated submission session."""
        with self.client(port) as client:
            client.login(f"{login}@{commune.domaine.nom}", self.password(commune, login))
            yield client

    @contextmanager
    def client(self, port: int) -> Iterator[smtplib.SMTP]:
        """Open submission with TLS, not yet authenticated."""
        server: smtplib.SMTP = NamedSmtpSsl(self) if port == 465 else NamedSmtp(self)
        server.connect(self.address, port)
        try:
            if port != 465:
                server.starttls(context=self.tls)
            server.ehlo("test.invalid")
            yield server
        finally:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()

    @contextmanager
    def imap(self, commune: Commune, login: str, password: str | None = None) -> Iterator[imaplib.IMAP4_SSL]:
        """Open an authenticated IMAP session."""
        client = NamedImap(self)
        try:
            client.login(f"{login}@{commune.domaine.nom}", password or self.password(commune, login))
            yield client
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                client.logout()

    @contextmanager
    def stranger(self) -> Iterator[smtplib.SMTP]:
        """Open port 25 as a server of somewhere else would."""
        server = NamedSmtp(self)
        server.connect(self.address, 25)
        try:
            server.ehlo("stranger.ailleurs.example")
            yield server
        finally:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()


class NamedSmtp(smtplib.SMTP):
    """SMTP to an address whose certificate bears a name."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(timeout=PATIENCE)
        self._host = platform.name


class NamedSmtpSsl(smtplib.SMTP_SSL):
    """SMTP over TLS to an address whose certificate bears a name."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(timeout=PATIENCE, context=platform.tls)
        self._name = platform.name

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        raw = smtplib.SMTP._get_socket(self, host, port, timeout)  # type: ignore[attr-defined]
        return self.context.wrap_socket(raw, server_hostname=self._name)


class NamedImap(imaplib.IMAP4_SSL):
    """IMAPS to an address whose certificate bears a name."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        super().__init__(platform.address, 993, ssl_context=platform.tls, timeout=PATIENCE)

    def _create_socket(self, timeout: float | None) -> Any:
        raw = imaplib.IMAP4._create_socket(self, timeout)  # type: ignore[attr-defined]
        return self._platform.tls.wrap_socket(raw, server_hostname=self._platform.name)


@pytest.fixture(scope="module")
def platform(pack: Pack, lab: Lab, secrets: SecretsOf) -> Platform:
    described = pack.file.plateforme
    tls = ssl.create_default_context(cafile=str(lab.root_certificate()))
    return Platform(str(described.ipv4[0]), described.host_name("mail"), described.host_name("mx"), tls, secrets)


@pytest.fixture(scope="module")
def two_communes(pack: Pack) -> tuple[Commune, Commune]:
    """Two communes with mail and at least one agent each."""
    chosen = [commune for commune in pack.communes if commune.deploys("messagerie") and commune.agents]
    assert len(chosen) >= 2, "the pack under test needs two communes with an agent each"
    return chosen[0], chosen[1]


@pytest.fixture(scope="module")
def commune(two_communes: tuple[Commune, Commune]) -> Commune:
    return two_communes[0]


@pytest.fixture(scope="module")
def agent(commune: Commune) -> str:
    return commune.agents[0].identifiant


def letter(sender: str, recipient: str, subject: str | None = None, body: str = "Bonjour,\n\nessai.\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject or f"Essai {uuid.uuid4().hex}"
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = f"<{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>"
    message.set_content(body)
    return message


def find(client: imaplib.IMAP4, folder: str, subject: str, patience: float = PATIENCE) -> EmailMessage:
    """Wait for a message by its subject, return it, and delete it from the folder."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        status, _ = client.select(f'"{folder}"')
        assert status == "OK", f"cannot open {folder}"
        _, found = client.search(None, "SUBJECT", f'"{subject}"')
        if found[0]:
            number = found[0].split()[0].decode()
            _, data = client.fetch(number, "(BODY.PEEK[])")
            client.store(number, "+FLAGS", r"(\Deleted)")
            client.expunge()
            return BytesParser(policy=default).parsebytes(data[0][1])  # type: ignore[index,return-value]
        time.sleep(0.5)
    pytest.fail(f"« {subject} » did not arrive in {folder} within {patience} s")


def refusal(client: smtplib.SMTP, sender: str, recipient: str, message: EmailMessage | None = None) -> tuple[int, str]:
    """Try to send, return the code and text of the refusal; fail when it is accepted."""
    message = message or letter(sender, recipient)
    try:
        client.sendmail(sender, [recipient], message.as_bytes())
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        code, text = error.smtp_code, error.smtp_error
    else:
        pytest.fail(f"accepted from {sender} to {recipient}")
    return code, text.decode(errors="replace") if isinstance(text, bytes) else str(text)


@contextmanager
def witness(lab: Lab) -> Iterator[imaplib.IMAP4_SSL]:
    """Open the witness's mailbox in the outside world."""
    tls = ssl.create_default_context(cafile=str(lab.root_certificate()))
    there = Platform(str(lab.host("monde").address), WITNESS_SERVER, WITNESS_SERVER, tls, lambda _: {})
    client = NamedImap(there)
    try:
        client.login(WITNESS, lab.witness_password().read_text().strip())
        yield client
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()


def witness_sends(lab: Lab, message: EmailMessage, recipient: str) -> None:
    tls = ssl.create_default_context(cafile=str(lab.root_certificate()))
    there = Platform(str(lab.host("monde").address), WITNESS_SERVER, WITNESS_SERVER, tls, lambda _: {})
    with there.client(587) as client:
        client.login(WITNESS, lab.witness_password().read_text().strip())
        client.sendmail(WITNESS, [recipient], message.as_bytes())


# --- The round trip ---------------------------------------------------------------------------------------


def test_mail_from_outside_reaches_contact_with_its_verdicts(
    platform: Platform, lab: Lab, commune: Commune, agent: str
) -> None:
    message = letter(WITNESS, f"contact@{commune.domaine.nom}")
    message["Authentication-Results"] = f"{platform.mx}; dkim=pass header.d=impots.gouv.fr"
    witness_sends(lab, message, f"contact@{commune.domaine.nom}")
    with platform.imap(commune, agent) as client:
        received = find(client, "contact/Courrier", message["Subject"])
    results = received.get_all("Authentication-Results") or []
    ours = [result for result in results if str(result).startswith(platform.mx)]
    assert len(ours) == 1, results
    results = ours
    for verdict in ("spf=pass", "dkim=pass", "dmarc=pass"):
        assert verdict in str(results[0]), results[0]
    assert "impots.gouv.fr" not in str(results[0])


@pytest.mark.parametrize("local", ["mairie", "postmaster", "abuse", "contact+suivi"])
def test_every_address_of_the_commune_leads_to_contact(
    platform: Platform, lab: Lab, commune: Commune, agent: str, local: str
) -> None:
    recipient = f"{local}@{commune.domaine.nom}"
    message = letter(WITNESS, recipient)
    witness_sends(lab, message, recipient)
    with platform.imap(commune, agent) as client:
        find(client, "contact/Courrier", message["Subject"])


@pytest.mark.parametrize("port", [587, 465])
def test_an_agent_answers_as_contact_and_it_is_signed(
    platform: Platform, lab: Lab, commune: Commune, agent: str, port: int
) -> None:
    domain = commune.domaine.nom
    message = letter(f"contact@{domain}", WITNESS)
    with platform.submission(commune, agent, port=port) as client:
        client.send_message(message)
    with witness(lab) as box:
        received = find(box, "INBOX", message["Subject"])
    signatures = received.get_all("DKIM-Signature") or []
    selector = str(platform.secrets(commune.insee).get("messagerie.dkim.actif", "pm1"))
    tags = dict(re.findall(r"(?:^|;)\s*(\w+)=([^;]*)", str(signatures[0])))
    assert (tags["d"].strip(), tags["s"].strip()) == (domain, selector)
    verdicts = " ".join(str(result) for result in received.get_all("Authentication-Results") or [])
    for verdict in ("spf=pass", "dkim=pass", "dmarc=pass"):
        assert verdict in verdicts, verdicts


def test_answers_are_kept_where_colleagues_see_them(platform: Platform, commune: Commune, agent: str) -> None:
    message = letter(f"contact@{commune.domaine.nom}", WITNESS)
    with platform.imap(commune, agent) as client:
        status, _ = client.append(
            '"contact/Sent"', r"(\Seen)", imaplib.Time2Internaldate(time.time()), message.as_bytes()
        )
        assert status == "OK"
    with platform.imap(commune, PROBE_LOCAL_PART) as client:
        find(client, "contact/Sent", message["Subject"])


def test_shared_folders_are_listed_and_subscribed(platform: Platform, commune: Commune, agent: str) -> None:
    with platform.imap(commune, agent) as client:
        for command in (client.list, client.lsub):
            names = b" ".join(line for line in command()[1] if isinstance(line, bytes)).decode()
            for folder in ("INBOX", "Sent", "Junk", "contact/Courrier", "contact/Sent"):
                assert folder in names, (command.__name__, names)


def test_the_shared_box_can_be_used_but_not_given_away(platform: Platform, commune: Commune, agent: str) -> None:
    with platform.imap(commune, agent) as client:
        status, _ = client.create('"contact/Urbanisme"')
        assert status in {"OK", "NO"}  # exists from an earlier run
        assert client.delete('"contact/Urbanisme"')[0] == "NO"
        assert client.select('"contact/Urbanisme"')[0] == "OK"
        with pytest.raises(imaplib.IMAP4.error):
            client.setacl("contact/Courrier", "anyone", "lrwstipekxa")


# --- Who may send as whom ---------------------------------------------------------------------------------


def test_another_agent_of_the_same_commune_cannot_be_impersonated(
    platform: Platform, pack: Pack, commune: Commune, agent: str
) -> None:
    domain = commune.domaine.nom
    others = [other.identifiant for other in commune.agents[1:]] + [PROBE_LOCAL_PART]
    for other in others:
        with platform.submission(commune, agent) as client:
            code, _ = refusal(client, f"{other}@{domain}", WITNESS)
            assert 500 <= code < 600
        with platform.submission(commune, agent) as client:
            message = letter(f"{other}@{domain}", WITNESS)
            code, text = refusal(client, f"{agent}@{domain}", WITNESS, message)
            assert 500 <= code < 600
            assert "expediteur" in text


def test_another_commune_cannot_be_impersonated(
    platform: Platform, two_communes: tuple[Commune, Commune], agent: str
) -> None:
    mine, theirs = two_communes
    victim = f"contact@{theirs.domaine.nom}"
    with platform.submission(mine, agent) as client:
        assert refusal(client, victim, WITNESS)[0] == 553
    own = f"{agent}@{mine.domaine.nom}"
    forged = {
        "From": letter(victim, WITNESS),
        "two addresses": letter(f"{own}, {victim}", WITNESS),
        "named": letter(f'"{own}" <{victim}>', WITNESS),
    }
    sender = letter(own, WITNESS)
    sender["Sender"] = victim
    forged["Sender"] = sender
    for name, message in forged.items():
        with platform.submission(mine, agent) as client:
            code, text = refusal(client, own, WITNESS, message)
            assert 500 <= code < 600, (name, code, text)


def test_two_from_headers_are_refused(platform: Platform, commune: Commune, agent: str) -> None:
    own = f"{agent}@{commune.domaine.nom}"
    raw = b"From: ministre@interieur.example\r\n" + letter(own, WITNESS).as_bytes(policy=default.clone(linesep="\r\n"))
    with platform.submission(commune, agent) as client, pytest.raises(smtplib.SMTPDataError) as caught:
        client.sendmail(own, [WITNESS], raw)
    assert 500 <= caught.value.smtp_code < 600


def test_the_probe_account_sends_only_as_contact_and_itself(platform: Platform, commune: Commune, agent: str) -> None:
    with platform.submission(commune, PROBE_LOCAL_PART) as client:
        assert refusal(client, f"{agent}@{commune.domaine.nom}", WITNESS)[0] == 553
        assert refusal(client, f"mairie@{commune.domaine.nom}", WITNESS)[0] == 553


# --- What strangers may not do ----------------------------------------------------------------------------


def test_no_open_relay(platform: Platform, commune: Commune) -> None:
    with platform.stranger() as client:
        for sender in (WITNESS, f"contact@{commune.domaine.nom}", ""):
            client.rset()
            code, text = refusal(client, sender, "victime@tiers.example", letter(WITNESS, "victime@tiers.example"))
            assert code == 554, text
            assert "Relay access denied" in text


def test_unknown_recipient_is_refused_at_once(platform: Platform, commune: Commune) -> None:
    with platform.stranger() as client:
        client.mail(WITNESS)
        code, text = client.rcpt(f"inconnu@{commune.domaine.nom}")
    assert code == 550, text


def test_a_domain_that_does_not_exist_cannot_send(platform: Platform, commune: Commune) -> None:
    with platform.stranger() as client:
        client.mail("quelquun@nexiste-pas.example")
        code, _ = client.rcpt(f"contact@{commune.domaine.nom}")
    assert 400 <= code < 600


def test_passwords_are_never_asked_in_clear(platform: Platform) -> None:
    with platform.stranger() as client:
        assert not client.has_extn("auth")
        client.starttls(context=platform.tls)
        client.ehlo("stranger.ailleurs.example")
        assert not client.has_extn("auth"), "AUTH on port 25 even with TLS"
    plain = smtplib.SMTP(platform.address, 587, timeout=PATIENCE)
    try:
        plain.ehlo("test.invalid")
        assert not plain.has_extn("auth")
        assert plain.docmd("AUTH PLAIN AHgAeA==")[0] >= 500
        assert plain.docmd("MAIL FROM:<a@ailleurs.example>")[0] >= 500
    finally:
        plain.close()
    for port in (143, 110, 995):
        with pytest.raises(OSError, match=r"refused|timed out"):
            smtplib.SMTP(platform.address, port, timeout=3)


@pytest.mark.parametrize("port", [993, 465])
def test_old_tls_is_refused(platform: Platform, lab: Lab, port: int) -> None:
    import socket
    import warnings

    old = ssl.create_default_context(cafile=str(lab.root_certificate()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection((platform.address, port), timeout=PATIENCE) as raw, pytest.raises(ssl.SSLError):
        old.wrap_socket(raw, server_hostname=platform.name)


def test_a_forged_sender_is_not_believed(platform: Platform, commune: Commune, agent: str) -> None:
    """The witness's domain publishes ``p=reject``; a machine that is not his writes in his name."""
    with platform.stranger() as client:
        code, text = refusal(client, WITNESS, f"contact@{commune.domaine.nom}")
    assert 500 <= code < 600, text


def test_a_doubtful_message_goes_to_junk(
    platform: Platform, pack: Pack, two_communes: tuple[Commune, Commune], agent: str
) -> None:
    """Communes publish ``p=quarantine`` by default: who writes in the name of one from elsewhere ends in Junk."""
    mine, theirs = two_communes
    if pack.file.messagerie.dmarc == "none":
        pytest.skip("the pack publishes no DMARC policy")
    forged = letter(f"contact@{theirs.domaine.nom}", f"contact@{mine.domaine.nom}")
    with platform.stranger() as client:
        if pack.file.messagerie.dmarc == "reject":
            assert refusal(client, str(forged["From"]), str(forged["To"]), forged)[0] >= 500
            return
        client.send_message(forged)
    with platform.imap(mine, agent) as client:
        find(client, "contact/Junk", forged["Subject"])


def test_known_spam_is_refused(platform: Platform, commune: Commune) -> None:
    with platform.stranger() as client:
        message = letter("quelquun@mail.ailleurs.example", f"contact@{commune.domaine.nom}", body=GTUBE + "\n")
        code, text = refusal(client, "quelquun@mail.ailleurs.example", f"contact@{commune.domaine.nom}", message)
    assert 500 <= code < 600, text


def test_a_message_that_is_too_large_is_refused_before_it_is_sent(
    platform: Platform, pack: Pack, commune: Commune
) -> None:
    size = pack.file.messagerie.taille_message_mo * 1024 * 1024
    with platform.stranger() as client:
        assert int(client.esmtp_features["size"]) == size
        code, _ = client.mail(WITNESS, [f"SIZE={size + 1}"])
    assert code == 552


# --- One commune sees nothing of another ------------------------------------------------------------------


def test_credentials_open_nothing_of_another_commune(
    platform: Platform, two_communes: tuple[Commune, Commune], agent: str
) -> None:
    mine, theirs = two_communes
    password = platform.password(mine, agent)
    for login in (theirs.agents[0].identifiant,):
        with pytest.raises(imaplib.IMAP4.error), platform.imap(theirs, login, password):
            pass
    other = theirs.domaine.nom
    with platform.imap(mine, agent) as client:
        names = b" ".join(line for line in client.list('""', '"*"')[1] if isinstance(line, bytes)).decode()
        assert other not in names
        for folder in (
            f"/var/vmail/{other}/contact/Maildir",
            f"../../{other}/contact/Maildir",
            f"contact/../../../{other}/contact/Maildir",
            f"shared/contact@{other}/INBOX",
            f"contact@{other}/INBOX",
            "~/../../" + other,
        ):
            assert client.select(f'"{folder}"')[0] == "NO", folder


def test_contact_has_no_password(platform: Platform, commune: Commune, agent: str) -> None:
    # Few attempts: Dovecot makes each further failure from one address wait longer.
    for login in ("contact", "postmaster"):
        with pytest.raises(imaplib.IMAP4.error), platform.imap(commune, login, platform.password(commune, agent)):
            pass


# --- Limits; last, for they leave the boxes full or tired ---------------------------------------------------


def test_a_full_box_says_so_to_the_sender(platform: Platform, lab: Lab, commune: Commune) -> None:
    """Give the probe's own box 1 MB, fill it, and write once more: to it, and to what leads to it."""
    own = f"{PROBE_LOCAL_PART}@{commune.domaine.nom}"
    rows = f"/etc/dovecot/communes/{commune.domaine.nom}.boites"
    kept = lab.run("plateforme", ["cat", rows]).stdout
    small = re.sub(rf"(^{PROBE_LOCAL_PART}@\S*storage_size=)\d+M", r"\g<1>1M", kept, flags=re.MULTILINE)
    assert small != kept
    subject = f"Plein {uuid.uuid4().hex}"
    try:
        write(lab, rows, small)
        for number in range(2):
            with platform.submission(commune, PROBE_LOCAL_PART) as client:
                client.send_message(letter(own, own, subject=f"{subject} {number}", body=("x" * 70 + "\n") * 9_000))
            with platform.imap(commune, PROBE_LOCAL_PART) as box:
                wait_for(box, f"{subject} {number}")
        with platform.stranger() as client:
            client.mail(WITNESS)
            code, text = client.rcpt(own)
        assert code == 552, (code, text)
        assert b"pleine" in text
        with platform.submission(commune, PROBE_LOCAL_PART) as client:
            code, text = client.mail(own)[0], client.rcpt(own)
            assert text[0] == 552, text
    finally:
        write(lab, rows, kept)
        with platform.imap(commune, PROBE_LOCAL_PART) as box:
            empty(box, "INBOX")


def wait_for(client: imaplib.IMAP4, subject: str) -> None:
    """Wait until a message has arrived in INBOX, and leave it there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        client.select("INBOX")
        if client.search(None, "SUBJECT", f'"{subject}"')[1][0]:
            return
        time.sleep(0.5)
    pytest.fail(f"« {subject} » did not arrive")


def empty(client: imaplib.IMAP4, folder: str) -> None:
    """Remove every message of a folder."""
    _, count = client.select(folder)
    if count[0] not in {None, b"0"}:
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()


def write(lab: Lab, path: str, content: str) -> None:
    """Replace a file on the host, keeping its owner and mode."""
    script = f"import pathlib,sys; pathlib.Path({path!r}).write_text(sys.argv[1])"
    assert lab.run("plateforme", ["python3", "-c", script, content]).returncode == 0


def test_one_box_cannot_flood(platform: Platform, lab: Lab, pack: Pack, two_communes: tuple[Commune, Commune]) -> None:
    """An agent of the second commune writes to himself until he is told to wait; his colleagues may go on."""
    commune = two_communes[1]
    login = commune.agents[0].identifiant
    own = f"{login}@{commune.domaine.nom}"
    allowed = pack.file.messagerie.envois_par_heure
    refused: smtplib.SMTPResponseException | None = None
    sent = 0
    try:
        for _ in range(allowed // 50 + 2):
            with platform.submission(commune, login) as client:
                for _ in range(50):
                    client.send_message(letter(own, own, subject="Limite"))
                    sent += 1
    except smtplib.SMTPResponseException as error:
        refused = error
    try:
        assert refused is not None, f"{sent} messages left without a limit"
        assert 400 <= refused.smtp_code < 500
        assert b"Limite atteinte" in refused.smtp_error
        assert allowed - 1 <= sent <= allowed + 2
        probe = f"{PROBE_LOCAL_PART}@{commune.domaine.nom}"
        with platform.submission(commune, PROBE_LOCAL_PART) as client:
            client.send_message(letter(probe, probe, subject="Limite"))
    finally:
        forget = lab.run("plateforme", ["redis-cli", "-s", "/run/redis-rspamd/redis-server.sock", "FLUSHALL"])
        assert forget.returncode == 0, forget.stderr
        time.sleep(1)
        for name in (login, PROBE_LOCAL_PART):
            with platform.imap(commune, name) as box:
                for folder in ("INBOX", "Junk"):
                    empty(box, folder)
