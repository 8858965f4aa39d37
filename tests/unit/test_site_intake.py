# SPDX-License-Identifier: GPL-3.0-or-later
"""The site changed by mail."""

from __future__ import annotations

import re
from datetime import timedelta
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from site_samples import FILES, NOW, PDF, SECRETARY, TODAY, commune, mail, make_data, parse, write

from packmairie.site_mairie.content import read_content
from packmairie.site_mairie.intake import MAX_MESSAGE, SILENCE, apply_message
from packmairie.site_mairie.mail_text import html_to_text, own_words
from packmairie.site_mairie.pages import render_site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return commune(make_data(tmp_path_factory.mktemp("data")))


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "contenu", FILES)


def send(folder, site, message, login=SECRETARY, minutes=0):
    raw = message if isinstance(message, bytes) else message.as_bytes()
    return apply_message(raw, folder, site, login, NOW + timedelta(minutes=minutes))


def files(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and ".versions" not in p.parts
    }


def plain(text):
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'")


def test_news(folder, site):
    outcome = send(
        folder, site, mail("Actualité : Vœux du maire", "Venez *nombreux*.\n\nÀ 18 h.\n-- \nLe secrétariat\n")
    )
    assert outcome.changed
    text = (folder / "actualites" / "2026-11-24-voeux-du-maire.md").read_text()
    assert text == "# Vœux du maire\n\nVenez *nombreux*.\n\nÀ 18 h.\n"
    assert "https://www.riencourt-les-bapaume.fr/actualites/2026-11-24-voeux-du-maire/" in outcome.reply_text
    assert "Annuler" in outcome.reply_text
    page = render_site(site, read_content(folder), TODAY).files["actualites/2026-11-24-voeux-du-maire/index.html"]
    assert "<em>nombreux</em>" in page.decode()


def test_news_again_replaces_and_undo_brings_back(folder, site):
    send(folder, site, mail("Actualité : Vœux", "Un"))
    outcome = send(folder, site, mail("RE: Actualité : Vœux", "Deux"), minutes=1)
    assert "remplacée" in outcome.reply_text
    assert "Deux" in (folder / "actualites" / "2026-11-24-voeux.md").read_text()
    assert send(folder, site, mail("Annuler"), minutes=2).changed
    assert "Un" in (folder / "actualites" / "2026-11-24-voeux.md").read_text()
    assert send(folder, site, mail("annuler."), minutes=3).changed
    assert not (folder / "actualites" / "2026-11-24-voeux.md").exists()
    last = send(folder, site, mail("Annuler"), minutes=4)
    assert not last.changed
    assert "rien à annuler" in plain(last.reply_text)


def test_hours(folder, site):
    outcome = send(folder, site, mail("Horaires", "Lundi : 9h-12h\nMardi : fermé\n\nEnvoyé de mon iPhone"))
    assert outcome.changed
    assert (folder / "horaires.txt").read_text() == "Lundi : 9h-12h\nMardi : fermé\n"
    assert send(folder, site, mail("Horaires", "Habituels"), minutes=1).changed
    assert not (folder / "horaires.txt").exists()


def test_wrong_hours_change_nothing(folder, site):
    before = files(folder)
    outcome = send(folder, site, mail("Horaires", "Lundi : le matin"))
    assert not outcome.changed
    assert "le matin" in outcome.reply_text
    assert files(folder) == before


def test_documents(folder, site):
    outcome = send(
        folder, site, mail("Document : Délibération n° 12", pdf={"scan.pdf": PDF, "../../x.pdf": PDF + b"2"})
    )
    assert outcome.changed
    assert (folder / "documents" / "2026-11-24 Délibération n° 12 (1).pdf").read_bytes() == PDF
    assert [d.category for d in read_content(folder).documents][:2] == ["Délibérations"] * 2


def test_attachments_that_are_not_pdf(folder, site):
    outcome = send(folder, site, mail("Document : Faux", pdf={"virus.pdf": b"MZ\x90", "page.pdf": b"<html>"}))
    assert not outcome.changed
    assert "virus.pdf" in outcome.reply_text
    mixed = send(folder, site, mail("Document : Vrai", pdf={"a.pdf": PDF, "virus.pdf": b"MZ"}), minutes=1)
    assert mixed.changed
    assert "virus.pdf" in mixed.reply_text
    assert not send(folder, site, mail("Document : Rien", "bonjour")).changed


