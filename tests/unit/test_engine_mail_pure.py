# SPDX-License-Identifier: GPL-3.0-or-later
"""Round trips without a server: messages, folders, verdicts, and what each way of failing means."""

from __future__ import annotations

import email
import imaplib
import smtplib
import socket
import threading
from email.message import Message

import pytest

from packmairie.engines import mail
from packmairie.engines.mail import (
    Account,
    MailProver,
    StepError,
    authentication_of,
    compose,
    folder_name,
    readable,
    shared_folders,
    timed,
)
from packmairie.model.probe import Found, MailRoundTrip, Unanswered

PROBE = MailRoundTrip("62708", "contact@essai.fr", "sonde@essai.fr", "messagerie.boites.sonde")
WITNESS = Account("t@ailleurs.example", "x", "mail.ailleurs.example", "mail.ailleurs.example")


class TestMessage:
    def test_is_understood_by_whoever_finds_it(self):
        message = compose("t@ailleurs.example", "contact@essai.fr", "abc123")
        assert message["To"] == "contact@essai.fr"
        assert message["Message-ID"] == "<abc123.a@ailleurs.example>"
        assert message["Auto-Submitted"] == "auto-generated"
        assert "abc123" in message["Subject"]
        assert "effacé automatiquement" in message.get_content()

    def test_the_answer_is_another_message(self):
        one, two = (compose("a@b.fr", "c@d.fr", "t", answer=answer) for answer in (False, True))
        assert one["Message-ID"] != two["Message-ID"]
        assert two["Subject"].startswith("Re: ")

    def test_travels_as_bytes(self):
        raw = compose("a@b.fr", "c@d.fr", "jeton").as_bytes()
        assert email.message_from_bytes(raw)["Message-ID"] == "<jeton.a@b.fr>"
        assert b"\n" not in raw.replace(b"\r\n", b"")


class Box:
    """A mailbox that lists these folders."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)

    def list(self):
        return "OK", self.lines


class TestFolders:
    @pytest.mark.parametrize(
        ("line", "name"),
        [
            (b'(\\HasNoChildren) "/" INBOX', "INBOX"),
            (b'(\\HasNoChildren) "/" "contact/Courrier"', "contact/Courrier"),
            (b'() "." "Mes envois"', "Mes envois"),
            (b"(\\HasNoChildren) NIL INBOX", "INBOX"),
            (b'(\\Noselect \\HasChildren) "/" contact', ""),
            (b'(\\NonExistent) "/" contact', ""),
            (b"n'importe quoi", ""),
            (None, ""),
        ],
    )
    def test_name(self, line, name):
        assert folder_name(line) == name

    def test_those_of_the_shared_box(self):
        box = Box(b'() "/" INBOX', b'(\\Noselect) "/" contact', b'() "/" contact/Courrier', b'() "/" contact/Junk')
        assert shared_folders(box) == ["contact/Courrier", "contact/Junk"]

    def test_or_the_inbox(self):
        assert shared_folders(Box(b'() "/" INBOX', b'() "/" Sent')) == ["INBOX"]
        assert shared_folders(Box()) == ["INBOX"]


def message(*headers: str) -> Message:
    result = Message()
    for header in headers:
        result["Authentication-Results"] = header
    return result


class TestAuthentication:
    OURS = "mail.x.example; spf=pass smtp.mailfrom=a@b.fr; dkim=pass header.d=b.fr; dmarc=pass (p=quarantine)"

    def test_of_the_witness_s_server(self):
        assert authentication_of(message(self.OURS), "mail.x.example") == dict.fromkeys(
            ("spf", "dkim", "dmarc"), "pass"
        )

    def test_what_a_message_says_of_itself_is_not_believed(self):
        forged = "ailleurs.example; spf=pass; dkim=pass; dmarc=pass"
        ours = "mail.x.example; spf=fail; dkim=none; dmarc=fail"
        assert authentication_of(message(forged, ours), "mail.x.example")["spf"] == "fail"

    def test_the_topmost_of_its_own_counts(self):
        older = "mail.x.example; spf=pass; dkim=pass; dmarc=pass"
        newer = "mail.x.example; spf=fail; dkim=fail; dmarc=fail"
        assert authentication_of(message(newer, older), "mail.x.example")["dkim"] == "fail"

    def test_folded_headers_and_capitals(self):
        shown = authentication_of(
            message("mail.x.example 1;\n\tspf=PASS;\n  dkim=pass\n ; dmarc=Pass"), "mail.x.example"
        )
        assert set(shown.values()) == {"pass"}

    def test_none(self):
        assert authentication_of(message(), "mail.x.example") == {}
        assert authentication_of(message("mail.x.example; none"), "mail.x.example") == {}


class TestWords:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (smtplib.SMTPRecipientsRefused({"a@b.fr": (550, b"inconnu")}), "550 inconnu"),
            (smtplib.SMTPAuthenticationError(535, b"mauvais mot de passe"), "535 mauvais mot de passe"),
            (smtplib.SMTPResponseException(421, "plus tard"), "421 plus tard"),
            (imaplib.IMAP4.error(b"[AUTHENTICATIONFAILED] non"), "[AUTHENTICATIONFAILED] non"),
            (OSError(113, "No route to host"), "113 No route to host"),
        ],
    )
    def test_readable(self, error, text):
        assert readable(error) == text

    def test_a_step_that_fails_has_no_duration(self):
        steps: dict[str, float] = {}
        with pytest.raises(OSError, match="x"), timed(steps, "envoi"):
            raise OSError("x")
        with timed(steps, "retour"):
            pass
        assert list(steps) == ["retour"]


class Silent:
    """A server that accepts a connection and never says a word; ``close`` hangs up at once instead."""

    def __init__(self, *, close: bool = False) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.kept: list[socket.socket] = []
        self.hang_up = close
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()
        self.context = None

    def _accept(self) -> None:
        try:
            while True:
                taken, _ = self.listener.accept()
                if self.hang_up:
                    taken.close()
                else:
                    self.kept.append(taken)
        except OSError:
            return

    def connect(self, _host: str, _port: int) -> socket.socket:
        made = socket.create_connection(self.listener.getsockname(), timeout=0.3)
        made.settimeout(0.3)
        return made

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in self.kept:
            each.close()
        self.thread.join(5)


@pytest.fixture(params=[False, True], ids=["silent", "hangs-up"])
def server(request):
    made = Silent(close=request.param)
    yield made
    made.stop()


class Lost:
    """A network on which a name has no address, or a host no route."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def connect(self, _host: str, _port: int) -> socket.socket:
        raise self.error


