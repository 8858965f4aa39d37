# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing in the database links a token to an answer: the file itself is searched, before and after the count."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from django.db import connection
from sondage_campaigns import campaign
from sondage_samples import values

from packmairie.model.problem import PackmairieError
from packmairie.portail.sondage import collecte, urne
from packmairie.portail.sondage.collecte import deposit, find_invitation, read_draft, save_draft, token
from packmairie.portail.sondage.depouillement import count, results_of
from packmairie.portail.sondage.models import (
    Bulletin,
    Campagne,
    Invitation,
    ReponseAnonyme,
    ReponseConfidentielle,
    Verbatim,
)

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canari-des-reponses-libres"


def dump(path: Path) -> bytes:
    """Return the whole database as one file of bytes: live pages, as a thief of the file would have them."""
    target = sqlite3.connect(path)
    connection.ensure_connection()
    connection.connection.backup(target)
    target.close()
    return path.read_bytes()


def voted(number: int = 120, seed: int = 9) -> tuple[Campagne, str, list[tuple[Invitation, int]]]:
    """Let everybody answer in a known order, each with a mark of his own, in an answer that is kept."""
    made, key = campaign(number)
    order = list(made.invitations.filter(invitee=True))
    random.Random(seed).shuffle(order)
    chance = random.Random(seed + 1)
    done = []
    for rank, invitation in enumerate(order):
        answer = values(chance) | {"amelioration": f"{CANARY}-{rank:03}", "marque": f"m{rank:03}"}
        save_draft(invitation, token(invitation), answer)
        assert deposit(invitation, answer)
        done.append((invitation, rank))
    return made, key or "", done


def close(made: Campagne) -> None:
    Campagne.objects.filter(pk=made.pk).update(etat="close")
    made.refresh_from_db()


def test_before_the_count_the_file_tells_nothing(tmp_path):
    made, key, done = voted()
    stolen = dump(tmp_path / "vol.sqlite3")
    assert CANARY.encode() not in stolen
    assert b"satisfaction.delai" not in stolen.replace(b'"code":"satisfaction"', b"")
    for invitation, _rank in done:
        assert token(invitation).encode() not in stolen
    sealed = [bytes(b.scelle) for b in made.bulletins.all()]
    assert len(sealed) == len(done)
    assert len({len(ballot) for ballot in sealed}) == 1  # the length of a free text does not show
    assert len(set(sealed)) == len(sealed)
    assert not Invitation.objects.exclude(brouillon=b"").exists()
    with pytest.raises(urne.Unreadable):
        urne.unseal(urne.read_key(urne.new_key()[0]), sealed[0])
    assert urne.unseal(urne.read_key(key), sealed[0])["valeurs"]["marque"].startswith("m")


@pytest.mark.parametrize("table", ["sondage_bulletin", "sondage_reponseanonyme", "sondage_verbatim"])
def test_rows_have_no_hidden_number_and_no_sequence(table):
    made, key, _done = voted(60)
    if table != "sondage_bulletin":
        close(made)
        count(made, key)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), sum(rowid = id), max(id) FROM {table}")
        number, same, largest = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM sqlite_sequence WHERE name = %s", [table])
        assert cursor.fetchone()[0] == 0
        cursor.execute(f"PRAGMA table_info({table})")
        columns = {row[1]: row[2] for row in cursor.fetchall()}
    assert number == same == 60
    assert largest > 1_000_000
    assert not {name for name in columns if "invitation" in name or "jeton" in name or "date" in name}
    assert not {kind for kind in columns.values() if "time" in kind or "date" in kind}


