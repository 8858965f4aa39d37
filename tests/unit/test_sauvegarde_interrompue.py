# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup that died leaves a lock: the next one on that host takes it away, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_sauvegarde_hote import DEPOT

from packmairie.sauvegarde_hote import backup, restic
from packmairie.sauvegarde_hote.codes import Outcome
from packmairie.sauvegarde_hote.settings import Depot, HostSettings, HostSource


def test_what_a_run_that_died_left_is_unlocked_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(_settings: HostSettings, _depot: Depot, arguments: list[str], _text: str | None = None) -> restic.Run:
        asked.append(arguments)
        return restic.Run(1, Outcome("echec", "essai"), "", "")

    monkeypatch.setattr(restic, "run", run)
    monkeypatch.setattr(backup.store, "put", lambda *_words: None)
    settings = HostSettings("poste-62708-1", (), 0, 1, tmp_path, tmp_path)
    source = HostSource("f", (str(tmp_path),), (), (), ())
    backup.back_up(settings, DEPOT, source, "")
    assert ["unlock"] not in asked
    (tmp_path / "62708" / "plateforme" / "f.en-cours").touch()
    backup.back_up(settings, DEPOT, source, "")
    assert asked.count(["unlock"]) == 1
    backup.back_up(settings, DEPOT, source, "")
    assert asked.count(["unlock"]) == 1
