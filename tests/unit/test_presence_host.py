# SPDX-License-Identifier: GPL-3.0-or-later
"""What the web host runs: building what changed, putting messages aside, following them, ordering certificates."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from core_samples import commune, pack

from packmairie.briques.presence_site import site_data
from packmairie.site_hote import certificates
from packmairie.site_hote.builder import build_changed
from packmairie.site_hote.deposit import EX_NOPERM, EX_OK, EX_TEMPFAIL, deposit
from packmairie.site_hote.mailroom import follow_mail
from packmairie.site_hote.places import Places

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
RIENCOURT, OEUF = "62708", "62633"
HOST = "www.riencourt-les-bapaume.fr"
AGENT = "secretariat@riencourt-les-bapaume.fr"
SITE = "site@riencourt-les-bapaume.fr"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(
        **{name: tmp_path / name for name in ("data", "contents", "mail", "state", "sites")}, code=Places().code
    )
    for folder in (found.data, found.contents, found.incoming, found.following, found.state, found.sites):
        folder.mkdir(parents=True)
    for insee in (RIENCOURT, OEUF):
        lay(found, insee)
    return found


def lay(places: Places, insee: str, **changes) -> None:
    town = commune(insee)
    data = site_data(town, pack(town)) | changes
    (places.data / f"{insee}.json").write_text(json.dumps(data), encoding="utf-8")


class TestBuilding:
    def test_only_what_changed_is_built(self, places: Places):
        assert build_changed(places, TODAY).built == [OEUF, RIENCOURT]
        assert (places.sites / HOST / "index.html").is_file()
        again = build_changed(places, TODAY)
        assert (again.built, again.unchanged) == ([], 2)
        lay(places, RIENCOURT, population=34)
        assert build_changed(places, TODAY).built == [RIENCOURT]

    def test_a_file_of_the_secretary_is_a_change(self, places: Places):
        build_changed(places, TODAY)
        news = places.contents / RIENCOURT / "actualites"
        news.mkdir(parents=True)
        (news / "2026-11-20-marche.md").write_text("# Marché\n\nDimanche.\n", encoding="utf-8")
        assert build_changed(places, TODAY).built == [RIENCOURT]
        assert "Marché" in (places.sites / HOST / "index.html").read_text(encoding="utf-8")

    def test_a_new_day_is_a_change(self, places: Places):
        build_changed(places, TODAY)
        assert build_changed(places, TODAY + timedelta(days=1)).built == [OEUF, RIENCOURT]

    def test_a_site_that_vanished_is_built_again(self, places: Places):
        build_changed(places, TODAY)
        (places.sites / HOST).rename(places.sites / ".ailleurs")
        assert RIENCOURT in build_changed(places, TODAY).built
        assert (places.sites / HOST).is_dir()
        assert not (places.sites / ".ailleurs").exists()

    def test_a_commune_that_left_has_no_site_and_keeps_its_content(self, places: Places):
        build_changed(places, TODAY)
        (places.data / f"{RIENCOURT}.json").unlink()
        assert build_changed(places, TODAY).removed == [HOST]
        assert not (places.sites / HOST).exists()
        assert (places.contents / RIENCOURT).is_dir()

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 99}', "\x00"])
    def test_bad_data_leaves_every_site_as_it_was(self, places: Places, text: str):
        build_changed(places, TODAY)
        (places.data / f"{RIENCOURT}.json").write_text(text, encoding="utf-8")
        lay(places, OEUF, population=1)
        report = build_changed(places, TODAY)
        assert (report.failed, report.built, report.removed) == ([RIENCOURT], [OEUF], [])
        assert (places.sites / HOST).is_dir()

    def test_a_commune_cannot_take_another_s_host(self, places: Places):
        lay(places, RIENCOURT, hote="www.oeuf-en-ternois.fr")
        assert build_changed(places, TODAY).failed == [RIENCOURT]

    def test_data_under_another_s_code_is_refused(self, places: Places):
        (places.data / f"{OEUF}.json").rename(places.data / "59001.json")
        assert build_changed(places, TODAY).failed == ["59001"]

    def test_links_in_the_content_are_not_followed(self, places: Places, tmp_path: Path):
        secret = tmp_path / "secret.md"
        secret.write_text("# Secret\n\nne pas lire\n", encoding="utf-8")
        news = places.contents / RIENCOURT / "actualites"
        news.mkdir(parents=True)
        (news / "2026-11-20-lien.md").symlink_to(secret)
        report = build_changed(places, TODAY)
        assert RIENCOURT in report.built
        assert any("lien" in problem for problem in report.problems)
        published = "".join(page.read_text(encoding="utf-8") for page in (places.sites / HOST).rglob("*.html"))
        assert "ne pas lire" not in published


def message(subject: str, text: str = "texte", sender: str = AGENT) -> bytes:
    built = EmailMessage()
    built["From"], built["To"], built["Subject"] = sender, SITE, subject
    built.set_content(text)
    return built.as_bytes()


class Post:
    """Collects the answers."""

    def __init__(self, error: OSError | None = None) -> None:
        self.sent: list[tuple[str, EmailMessage]] = []
        self.error = error

    def __call__(self, answer: EmailMessage, to: str) -> None:
        if self.error:
            raise self.error
        self.sent.append((to, answer))


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


class TestCertificates:
    def run(self, places: Places, tmp_path: Path, monkeypatch, answers: dict[str, str], silent: tuple[str, ...] = ()):
        hosts = tmp_path / "hosts"
        for name in ("a.fr", "b.fr", "c.fr", ".cache"):
            (hosts / name).mkdir(parents=True, exist_ok=True)
        asked: list[str] = []

        def resolve(name: str, *_args, **_options):
            if name not in answers:
                raise OSError("inconnu")
            return [(0, 0, 0, "", (answers[name], 443))]

        def served(name: str, _deadline: float) -> bool:
            asked.append(name)
            return name not in silent

        monkeypatch.setattr(certificates.socket, "getaddrinfo", resolve)
        monkeypatch.setattr(certificates, "_served", served)
        found = certificates.warm_up(places, hosts, frozenset({"192.0.2.10"}))
        return found, asked

    def test_only_names_that_lead_here_are_ordered_and_once(self, places: Places, tmp_path: Path, monkeypatch):
        answers = {"a.fr": "192.0.2.10", "b.fr": "198.51.100.1"}
        assert self.run(places, tmp_path, monkeypatch, answers) == ((["a.fr"], []), ["a.fr"])
        assert self.run(places, tmp_path, monkeypatch, answers) == (([], []), [])

    def test_a_name_that_stays_silent_is_asked_again(self, places: Places, tmp_path: Path, monkeypatch):
        answers = {"a.fr": "192.0.2.10"}
        assert self.run(places, tmp_path, monkeypatch, answers, ("a.fr",))[0] == ([], ["a.fr"])
        assert self.run(places, tmp_path, monkeypatch, answers)[0] == (["a.fr"], [])
