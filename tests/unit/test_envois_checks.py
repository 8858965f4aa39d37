# SPDX-License-Identifier: GPL-3.0-or-later
"""How transfers and acts are proven: each state of a spool, each age, each certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from core_samples import commune, pack
from envois_samples import envois_pack

from packmairie.briques.archivage import Archivage, judge_transfers
from packmairie.briques.envois import judge_end
from packmairie.briques.teletransmission import Teletransmission, judge_acts, judge_classification
from packmairie.engines.spool import JOURNAL
from packmairie.inventory.loader import load_pack
from packmairie.model.preuve import State
from packmairie.model.probe import Absent, Found, SentItem, Unanswered
from packmairie.operations.envois import read_certificate, read_spool
from packmairie.operations.envois_places import spool_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SECTION = {"accord": "A", "service_archives": "B", "service_versant": "C"}
TDT = {"depuis": "2026-01-15", "arrondissement": "1"}


def item(name, *steps):
    return SentItem(name, tuple((step, NOW - timedelta(days=days), data) for step, days, data in steps))


class TestTransfers:
    @pytest.mark.parametrize(
        ("steps", "state", "told"),
        [
            ([("prepare", 1, {}), ("verifie", 1, {"etat": "conforme"})], State.CONFORME, "à déposer"),
            ([("prepare", 20, {}), ("verifie", 20, {"etat": "conforme"})], State.NON_CONFORME, "depuis"),
            ([("prepare", 1, {}), ("verifie", 1, {"etat": "non_conforme"})], State.NON_CONFORME, "non conforme"),
            ([("prepare", 9, {}), ("depose", 5, {})], State.CONFORME, "en attente"),
            ([("prepare", 90, {}), ("depose", 40, {})], State.NON_CONFORME, "sans réponse"),
            (
                [("prepare", 90, {}), ("depose", 80, {}), ("reponse", 70, {"accepte": True})],
                State.CONFORME,
                "1 accepté",
            ),
            ([("prepare", 9, {}), ("depose", 8, {}), ("reponse", 7, {"accepte": False})], State.NON_CONFORME, "refusé"),
        ],
    )
    def test_states(self, steps, state, told):
        verdict = judge_transfers((item("v", *steps),), "r", NOW)
        assert verdict.state is state
        assert told in verdict.measured

    def test_a_refusal_followed_by_a_new_transfer_is_settled(self):
        refused = item("v-1", ("prepare", 9, {"contenu": "x"}), ("depose", 8, {}), ("reponse", 7, {"accepte": False}))
        again = item("v-2", ("prepare", 6, {"contenu": "x"}), ("depose", 5, {}), ("reponse", 4, {"accepte": True}))
        assert judge_transfers((refused, again), "r", NOW).state is State.CONFORME


class TestActs:
    @pytest.mark.parametrize(
        ("steps", "state"),
        [
            ([("prepare", 1, {})], State.CONFORME),
            ([("prepare", 9, {})], State.NON_CONFORME),
            ([("prepare", 9, {}), ("depose", 2, {})], State.CONFORME),
            ([("prepare", 9, {}), ("depose", 8, {}), ("statut", 8, {"libelle": "en attente"})], State.NON_CONFORME),
            ([("prepare", 9, {}), ("depose", 8, {}), ("acquitte", 7, {})], State.CONFORME),
            ([("prepare", 2, {}), ("depose", 1, {}), ("refuse", 1, {"motif": "x"})], State.NON_CONFORME),
        ],
    )
    def test_states(self, steps, state):
        assert judge_acts((item("a", *steps),), "r", NOW).state is state

    def test_classification(self):
        assert judge_classification((), "62708", NOW).state is State.NON_VERIFIE
        fresh = item("classification", ("classification", 3, {"date": "2026-01-01"}))
        assert judge_classification((fresh,), "62708", NOW).state is State.CONFORME
        old = item("classification", ("classification", 40, {"date": "2026-01-01"}))
        assert judge_classification((old,), "62708", NOW).state is State.NON_CONFORME
        assert judge_acts((fresh,), "r", NOW).measured == "rien"


class TestCertificates:
    @pytest.mark.parametrize(
        ("days", "state"), [(61, State.CONFORME), (59, State.NON_CONFORME), (-1, State.NON_CONFORME)]
    )
    def test_end(self, days, state):
        assert judge_end(NOW + timedelta(days=days), "r", NOW).state is state

    def test_files(self, tmp_path):
        assert isinstance(read_certificate(tmp_path / "absent"), Unanswered)
        (tmp_path / "x").write_text("rien")
        assert isinstance(read_certificate(tmp_path / "x"), Absent)


class TestBriques:
    def test_nothing_by_default(self):
        town = commune()
        assert Archivage().checks(town, pack(town)) == Teletransmission().checks(town, pack(town)) == ()
        assert Archivage().platform_checks(pack(town)) == Teletransmission().platform_checks(pack(town)) == ()

    def test_asked(self):
        town = commune(archivage=SECTION, teletransmission=TDT)
        where = pack(town, tdt={"url": "https://tdt.example", "certificat": "m.crt", "cle": "m.key"})
        assert [check.name for check in Archivage().checks(town, where)] == ["versements"]
        assert [check.name for check in Teletransmission().checks(town, where)] == ["actes", "classification"]
        assert [check.name for check in Teletransmission().platform_checks(where)] == ["certificat-tdt"]
        assert [paper.present for paper in Teletransmission().dossier(town, where)] == [True]
        assert [paper.present for paper in Archivage().dossier(town, where)] == [False]
        check = Archivage().checks(town, where)[0]
        assert check.judge((Unanswered("rien"),)).state is State.NON_VERIFIE
        assert check.judge((Absent("le journal a été modifié"),)).state is State.NON_CONFORME

    def test_reading(self, tmp_path):
        folder = envois_pack(tmp_path / "pack")
        assert isinstance(read_spool(load_pack(folder), "archivage", "62708"), Unanswered)
        spool = spool_of(folder, "archivage", "62708")
        with spool.hold():
            spool.record("v", "prepare", contenu="x")
        answer = read_spool(load_pack(folder), "archivage", "62708")
        assert isinstance(answer, Found)
        assert answer.value[0].step("prepare")[1] == {"contenu": "x"}
        journal = spool.folder / JOURNAL
        journal.write_text(journal.read_text().replace('"contenu": "x"', '"contenu": "y"'))
        assert isinstance(read_spool(load_pack(folder), "archivage", "62708"), Absent)
