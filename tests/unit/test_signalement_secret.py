# SPDX-License-Identifier: GPL-3.0-or-later
"""Canary values are deposited, then searched in every byte that the service leaves: database, journal, temporary
files, logs, mails, error pages. And what a thief of the database can open: nothing."""

import logging
import tempfile

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from signalement_samples import PASSWORD, facts, receipt, world

from packmairie.portail.projet.journaux import Discretion, SoberFormatter
from packmairie.portail.signalement.depot import vues
from packmairie.portail.signalement.models import Membre, PartCle, Scelle, Signalement
from packmairie.portail.signalement.scellement import enveloppe
from packmairie.portail.signalement.scellement.enveloppe import Unreadable

pytestmark = pytest.mark.django_db
BIG = b"%PDF-1.7 CANARI-PIECE" + b"CANARI-PIECE" * 400_000
CANARIES = [b"CANARI", b"canari-avis"]


def dump():
    """Return every byte of the database, as a thief would copy it."""
    return connections["default"].connection.serialize()


def deposit(client, **changes):
    answer = client.post("/signaler/faits/", facts(**changes))
    assert answer.status_code == 200
    return receipt(answer.content.decode())


def variants(canary):
    yield canary
    yield canary.decode().encode("utf-16-le")
    yield canary.hex().encode()


def test_nothing_in_clear_in_the_database(client):
    here = world()
    number, code = deposit(client, pieces=[SimpleUploadedFile("CANARI-NOM-DE-FICHIER.pdf", BIG)])
    client.post("/suivi/ecrire/", {"quoi": "message", "texte": "CANARI-MESSAGE"})
    whole = dump()
    assert number.replace("-", "").encode() in whole, "the search sees what is in clear"
    secrets = [code.encode(), code.replace("-", "").encode(), PASSWORD.encode(), here.member.totp.encode()]
    secrets += [here.rescue.encode(), here.member.recovery.encode(), here.member.private, b"62708-", b"harcelement"]
    secrets += [client.cookies["suivi"].value.encode()]
    for canary in CANARIES + secrets:
        if canary in (here.member.private,):
            assert canary not in whole
            continue
        for variant in variants(canary):
            assert variant not in whole, canary
    assert not Signalement._meta.get_field("id").null
    assert "insee" not in {f.name for f in Signalement._meta.get_fields()}, "no commune beside a report"


def test_uploads_reach_the_disk_sealed(client, monkeypatch, tmp_path):
    """Every write to a temporary file is watched; a 5 MB file goes there, sealed."""
    world()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    written = []
    real = tempfile.SpooledTemporaryFile.rollover

    def rollover(self):
        real(self)
        written.append(self._file)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    kept = []
    real_store = vues.deposit

    def store(received, now):
        for file in written:
            position = file.tell()
            file.seek(0)
            kept.append(file.read())
            file.seek(position)
        return real_store(received, now)

    monkeypatch.setattr(vues, "deposit", store)
    deposit(client, pieces=[SimpleUploadedFile("a.pdf", BIG)])
    assert kept, "the file was large enough to leave memory"
    assert len(kept[0]) > len(BIG)
    assert b"CANARI" not in kept[0]
    assert list(tmp_path.iterdir()) == []


def test_a_failure_shows_and_logs_nothing(monkeypatch, caplog, capsys):
    world()
    client = Client(raise_request_exception=False)

    def broken(received, now):
        raise ValueError(f"refusé : {received.faits['recit']} {received.identite}")

    monkeypatch.setattr(vues, "deposit", broken)
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    handler = Keep()
    handler.addFilter(Discretion())
    handler.setFormatter(SoberFormatter())
    logger = logging.getLogger("django")
    logger.addHandler(handler)
    try:
        answer = client.post("/signaler/faits/", facts())
    finally:
        logger.removeHandler(handler)
    assert answer.status_code == 500
    assert "Rien n'a été enregistré" in answer.content.decode().replace("&#x27;", "'")
    assert b"CANARI" not in answer.content
    assert lines
    assert "ValueError" in lines[0]
    assert "facts" in lines[0], "where it happened is told"
    assert "CANARI" not in "".join(lines)
    assert mail.outbox == []


def test_the_settings_log_through_the_filter():
    from django.conf import settings

    handlers = settings.LOGGING["handlers"]
    assert all(h["class"] == "logging.NullHandler" or h["filters"] == ["discretion"] for h in handlers.values())
    assert settings.DEBUG is False
    assert settings.ADMINS == []


def test_a_stolen_database_opens_nothing(client):
    """With every row, and the key of Django, and a member of another cell: no envelope opens."""
    here = world()
    deposit(client, pieces=[SimpleUploadedFile("a.txt", b"abc")])
    report = Signalement.objects.get()
    keys = [here.other.private, bytes(here.member.member.cle_publique), bytes(report.cle_auteur), bytes(report.sel) * 2]
    for key in keys:
        for part in PartCle.objects.exclude(destinataire="secours"):
            with pytest.raises(Unreadable):
                enveloppe.open_key(bytes(part.scellee), key)
        for row in Scelle.objects.all():
            place = f"{report.pk}|{row.enveloppe}|{row.genre}|{row.numero}"
            with pytest.raises(Unreadable):
                enveloppe.unseal(bytes(row.contenu), key, place)


def test_rows_that_were_swapped_do_not_open(client):
    """Someone who writes into the database cannot pass one author's words for another's."""
    from packmairie.portail.signalement import coffre

    here = world()
    deposit(client)
    deposit(Client())
    first, second = Signalement.objects.order_by("pk")
    one, two = first.scelles.get(genre="faits"), second.scelles.get(genre="faits")
    Scelle.objects.filter(pk=one.pk).update(contenu=bytes(two.contenu))
    vault = coffre.open_for_member(first, here.member.member, here.member.private)
    with pytest.raises(Unreadable):
        vault.last("faits")


def test_repr_of_what_holds_keys_shows_none(client):
    here = world()
    from packmairie.portail.signalement import coffre, comptes

    deposit(client)
    report = Signalement.objects.get()
    vault = coffre.open_for_member(report, here.member.member, here.member.private)
    made = comptes.set_password(Membre.objects.create(cellule=here.cell, identifiant="x", nom="X"), PASSWORD)
    shown = repr(vault) + repr(made) + repr(enveloppe.pair_from(here.member.private))
    for secret in (vault.key("faits").hex(), made.totp, made.recuperation, here.member.private.hex()):
        assert secret not in shown
    assert repr(vault.key("faits")) not in shown
