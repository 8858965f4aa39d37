# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove mail by sending some: from the outside to the commune, and back, over the protocols that people use.

The witness is an ordinary mailbox elsewhere (submission on 587, IMAPS on 993); the commune's end is
the technical account that reads contact@ as an agent does. What was sent is removed at both ends.
"""

from __future__ import annotations

import email
import email.message
import email.policy
import email.utils
import imaplib
import re
import secrets
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

from packmairie.engines.transport import Transport
from packmairie.model.probe import Answer, Found, MailRoundTrip, RoundTrip, Unanswered

STEP_SECONDS = 30.0
"""How long a message may take to travel before it is said not to have arrived yet."""
POLL_SECONDS = 0.3
SOCKET_SECONDS = 15.0
SUBJECT = "Vérification packmairie"
NAMESPACE_OF_CONTACT = "contact"


@dataclass(frozen=True)
class Account:
    """A mailbox and the two servers by which it is used."""

    address: str
    password: str
    imap: str
    submission: str


class StepError(Exception):
    """A step of the journey failed; ``timed_out`` when nobody said no."""

    def __init__(self, step: str, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.step, self.reason, self.timed_out = step, reason, timed_out


class MailProver:
    """Runs round trips between the witness and the communes' technical accounts."""

    def __init__(self, transport: Transport, witness: Account | None, client_host: str) -> None:
        self.transport = transport
        self.witness = witness
        self.client_host = client_host

    def round_trip(self, probe: MailRoundTrip, password: str | None) -> Answer:
        """Given a probe and the technical account's password, send, find, answer, read the verdicts, clean up."""
        if self.witness is None:
            return Unanswered("aucune boîte témoin n'est configurée")
        if not password:
            return Unanswered("le mot de passe de la sonde n'est pas dans le coffre")
        probe_account = Account(probe.login, password, self.client_host, self.client_host)
        token = secrets.token_hex(8)
        steps: dict[str, float] = {}
        try:
            verdicts = self._journey(self.witness, probe_account, probe.address, token, steps)
        except StepError as failure:
            if failure.timed_out or failure.step == "envoi":
                return Unanswered(f"étape « {failure.step} » : {failure.reason}")
            return Found(RoundTrip(steps, failure.step, failure.reason))
        return Found(RoundTrip(steps, authentication=verdicts))

    def _journey(
        self, witness: Account, probe: Account, contact: str, token: str, steps: dict[str, float]
    ) -> dict[str, str]:
        with timed(steps, "envoi"):
            self._submit("envoi", witness, compose(witness.address, contact, token))
        with self._mailbox("connexion", probe, steps) as box:
            try:
                with timed(steps, "réception"):
                    folder = self._wait("réception", box, shared_folders, token)
                with timed(steps, "réponse"):
                    self._submit("réponse", probe, compose(contact, witness.address, token, answer=True))
            finally:
                remove(box, shared_folders(box), token)
        with self._mailbox("retour", witness, steps) as box:
            try:
                with timed(steps, "retour"):
                    folder = self._wait("retour", box, lambda _box: ["INBOX"], token)
                return authentication_of(message_in(box, folder, token), witness.imap)
            finally:
                remove(box, ["INBOX"], token)

    def _submit(self, step: str, account: Account, message: EmailMessage) -> None:
        """Send through submission with STARTTLS (RFC 6409, RFC 3207), the server's name verified."""
        client = smtplib.SMTP(timeout=SOCKET_SECONDS, local_hostname="verification.invalid")
        try:
            client.sock = self.transport.connect(account.submission, 587)
            client._host = account.submission  # type: ignore[attr-defined]  # the name that starttls() verifies
            client.file = None
            code, reply = client.getreply()
            if code != 220:
                raise StepError(step, f"{account.submission} répond {code} {reply.decode(errors='replace')}")
            client.starttls(context=self.transport.context)
            client.login(account.address, account.password)
            client.send_message(message)
        except smtplib.SMTPException as error:
            # smtplib tells a silence of the server as a disconnection.
            silent = isinstance(error.__context__, TimeoutError)
            raise StepError(step, readable(error), timed_out=silent) from error
        except (TimeoutError, LookupError) as error:
            reason = f"{account.submission}:587 ne répond pas ({error})"
            raise StepError(step, reason, timed_out=True) from error
        except OSError as error:
            raise StepError(step, f"{account.submission}:587 : {error}") from error
        finally:
            client.close()

    @contextmanager
    def _mailbox(self, step: str, account: Account, steps: dict[str, float]) -> Iterator[imaplib.IMAP4]:
        """Open IMAPS (RFC 8314), the server's name verified."""
        try:
            with timed(steps, step):
                box = ResolvedImap(self.transport, account.imap)
                box.login(account.address, account.password)
        except imaplib.IMAP4.error as error:
            raise StepError(step, f"connexion IMAP de {account.address} refusée : {readable(error)}") from error
        except ConnectionRefusedError as error:
            raise StepError(step, f"{account.imap}:993 refuse la connexion") from error
        except ssl.SSLError as error:
            raise StepError(step, f"{account.imap}:993 : certificat refusé ({error})") from error
        except (OSError, LookupError) as error:
            raise StepError(step, f"{account.imap}:993 ne répond pas ({error})", timed_out=True) from error
        try:
            yield box
        finally:
            try:
                box.logout()
            except (imaplib.IMAP4.error, OSError):
                box.shutdown()

    def _wait(self, step: str, box: imaplib.IMAP4, folders: Callable[[imaplib.IMAP4], list[str]], token: str) -> str:
        """Poll until the message with this token is in one of the folders; return that folder."""
        deadline = time.monotonic() + STEP_SECONDS
        while time.monotonic() < deadline:
            for folder in folders(box):
                if found_in(box, folder, token):
                    return folder
            time.sleep(POLL_SECONDS)
        raise StepError(step, f"pas encore arrivé après {STEP_SECONDS:.0f} s, et aucun rejet reçu", timed_out=True)