def test_delete(folder, site):
    assert send(folder, site, mail("Supprimer : fête du village")).changed
    assert not (folder / "actualites" / "2026-11-20-fete.md").exists()
    assert send(folder, site, mail("Supprimer : Délibération n° 4 – budget"), minutes=1).changed
    outcome = send(folder, site, mail("Supprimer : ../../etc/passwd"), minutes=2)
    assert not outcome.changed
    assert "Aucune actualité" in outcome.reply_text


def test_delete_asks_which_one(folder, site):
    write(folder, {"actualites/2026-10-01-fete.md": "# Fête du village\n\nx\n"})
    outcome = send(folder, site, mail("Supprimer : Fête du village"))
    assert not outcome.changed
    assert "2026-11-20-fete" in outcome.reply_text
    assert send(folder, site, mail("Supprimer : 2026-10-01-fete"), minutes=1).changed
    assert (folder / "actualites" / "2026-11-20-fete.md").exists()


@pytest.mark.parametrize(
    "subject", ["Aide", "Bonjour", "", "Actualités du mois", "Gagnez 1000 €", ":", "Re: Re:", "x" * 5000]
)
def test_anything_else_is_answered_with_help(folder, site, subject):
    before = files(folder)
    outcome = send(folder, site, mail(subject, "texte"))
    assert not outcome.changed
    assert "Supprimer : le titre" in plain(outcome.reply_text)
    assert files(folder) == before


@pytest.mark.parametrize(
    "login", [None, "", "inconnu@ailleurs.fr", "secretariat@saint-aubin-59.fr", "sonde@riencourt-les-bapaume.fr"]
)
def test_spoofed_senders_change_nothing(folder, site, login):
    """``From`` says the secretary; who authenticated is somebody else, or nobody."""
    before = files(folder)
    outcome = send(folder, site, mail("Actualité : Piraté", "x"), login=login)
    assert not outcome.changed
    assert files(folder) == before
    assert (outcome == SILENCE) == (not login)


def test_login_is_what_counts_not_from(folder, site):
    assert send(
        folder, site, mail("Actualité : Vrai", "x", sender="autre@ailleurs.fr"), login=SECRETARY.upper()
    ).changed


def test_automatic_messages_are_not_answered(folder, site):
    for header, value in (("Auto-Submitted", "auto-replied"), ("Precedence", "bulk"), ("List-Id", "<x.y>")):
        message = mail("Actualité : Absence", "x")
        message[header] = value
        assert send(folder, site, message) == SILENCE


def test_huge(folder, site):
    outcome = send(folder, site, b"Subject: Document : x\r\n\r\n" + b"x" * MAX_MESSAGE)
    assert not outcome.changed
    assert "dépasse" in outcome.reply_text
    long = send(folder, site, mail("Actualité : Roman", "mot " * 20_000))
    assert not long.changed
    assert "trop long" in long.reply_text


def test_too_many_parts_or_too_deep(folder, site):
    flat = b"MIME-Version: 1.0\r\nSubject: Actualite : x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    flat += b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 500 + b"--b--\r\n"
    assert not send(folder, site, flat).changed
    deep = b"MIME-Version: 1.0\r\nSubject: Actualite : x\r\n"
    for number in range(300):
        deep += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number)
    assert not send(folder, site, deep + b"Content-Type: text/plain\r\n\r\nx").changed


def test_html_mail(folder, site):
    message = EmailMessage()
    message["Subject"] = "Actualité : Page"
    message.set_content(
        "<html><head><style>p{}</style><title>t</title></head><body><p>Bonjour&nbsp;à <b>tous</b></p>"
        "<script>alert(1)</script><ul><li>un</li><li>deux</li></ul><div>fin</div><img src=x onerror=alert(1)>"
        "<p>Le 3 mai 2026 à 10:00, M. Exemple a écrit :</p><blockquote>ancien</blockquote></body></html>",
        subtype="html",
    )
    assert send(folder, site, message).changed
    text = (folder / "actualites" / "2026-11-24-page.md").read_text()
    assert "Bonjour à tous" in text
    assert "- un\n- deux" in text
    for word in ("alert", "<", "ancien", "a écrit"):
        assert word not in text


