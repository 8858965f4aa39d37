# SPDX-License-Identifier: GPL-3.0-or-later
"""Every question that a brique may ask has an engine that asks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from probing_samples import DEMO, demo_without_a_lab

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.probe import HostReading, MailRoundTrip, Probe, Unanswered
from packmairie.operations.probing import ASKERS, Prober
from packmairie.operations.status import checks_of, status_pack


def test_each_kind_of_probe_of_the_demo_has_its_asker() -> None:
    pack = load_pack(DEMO)
    checks = checks_of(pack, [commune.insee for commune in pack.communes])
    kinds = {type(probe) for _commune, check in checks for probe in check.probes}
    assert HostReading in kinds
    assert kinds <= set(ASKERS)


def test_a_probe_that_nobody_can_ask_is_an_absence_of_answer(tmp_path: Path) -> None:
    pack = load_pack(DEMO)
    bare = pack.model_copy(
        update={
            "file": pack.file.model_copy(
                update={"temoin": None, "acme": pack.file.acme.model_copy(update={"racine": None})}
            )
        }
    )
    prober = Prober(bare, Vault(tmp_path))
    answer = prober.ask(Probe())
    assert isinstance(answer, Unanswered)
    assert "KeyError" in answer.reason
    assert "postfix.service" in prober.units
    assert "caddy.service" in prober.units


def test_no_two_checks_of_a_commune_have_one_name() -> None:
    """Reports, titles and ``--since`` know a check by its commune and its name."""
    pack = load_pack(DEMO)
    names = [(code, check.name) for code, check in checks_of(pack, [commune.insee for commune in pack.communes])]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_without_mail_nothing_is_sent_and_the_rest_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    demo = demo_without_a_lab(tmp_path)
    asked: list[Probe] = []

    def ask(_self: Prober, probe: Probe) -> Unanswered:
        asked.append(probe)
        return Unanswered("essai")

    monkeypatch.setattr(Prober, "ask", ask)
    kept = {(one.commune, one.check) for one in status_pack(demo, mail=False).preuves}
    assert not any(isinstance(probe, MailRoundTrip) for probe in asked)
    everything = {(one.commune, one.check) for one in status_pack(demo).preuves}
    assert {check for _commune, check in everything - kept} == {"aller-retour"}
    assert any(isinstance(probe, MailRoundTrip) for probe in asked)