class ResolvedImap(imaplib.IMAP4_SSL):
    """IMAPS to a name that the pack's resolvers know, verified under that name."""

    def __init__(self, transport: Transport, host: str) -> None:
        self._transport = transport
        super().__init__(host, 993, ssl_context=transport.context, timeout=SOCKET_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = self._transport.connect(self.host, self.port)
        plain.settimeout(timeout)
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)  # type: ignore[no-any-return]


@contextmanager
def timed(steps: dict[str, float], name: str) -> Iterator[None]:
    """Note how long a step took, when it went well."""
    started = time.monotonic()
    yield
    steps[name] = steps.get(name, 0.0) + time.monotonic() - started


def compose(sender: str, recipient: str, token: str, *, answer: bool = False) -> EmailMessage:
    """Return a message that a person who finds it understands, and that the probe recognises by its token."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"] = sender, recipient
    message["Subject"] = f"{'Re: ' if answer else ''}{SUBJECT} {token}"
    message["Message-ID"] = f"<{token}.{'r' if answer else 'a'}@{sender.rsplit('@', 1)[1]}>"
    message["Date"] = email.utils.localtime()
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        "Ce message vérifie que la messagerie de la commune fonctionne.\n"
        "Il est effacé automatiquement ; il peut être supprimé sans risque.\n"
    )
    return message


def shared_folders(box: imaplib.IMAP4) -> list[str]:
    """Return the folders in which a message to contact@ may be: those of the shared box, or the inbox itself."""
    _status, lines = box.list()
    names = [name for name in (folder_name(line) for line in lines or []) if name]
    shared = [name for name in names if name.lower().startswith(NAMESPACE_OF_CONTACT)]
    return shared or ["INBOX"]


def folder_name(line: object) -> str:
    """Given a line of LIST, return the folder's name; ``""`` for a container that cannot be opened."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else str(line)
    match = re.match(r'\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) (?P<name>.+)$', text)
    if not match or "\\noselect" in match["flags"].lower() or "\\nonexistent" in match["flags"].lower():
        return ""
    return match["name"].strip('"')


def found_in(box: imaplib.IMAP4, folder: str, token: str) -> list[bytes]:
    """Select a folder and return the numbers of its messages that carry the token in their subject."""
    status, _data = box.select(f'"{folder}"')
    if status != "OK":
        return []
    _status, data = box.search(None, "SUBJECT", f'"{token}"')
    return data[0].split() if data and data[0] else []


def message_in(box: imaplib.IMAP4, folder: str, token: str) -> email.message.Message:
    """Return the headers of the message with this token."""
    numbers = found_in(box, folder, token)
    _status, data = box.fetch(numbers[0].decode(), "(BODY.PEEK[HEADER])")
    raw = next(part[1] for part in data if isinstance(part, tuple))
    return email.message_from_bytes(raw)


def remove(box: imaplib.IMAP4, folders: list[str], token: str) -> None:
    """Delete what carries the token; a failure here is not the commune's, and the message says what it is."""
    try:
        for folder in folders:
            numbers = found_in(box, folder, token)
            if numbers:
                box.store(b",".join(numbers).decode(), "+FLAGS", r"(\Deleted)")
                box.expunge()
    except (imaplib.IMAP4.error, OSError):
        return


def authentication_of(message: email.message.Message, trusted_host: str) -> dict[str, str]:
    """Return the verdicts of the witness's own server (RFC 8601): the topmost header under its name, or of all."""
    headers = [" ".join(str(value).split()) for value in message.get_all("Authentication-Results", [])]
    own = [header for header in headers if header.split(";", 1)[0].strip().split(" ")[0] == trusted_host]
    chosen = (own or headers or [""])[0]
    return {
        method: word.lower()
        for method, word in re.findall(r"\b(spf|dkim|dmarc)=(\w+)", chosen)
        if method in {"spf", "dkim", "dmarc"}
    }


def readable(error: Exception) -> str:
    """Return an exception's words as one line of text."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    words = (part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in error.args)
    return " ".join(words)