def test_after_the_count_no_order_leads_from_token_to_answer():
    """Marks tell us alone who wrote what: every order that the file has is compared with that of voting."""
    hits: dict[str, list[int]] = {}
    kept = correlation = 0.0
    for seed in range(6):
        Campagne.objects.all().delete()
        made, key, done = voted(60, seed)
        close(made)
        assert count(made, key) == 60
        rank_of = {f"m{rank:03}": rank for _invitation, rank in done}
        with connection.cursor() as cursor:
            for name, query in {
                "rowid": "SELECT valeurs FROM sondage_reponseanonyme ORDER BY rowid",
                "natural": "SELECT valeurs FROM sondage_reponseanonyme",
                "verbatim": "SELECT texte FROM sondage_verbatim ORDER BY rowid",
            }.items():
                cursor.execute(query)
                rows = [row[0] for row in cursor.fetchall()]
                ranks = [int(text[-3:]) if name == "verbatim" else rank_of[_mark(text)] for text in rows]
                assert sorted(ranks) == list(range(60))
                hits.setdefault(name, []).append(sum(place == rank for place, rank in enumerate(ranks)))
                mean = 29.5
                correlation += sum((p - mean) * (r - mean) for p, r in enumerate(ranks))
                kept += 60 * (60**2 - 1) / 12
            cursor.execute("SELECT valeurs FROM sondage_reponseanonyme ORDER BY rowid")
            answers = [rank_of[_mark(row[0])] for row in cursor.fetchall()]
            cursor.execute("SELECT texte FROM sondage_verbatim ORDER BY rowid")
            texts = [int(row[0][-3:]) for row in cursor.fetchall()]
            hits.setdefault("answer and text", []).append(sum(a == b for a, b in zip(answers, texts, strict=True)))
    for name, found in hits.items():
        assert sum(found) <= 20, (name, found)  # one a draw is expected by chance: 6, and 20 once in a million
    assert abs(correlation / kept) < 0.35


def _mark(text: str) -> str:
    import json

    return str(json.loads(text)["marque"])


def test_groups_of_answers_hide_everybody():
    made, key, _done = voted(60)
    close(made)
    count(made, key)
    groups: dict[str, int] = {}
    for row in ReponseAnonyme.objects.all():
        groups[str(row.strate)] = groups.get(str(row.strate), 0) + 1
        assert "amelioration" not in row.valeurs
    assert min(groups.values()) >= 5
    assert Bulletin.objects.count() == 0
    assert Verbatim.objects.count() == 60
    assert results_of(made).reponses == 60


def test_the_count_is_all_or_nothing():
    made, key, _done = voted(30)
    with pytest.raises(PackmairieError, match="pas close"):
        count(made, key)
    close(made)
    for wrong in ("", "CLE-URNE-ABC", urne.new_key()[0], "é" * 60):
        with pytest.raises(PackmairieError, match="n'ouvre pas"):
            count(made, wrong)
    ballot = made.bulletins.first()
    assert ballot is not None
    Bulletin.objects.filter(pk=ballot.pk).update(scelle=bytes(ballot.scelle)[:-1] + b"\0")
    with pytest.raises(PackmairieError, match="n'ouvre pas"):
        count(made, key)
    assert (Bulletin.objects.count(), ReponseAnonyme.objects.count()) == (30, 0)


def test_a_token_serves_once_and_only_when_it_may():
    made, _key = campaign(30)
    first, second = made.invitations.filter(invitee=True)[:2]
    assert find_invitation(token(first)) == first
    assert find_invitation(token(first).lower()) is None
    assert find_invitation(collecte.read_token(collecte.shown_token(token(first)).lower())) == first
    assert deposit(first, {"frequence": "mois"})
    assert not deposit(first, {"frequence": "annee"})
    assert Bulletin.objects.count() == 1
    waiting = made.invitations.filter(invitee=False).first()
    assert waiting is not None
    assert not deposit(waiting, {"frequence": "mois"})
    close(made)
    assert not deposit(second, {"frequence": "mois"})
    for forged in ("", "A" * 26, token(second)[:-1], token(second) + "0", "é" * 26):
        assert find_invitation(forged) is None


def test_drafts_are_readable_with_the_token_alone(tmp_path):
    made, _key = campaign(30)
    first, second = made.invitations.filter(invitee=True)[:2]
    save_draft(first, token(first), {"amelioration": CANARY})
    first.refresh_from_db()
    assert read_draft(first, token(first)) == {"amelioration": CANARY}
    assert read_draft(first, token(second)) == {}
    assert CANARY.encode() not in dump(tmp_path / "vol.sqlite3")


def test_confidential_is_another_table_and_says_so(client):
    made, key = campaign(30, mode="confidentiel")
    assert key is None
    invited = list(made.invitations.filter(invitee=True))
    chance = random.Random(1)
    page = client.get(f"/sondage/r/{token(invited[0])}/").content.decode()
    assert "confidentielle, et non anonyme" in page
    for invitation in invited:
        assert deposit(invitation, values(chance))
    assert (Bulletin.objects.count(), ReponseConfidentielle.objects.count()) == (0, 30)
    assert results_of(made).reponses == 30
    anonymous, _key = campaign(30, annee=2027)
    page = client.get(f"/sondage/r/{token(anonymous.invitations.filter(invitee=True)[0])}/").content.decode()
    assert "Cette enquête est anonyme" in page