def test_hostile_text_is_harmless_on_the_page(folder, site):
    body = "<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![y](https://evil.example/p.png) {{ 7*7 }}\u202e"
    assert send(folder, site, mail('Actualité : <img src=x onerror=alert(1)>"', body)).changed
    rendered = render_site(site, read_content(folder), TODAY)
    name = next(n for n in rendered.files if n.startswith("actualites/2026-11-24-img"))
    tree = parse(rendered.files[name])
    assert not {"script", "img"} & {e.tag for e in tree.iter()}
    assert "https://evil" not in rendered.files[name].decode()


def test_header_injection_in_the_reply(folder, site):
    message = mail("x", "x")
    del message["Subject"]
    raw = b"Subject: =?utf-8?q?Actualit=C3=A9_=3A_x=0D=0ABcc=3A_victime=40x=2Efr?=\r\n" + message.as_bytes()
    outcome = send(folder, site, raw)
    assert "\n" not in outcome.reply_subject
    assert "\r" not in outcome.reply_subject
    assert not re.search("[\x00-\x08\x0b-\x1f]", outcome.reply_text)


def test_charsets(folder, site):
    raw = "Subject: Actualité : Été\r\nContent-Type: text/plain; charset=inconnu\r\n\r\nÉté".encode()
    assert send(folder, site, raw).changed
    latin = mail("Actualité : Latin")
    latin.set_content("Été à œuvre", charset="iso-8859-15")
    assert send(folder, site, latin, minutes=1).changed
    assert "Été à œuvre" in (folder / "actualites" / "2026-11-24-latin.md").read_text()


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Bonjour\n-- \nSignature", "Bonjour"),
        ("Bonjour\n\n> cité\n\nsuite", "Bonjour\n\nsuite"),
        ("Oui\n\nLe lun. 3 mai 2026 à 10:00, X <x@y.fr> a écrit :\n> ancien", "Oui"),
        ("Oui\n\nDe : X\nEnvoyé : lundi\nObjet : y", "Oui"),
        ("Oui\n________________________________\nDe : X", "Oui"),
        ("Oui\n-----Message d'origine-----\nx", "Oui"),
        ("De : midi à quatorze heures\n\nla mairie est fermée", "De : midi à quatorze heures\n\nla mairie est fermée"),
        ("- un\n- deux", "- un\n- deux"),
    ],
)
def test_own_words(text, own):
    assert own_words(text) == own


def test_html_to_text_never_keeps_tags():
    assert html_to_text("<p>a<p>b<br>c") == "a\n\nb\nc"
    assert html_to_text("<scr<script>ipt>alert(1)</script>x") in ("ipt>alert(1)x", "x", "")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=600))
def test_any_bytes(tmp_path, site, raw):
    outcome = apply_message(raw, tmp_path / "c", site, SECRETARY, NOW)
    assert "\n" not in outcome.reply_subject


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    subject=st.sampled_from(["Actualité : {}", "Horaires", "Document : {}", "Supprimer : {}", "{}"]),
    word=st.text(max_size=40),
    body=st.text(max_size=200),
)
def test_any_words(tmp_path, site, subject, word, body):
    raw = f"Subject: {subject.format(word)}\nContent-Type: text/plain; charset=utf-8\n\n{body}".encode(
        "utf-8", "replace"
    )
    apply_message(raw, tmp_path / "c", site, SECRETARY, NOW)
    for path in (tmp_path / "c").rglob("*"):
        assert path.is_relative_to(tmp_path / "c")
    rendered = render_site(site, read_content(tmp_path / "c"), TODAY)
    for name in [*rendered.files, *rendered.documents]:
        assert re.fullmatch(r"[a-z0-9][a-z0-9./-]*", name)
