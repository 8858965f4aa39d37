# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates and places of a restore, what maintenance forgets, what the escrow seals, what a page of evidence shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from core_samples import commune
from test_sauvegarde_brique import POSTE, sample

from packmairie.engines.ansible import Failure, RunResult
from packmairie.engines.restic import Snapshot, literal, snapshot_of
from packmairie.model.change import Action, Change
from packmairie.model.pack import Garder
from packmairie.model.problem import PackmairieError
from packmairie.operations import sauvegarde_escrow as escrow
from packmairie.operations.deploy import Outcome, outcomes
from packmairie.operations.desired import offline_secrets
from packmairie.operations.sauvegarde_proof import Evidence, latest
from packmairie.operations.sauvegarde_restore import moment_of, place_of, within
from packmairie.operations.sauvegarde_store import claim_of
from packmairie.operations.sauvegarde_upkeep import to_forget
from packmairie.reports.drill_html import drill_html

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("2026-11-20", datetime(2026, 11, 20, 22, 59, 59, 999999, tzinfo=UTC)),
        ("2026-07-20", datetime(2026, 7, 20, 21, 59, 59, 999999, tzinfo=UTC)),
        ("2026-11-20 14:30", datetime(2026, 11, 20, 13, 30, tzinfo=UTC)),
        ("2026-11-20T14:30:00+00:00", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
        ("2026-11-24", NOW),
    ],
)
def test_a_date_is_french_time_and_a_day_means_its_end(text: str | None, moment: datetime | None) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize("text", ["hier", "20/11/2026", "2026-13-01", "2026-11-25", ""])
def test_what_is_no_past_date_is_refused(text: str) -> None:
    with pytest.raises(PackmairieError):
        moment_of(text, NOW)


def test_places_are_paths_addresses_or_repositories() -> None:
    one = commune(postes=[POSTE])
    wished, domain = sample(one), one.domaine.nom
    assert place_of(one, wished, "poste-62708-1") == ("", ("poste-62708-1",))
    assert place_of(one, wished, f"contact@{domain}") == (f"/var/vmail/{domain}/contact", ("plateforme",))
    assert place_of(one, wished, "/home/agent/") == ("/home/agent", ())
    for wrong in ("contact@ailleurs.fr", "relatif", "/a/../b", "", "poste-62708-9"):
        with pytest.raises(PackmairieError):
            place_of(one, wished, wrong)
    assert within("/a/b", "/a")
    assert not within("/ab", "/a")


def test_a_path_is_not_a_pattern() -> None:
    assert literal("/a/é*[x]?\\") == "/a/é\\*\\[x]\\?\\\\"


def snapshot(identity: str, time: datetime, *tags: str, host: str = "h") -> Snapshot:
    return Snapshot(identity, time, host, tags, ("/home",))


def pair(name: str, time: datetime, source: str = "s") -> list[Snapshot]:
    identity = f"{name:0<20}"
    return [
        snapshot(identity, time, "donnees", f"source:{source}"),
        snapshot(f"m{identity}", time, "manifeste", f"source:{source}", f"de:{identity[:16]}"),
    ]


def test_restic_dates_are_read_to_the_microsecond() -> None:
    made = snapshot_of({"id": "a", "time": "2026-11-24T11:33:47.123456789+01:00", "hostname": "h", "tags": None})
    assert made.time == datetime(2026, 11, 24, 10, 33, 47, 123456, tzinfo=UTC)
    assert snapshot_of({"id": "a", "time": "2026-11-24T10:33:47.1Z"}).time.microsecond == 100000
    assert snapshot_of({"id": "a", "time": "2026-11-24T10:33:47Z"}).tags == ()


def test_the_newest_backup_of_a_source_is_chosen() -> None:
    every = [*pair("a", NOW - timedelta(days=2)), *pair("b", NOW), *pair("c", NOW, "autre")]
    found = latest(every, "s")
    assert found is not None
    assert found.id.startswith("b")
    before = latest(every, "s", NOW - timedelta(days=1))
    assert before is not None
    assert before.id.startswith("a")
    assert latest(every, "inconnue") is None


def test_old_backups_are_forgotten_with_their_manifests() -> None:
    every: list[Snapshot] = []
    for hours in range(0, 24 * 400, 12):
        every += pair(f"{hours:05d}x", NOW - timedelta(hours=hours))
    gone = set(to_forget(every, Garder(jours=14, semaines=8, mois=12)))
    kept = [s for s in every if s.id not in gone]
    data = [s for s in kept if "donnees" in s.tags]
    assert len(data) * 2 == len(kept)
    days = {s.time.date() for s in data}
    assert {(NOW - timedelta(days=n)).date() for n in range(14)} <= days
    assert 14 + 6 + 9 <= len(data) <= 14 + 8 + 12
    assert min(days) <= date(2025, 12, 31)


