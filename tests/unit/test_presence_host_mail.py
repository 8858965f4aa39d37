# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of agents on the web host: put aside, followed, answered."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from presence_host_samples import AGENT, NOW, RIENCOURT, SITE, Post, host_places, message

from packmairie.site_hote.deposit import EX_NOPERM, EX_OK, EX_TEMPFAIL, deposit
from packmairie.site_hote.mailroom import follow_mail
from packmairie.site_hote.places import Places


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return host_places(tmp_path, monkeypatch)


class TestMail:
    def put(self, places: Places, raw: bytes, login: str = AGENT, recipient: str = SITE) -> int:
        return deposit(places.incoming, recipient, login, io.BytesIO(raw))

    def test_an_agent_publishes_and_is_answered(self, places: Places):
        assert self.put(places, message("Actualité : Marché")) == EX_OK
        post = Post()
        assert follow_mail(places, NOW, post) == (1, 0)
        ((to, answer),) = post.sent
        assert to == AGENT
        assert answer["From"] == SITE
        assert answer["Auto-Submitted"] == "auto-replied"
        assert "Marché" in answer["Subject"]
        assert list((places.contents / RIENCOURT / "actualites").iterdir())
        assert not list(places.incoming.iterdir()) + list(places.following.iterdir())

    def test_orders_are_followed_as_they_came(self, places: Places):
        for subject in ("Actualité : Un", "Annuler", "Actualité : Deux"):
            self.put(places, message(subject))
        follow_mail(places, NOW, Post())
        (kept,) = (places.contents / RIENCOURT / "actualites").iterdir()
        assert "deux" in kept.name

    def test_nobody_is_not_an_agent(self, places: Places, capsys):
        assert self.put(places, message("Actualité : Faux"), login="") == EX_NOPERM
        assert "5.7.1" in capsys.readouterr().out
        assert not list(places.incoming.iterdir())

    @pytest.mark.parametrize("login", ["secretariat@oeuf-en-ternois.fr", "sonde@riencourt-les-bapaume.fr"])
    def test_another_account_changes_nothing_whatever_it_writes(self, places: Places, login: str):
        self.put(places, message("Actualité : Faux", sender=AGENT), login=login)
        post = Post()
        follow_mail(places, NOW, post)
        assert [to for to, _answer in post.sent] == [login]
        assert not (places.contents / RIENCOURT / "actualites").exists()

    def test_an_address_of_no_commune_is_silent(self, places: Places):
        self.put(places, message("Actualité : Rien"), recipient="site@ailleurs.fr")
        post = Post()
        assert follow_mail(places, NOW, post) == (1, 0)
        assert post.sent == []

    def test_an_interrupted_message_is_told_and_not_followed_twice(self, places: Places):
        self.put(places, message("Actualité : Marché"))
        (waiting,) = places.incoming.iterdir()
        waiting.rename(places.following / waiting.name)
        post = Post()
        assert follow_mail(places, NOW, post) == (0, 0)
        assert "n'a pas pu être suivi" in post.sent[0][1]["Subject"]
        assert not (places.contents / RIENCOURT / "actualites").exists()

    @pytest.mark.parametrize(
        "raw", [b"", b"\n", b"\xff\xfe\n\n", b"Subject: Aide\r\nContent-Type: multipart/x\r\n\r\n"]
    )
    def test_strange_messages_do_not_stop_the_queue(self, places: Places, raw: bytes):
        self.put(places, raw)
        self.put(places, message("Aide"))
        assert follow_mail(places, NOW, Post())[0] == 2

    @pytest.mark.parametrize("raw", [b"", b"pas du json\nx", b'{"login": 1}\nx', b"[]\n"])
    def test_a_deposit_that_is_not_ours_is_taken_away(self, places: Places, raw: bytes):
        (places.incoming / "x").write_bytes(raw)
        assert follow_mail(places, NOW, Post()) == (0, 0)
        assert not list(places.incoming.iterdir())

    def test_a_reply_that_cannot_leave_is_counted(self, places: Places):
        self.put(places, message("Actualité : Marché"))
        assert follow_mail(places, NOW, Post(OSError("refusé"))) == (1, 1)
        assert (places.contents / RIENCOURT / "actualites").exists()

    def test_headers_cannot_redirect_the_reply(self, places: Places):
        raw = b"Reply-To: x@y.fr\nBcc: x@y.fr\nErrors-To: x@y.fr\n" + message("Actualité : Marché")
        self.put(places, raw)
        post = Post()
        follow_mail(places, NOW, post)
        ((to, answer),) = post.sent
        assert to == AGENT == answer["To"]
        assert answer["Bcc"] is None

    def test_a_full_queue_asks_to_come_back(self, places: Places, monkeypatch):
        monkeypatch.setattr("packmairie.site_hote.deposit.MAX_WAITING", 1)
        assert self.put(places, b"x") == EX_OK
        assert self.put(places, b"x") == EX_TEMPFAIL

    def test_a_message_too_big_is_refused(self, places: Places, monkeypatch):
        monkeypatch.setattr("packmairie.site_hote.deposit.MAX_OCTETS", 10)
        assert self.put(places, b"x" * 11) == EX_NOPERM

    def test_a_deposit_is_private_and_whole(self, places: Places):
        self.put(places, b"x")
        (kept,) = places.incoming.iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
        assert not [name for name in places.mail.iterdir() if name.name.startswith(".")]