class TestSubmission:
    def failure(self, transport) -> StepError:
        with pytest.raises(StepError) as caught:
            MailProver(transport, WITNESS, "mail.pack.example")._submit(
                "réponse", WITNESS, compose("a@b.fr", "c@d.fr", "t")
            )
        return caught.value

    def test_a_server_that_says_nothing_has_not_said_no(self, server, monkeypatch):
        monkeypatch.setattr(mail, "SOCKET_SECONDS", 0.3)
        assert self.failure(server).timed_out is not server.hang_up

    def test_a_name_that_nobody_answers_for_neither(self):
        assert self.failure(Lost(LookupError("pas d'adresse"))).timed_out
        assert self.failure(Lost(TimeoutError("timed out"))).timed_out

    def test_a_refusal_has(self):
        assert not self.failure(Lost(ConnectionRefusedError(111, "refusée"))).timed_out


class TestRoundTrip:
    def prover(self, monkeypatch, failure: StepError | None, verdicts: dict[str, str] | None = None) -> MailProver:
        prover = MailProver(None, WITNESS, "mail.pack.example")  # type: ignore[arg-type]

        def journey(*_arguments):
            if failure:
                raise failure
            return verdicts

        monkeypatch.setattr(prover, "_journey", journey)
        return prover

    def test_needs_a_witness_and_a_password(self):
        assert isinstance(MailProver(None, None, "x").round_trip(PROBE, "p"), Unanswered)  # type: ignore[arg-type]
        for missing in (None, ""):
            assert isinstance(MailProver(None, WITNESS, "x").round_trip(PROBE, missing), Unanswered)  # type: ignore[arg-type]

    def test_a_failed_step_is_a_result(self, monkeypatch):
        answer = self.prover(monkeypatch, StepError("connexion", "refusée")).round_trip(PROBE, "p")
        assert isinstance(answer, Found)
        assert (answer.value.failed, answer.value.reason) == ("connexion", "refusée")

    @pytest.mark.parametrize("failure", [StepError("retour", "x", timed_out=True), StepError("envoi", "535 refusé")])
    def test_silence_and_the_witness_s_own_faults_are_none(self, monkeypatch, failure):
        assert isinstance(self.prover(monkeypatch, failure).round_trip(PROBE, "p"), Unanswered)

    def test_the_password_is_in_no_answer(self, monkeypatch):
        for failure in (StepError("connexion", "refusée"), StepError("retour", "x", timed_out=True)):
            assert "canari" not in repr(self.prover(monkeypatch, failure).round_trip(PROBE, "canari"))

    def test_success(self, monkeypatch):
        answer = self.prover(monkeypatch, None, {"spf": "pass"}).round_trip(PROBE, "p")
        assert answer == Found(answer.value)
        assert answer.value.authentication == {"spf": "pass"}