def test_the_newest_is_kept_however_old_and_orphans_go() -> None:
    old = pair("a", NOW - timedelta(days=4000))
    orphan = snapshot("o", NOW, "manifeste", "source:s", "de:absent")
    stranger = snapshot("z", NOW - timedelta(days=9000))
    assert to_forget([*old, orphan, stranger], Garder(jours=1, semaines=0, mois=0)) == ["o"]


def test_a_host_may_claim_anything() -> None:
    made = claim_of("plateforme", {"fichiers": "beaucoup", "octets": -5, "fin": 3, "historique": {"a": 1}}, NOW)
    assert (made.files, made.octets, made.said, made.history) == (0, 0, None, ())


class Held:
    """A vault of placeholders."""

    def __init__(self, wished: Any) -> None:
        self.read = offline_secrets(wished)


def test_the_escrow_opens_with_the_offline_key_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyrage

    offline = pyrage.x25519.Identity.generate()
    one = commune(postes=[POSTE])
    wished = sample(one, sauvegarde={"cle_secours": str(offline.to_public())})
    monkeypatch.setattr(escrow, "load_pack", lambda folder: wished)
    monkeypatch.setattr(escrow, "Vault", lambda folder: Held(wished))
    path, count = escrow.seal(tmp_path, date(2026, 11, 24))
    assert count == 2
    sealed = path.read_bytes()
    assert b"x" * 24 not in sealed
    text = pyrage.decrypt(sealed, [offline]).decode()
    assert "s3:https://s3.pack.example/pack-example-62708/postes/poste-62708-1" in text
    assert "x" * 24 in text
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])
    page = tmp_path / "papier.html"
    assert escrow.paper(tmp_path, date(2026, 11, 24), page) == 2
    assert page.stat().st_mode & 0o777 == 0o600
    assert "xxxx xxxx xxxx" in page.read_text()
    with pytest.raises(PackmairieError):
        escrow.paper(tmp_path, date(2026, 11, 24), page)


def test_no_escrow_without_a_key_to_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wished = sample(commune())
    monkeypatch.setattr(escrow, "load_pack", lambda folder: wished)
    with pytest.raises(PackmairieError, match="cle_secours"):
        escrow.seal(tmp_path, date(2026, 11, 24))


def test_an_evidence_is_a_page_that_escapes_what_it_shows(tmp_path: Path) -> None:
    one = commune()
    proven = Evidence("62708", one.nom, "plateforme", "boites", "Boîtes aux lettres", NOW, True, fichiers=3, compares=3)
    failed = Evidence(
        "62708", one.nom, "plateforme", "site", "Site", NOW, False, cause="<script>", fautes=("/a<b> : absent",)
    )
    page = drill_html(sample(one), [proven], tmp_path)[0].read_text(encoding="utf-8")
    assert "Restauration prouvée" in page
    page = drill_html(sample(one), [proven, failed], tmp_path)[0].read_text(encoding="utf-8")
    assert "Restauration non prouvée" in page
    assert "<script>" not in page
    assert "/a&lt;b&gt; : absent" in page


def test_a_workstation_that_is_off_is_its_own_communes() -> None:
    result = RunResult(failures=[Failure("poste-62708-1", "t", "éteint", unreachable=True)], hosts={"plateforme"})
    change = Change("62633", "presence", "plateforme", Action.UPDATE, "x")
    assert outcomes(("62708", "62633", "59529"), [change], result) == {
        "62708": Outcome.FAILED,
        "62633": Outcome.CHANGED,
        "59529": Outcome.UNCHANGED,
    }
    result.failures.append(Failure("plateforme", "t", "panne"))
    assert set(outcomes(("62708", "62633"), [], result).values()) == {Outcome.FAILED}


def test_a_plan_says_what_a_workstation_that_is_off_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from packmairie.operations import plan as planning

    wished = sample(commune(postes=[POSTE]))
    off = Failure("poste-62708-1", "t", "éteint", unreachable=True)
    result = RunResult(failures=[off], hosts={"plateforme"}, status="failed")
    monkeypatch.setattr(planning, "load_pack", lambda folder: wished)
    monkeypatch.setattr(planning, "missing_secrets", lambda *arguments: ())
    monkeypatch.setattr(planning, "run_playbook", lambda *args, **options: result)
    assert planning.plan_pack(tmp_path).unforeseen == ("poste-62708-1 : éteint ou injoignable",)
    result.failures.append(Failure("plateforme", "t", "panne"))
    with pytest.raises(PackmairieError, match="panne"):
        planning.plan_pack(tmp_path)
    result.failures.clear()
    with pytest.raises(PackmairieError):
        planning.plan_pack(tmp_path)
