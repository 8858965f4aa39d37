# SPDX-License-Identifier: GPL-3.0-or-later
"""How a workstation is judged: what is unknown is never fine, and dates are judged on their very day."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address

import pytest
from core_samples import commune, pack

from packmairie.briques.postes_checks import (
    commune_checks,
    judge_disks,
    judge_encryption,
    judge_protections,
    judge_system,
    machine_verdict,
)
from packmairie.engines.postes import READING, facts_of
from packmairie.model.poste import Poste
from packmairie.model.preuve import State
from packmairie.model.probe import Found, Unanswered
from packmairie.model.probes_postes import Disk, PosteFacts
from packmairie.operations.postes_inventory import machine_of
from packmairie.reports.postes_csv import TITLES, machines_csv

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = PosteFacts(
    maker="Constructeur",
    model="Portable",
    serial="EX-1",
    memory=8_000_000_000,
    system="Debian GNU/Linux 13 (trixie)",
    support=date(2030, 6, 30),
    encrypted=True,
    disks=(Disk("nvme0n1", "Disque", 500_000_000_000, True, 3, 12),),
    updated=NOW - timedelta(days=1),
    security=0,
    failed_units=(),
    reboot_required=False,
    protections={"pare-feu": True, "AppArmor": True, "USBGuard": True},
)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, State.CONFORME),
        ({"support": None}, State.NON_VERIFIE),
        ({"support": NOW.date() + timedelta(days=90)}, State.CONFORME),
        ({"support": NOW.date() + timedelta(days=89)}, State.NON_CONFORME),
        ({"updated": NOW - timedelta(days=10)}, State.CONFORME),
        ({"updated": NOW - timedelta(days=10, seconds=1)}, State.NON_CONFORME),
        ({"updated": NOW - timedelta(days=370)}, State.NON_CONFORME),
        ({"updated": None}, State.NON_VERIFIE),
        ({"security": None}, State.NON_VERIFIE),
        ({"security": 1}, State.NON_CONFORME),
        ({"failed_units": ("x.service",)}, State.NON_CONFORME),
        ({"reboot_required": True}, State.CONFORME),
    ],
)
def test_system(change: dict[str, object], state: State) -> None:
    assert judge_system(replace(GOOD, **change), NOW).state is state


@pytest.mark.parametrize(("encrypted", "state"), [(True, "CONFORME"), (False, "NON_CONFORME"), (None, "NON_VERIFIE")])
def test_encryption(encrypted: bool | None, state: str) -> None:
    assert judge_encryption(replace(GOOD, encrypted=encrypted)).state is State[state]


@pytest.mark.parametrize(
    ("disks", "state"),
    [
        ((), "NON_VERIFIE"),
        ((Disk("a", "", 1, None),), "NON_VERIFIE"),
        ((Disk("a", "", 1, True), Disk("b", "", 1, None)), "NON_VERIFIE"),
        ((Disk("a", "", 1, True, 90),), "NON_CONFORME"),
        ((Disk("a", "", 1, True, 89),), "CONFORME"),
        ((Disk("a", "", 1, False), Disk("b", "", 1, None)), "NON_CONFORME"),
    ],
)
def test_disks(disks: tuple[Disk, ...], state: str) -> None:
    assert judge_disks(replace(GOOD, disks=disks)).state is State[state]


def test_protections() -> None:
    assert judge_protections(GOOD).state is State.CONFORME
    assert judge_protections(replace(GOOD, protections={})).state is State.NON_VERIFIE
    verdict = judge_protections(replace(GOOD, protections={"pare-feu": False, "AppArmor": True}))
    assert (verdict.state, verdict.measured) == (State.NON_CONFORME, "sans pare-feu")


POSTE = Poste(
    nom="poste-62708-1",
    acces="tunnel",
    modele="Portable",
    numero_serie="EX-1",
    garantie=NOW.date() + timedelta(days=90),
)


@pytest.mark.parametrize(
    ("poste", "answer", "state"),
    [
        (POSTE, Found(GOOD), "CONFORME"),
        (POSTE, Unanswered("éteint"), "CONFORME"),
        (POSTE.model_copy(update={"garantie": NOW.date() + timedelta(days=89)}), Found(GOOD), "NON_CONFORME"),
        (POSTE.model_copy(update={"garantie": NOW.date() - timedelta(days=1)}), Found(GOOD), "NON_CONFORME"),
        (POSTE.model_copy(update={"garantie": None}), Found(GOOD), "NON_VERIFIE"),
        (POSTE, Found(replace(GOOD, serial="AUTRE")), "NON_CONFORME"),
        (POSTE, Found(replace(GOOD, serial="AUTRE", container=True)), "CONFORME"),
    ],
)
def test_machine(poste: Poste, answer: Found | Unanswered, state: str) -> None:
    assert machine_verdict(poste, answer, NOW.date()).state is State[state]


def test_a_workstation_that_is_off_is_unknown_and_a_revoked_one_is_not_asked() -> None:
    one = commune(
        postes=[
            {"nom": "poste-62708-1", "acces": "tunnel"},
            {"nom": "poste-62708-2", "acces": "tunnel", "revoque_le": "2026-11-01"},
        ]
    )
    checks = commune_checks(one, pack(one))
    assert {probe.poste for check in checks for probe in check.probes} == {"poste-62708-1"}
    assert {check.judge((Unanswered("éteint"),)).state for check in checks} == {State.NON_VERIFIE}


def test_each_workstation_of_france_has_a_loopback_address_of_its_own() -> None:
    names = [
        f"poste-{department}{code:03}-{number}"
        for department in ("01", "59", "62", "2A", "2B", "95")
        for code in (1, 127, 708, 999)
        for number in (1, 2, 99)
    ]
    addresses = {Poste(nom=name, acces="tunnel").loopback for name in names}
    assert len(addresses) == len(names)
    assert all(ip_address(address).is_loopback for address in addresses)
    assert Poste(nom="poste-62708-1", acces="tunnel").loopback == "127.125.98.1"


@pytest.mark.slow
def test_the_reading_is_python_that_runs_and_gives_facts() -> None:
    done = subprocess.run([sys.executable, "-"], input=READING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = facts_of(json.loads(done.stdout))
    assert facts.system
    assert set(facts.protections) == {"pare-feu", "AppArmor", "USBGuard"}


@pytest.mark.parametrize("broken", [{}, {"updated": "hier"}, []])
def test_a_malformed_answer_is_refused(broken: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        facts_of(broken)  # type: ignore[arg-type]


def test_the_table_calls_unknown_what_nobody_read_and_runs_nothing() -> None:
    one = commune(postes=[{"nom": "poste-62708-1", "acces": "tunnel", "modele": "=HYPERLINK()"}])
    silent = machine_of(one, one.postes[0], Unanswered("éteint"), NOW)
    assert (silent.etat, silent.chiffrement, silent.sante_disques) == ("injoignable", "inconnu", "inconnu")
    text = machines_csv([silent.as_dict()])
    head, line = text.removeprefix("\ufeff").split("\r\n")[:2]
    assert head.split(";") == list(TITLES.values())
    assert "'=HYPERLINK()" in line
    read = machine_of(one, one.postes[0], Found(GOOD), NOW)
    assert (read.chiffrement, read.sante_disques, read.fin_de_support) == ("oui", "bonne", "30/06/2030")
