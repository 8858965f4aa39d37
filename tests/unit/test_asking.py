# SPDX-License-Identifier: GPL-3.0-or-later
"""Many probes at once: by one process or by several, the same answers; what is cut short is unknown, never fine."""

from __future__ import annotations

import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from probing_samples import demo_without_a_lab

from packmairie.inventory.loader import load_pack
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Answer,
    CertificateFile,
    DnsQuery,
    Found,
    HttpChain,
    HttpGet,
    HttpPost,
    Probe,
    RegisterReading,
    SiteVisit,
    TlsHandshake,
    Unanswered,
    WebmailVisit,
)
from packmairie.model.probes_partage import FileRoundTrip
from packmairie.operations import asking
from packmairie.operations.probing import questions_of

CODES = ("59529", "62633", "62708")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return demo_without_a_lab(tmp_path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Start other processes from the first probes on, and tell which."""
    processes: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(*words: Any, **options: Any) -> subprocess.Popen[bytes]:
        processes.append(real(*words, **options))
        return processes[-1]

    monkeypatch.setattr(asking, "MANY", 2)
    monkeypatch.setattr(asking.os, "sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.setattr(asking.subprocess, "Popen", start)
    return processes


def probes() -> dict[Probe, str]:
    """Return probes that need no network, each with its commune: two that answer, and many that do not."""
    found: dict[Probe, str] = {CertificateFile("absent-plateforme.pem"): PLATEFORME}
    for code in CODES:
        found[RegisterReading(code)] = code
        found |= {CertificateFile(f"absent-{code}-{number}.pem"): code for number in range(10)}
    return found


def ask(folder: Path, **options: Any) -> dict[Probe, Answer]:
    pack: Pack = load_pack(folder)
    return asking.ask_all(pack, folder, probes(), **options)


def test_several_processes_bring_what_one_does(
    folder: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int]] = []
    together = ask(folder, on_progress=lambda done, total: steps.append((done, total)))
    assert len(started) == 1
    assert steps == [(done, len(probes())) for done in range(1, len(probes()) + 1)]
    monkeypatch.setattr(asking, "MANY", 1000)
    assert ask(folder) == together
    assert len(started) == 1
    assert isinstance(together[RegisterReading("62708")], Found)


def test_of_the_dns_what_a_batch_needs_is_asked_first_and_once(
    folder: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[list[Probe]] = []
    monkeypatch.setattr(asking.os, "sched_getaffinity", lambda _process: {0})
    monkeypatch.setattr(asking.Prober, "look_ahead", lambda _prober, batch: ahead.append(list(batch)))
    ask(folder)
    assert started == []
    several = [[probe for probe, commune in probes().items() if commune == code] for code in CODES]
    assert sorted(map(str, ahead)) == sorted(map(str, several))


@pytest.mark.parametrize(
    ("probe", "name"),
    [
        (TlsHandshake("www.exemple.fr", 443), "www.exemple.fr"),
        (HttpGet("https://mta-sts.exemple.fr/.well-known/mta-sts.txt"), "mta-sts.exemple.fr"),
        (HttpChain("http://exemple.fr:8080/"), "exemple.fr"),
        (HttpPost("https://autodiscover.exemple.fr/", "x"), "autodiscover.exemple.fr"),
        (SiteVisit("https://www.exemple.fr/"), "www.exemple.fr"),
        (WebmailVisit("https://webmail.pack.example/", "62708", "sonde@exemple.fr", "x"), "webmail.pack.example"),
        (FileRoundTrip("https://fichiers.exemple.fr/62708/", "62708", "sonde@exemple.fr", "x"), "fichiers.exemple.fr"),
    ],
)
def test_what_a_probe_will_ask_of_the_dns_is_known(probe: Probe, name: str) -> None:
    assert questions_of(probe) == (DnsQuery(name, "A"),)
    assert questions_of(DnsQuery(name, "MX")) == (DnsQuery(name, "MX"),)
    assert questions_of(RegisterReading("62708")) == ()


def test_helpers_are_ready_before_the_probes_are_known(folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
    expected = ask(folder)
    assert len(started) == 1
    with asking.ready_helpers(folder, 1000) as helpers:
        assert len(started) == 2
        assert ask(folder, helpers=helpers) == expected
        assert started[-1].poll() is None
    assert len(started) == 2
    with asking.ready_helpers(folder, 1000):
        assert started[-1].poll() is None
    # None was needed, and none is left.
    assert [process.poll() is None for process in started] == [False] * 3
    with asking.ready_helpers(folder, 0) as helpers:
        assert helpers == []


def test_a_process_that_ends_early_leaves_its_probes_unknown(
    folder: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking.sys, "executable", "/bin/false")
    answers = ask(folder)
    assert len(started) == 1
    theirs = list(chain(*asking.deal(probes(), 2, together=True)[1]))
    assert theirs
    assert {probe for probe in answers if answers[probe] == Unanswered(asking.ENDED)} == set(theirs)


def test_an_interruption_ends_the_other_processes(folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(folder, on_progress=interrupt)
    assert [process.poll() is not None for process in started] == [True]


@pytest.mark.parametrize("together", [False, True])
def test_the_probes_of_a_commune_stay_with_one_process_and_in_order(together: bool) -> None:
    shares = [list(chain(*batches)) for batches in asking.deal(probes(), 2, together=together)]
    assert sorted(map(repr, chain(*shares))) == sorted(map(repr, probes()))
    order = list(probes())
    for share in shares:
        assert [order.index(probe) for probe in share] == sorted(order.index(probe) for probe in share)
    assert {
        len({number for number, share in enumerate(shares) if any(probes()[probe] == code for probe in share)})
        for code in CODES
    } == {1}
    assert CertificateFile("absent-plateforme.pem") in shares[0]


def test_one_thread_asks_those_of_a_commune_only_where_they_are_many() -> None:
    mail, others = {CertificateFile("a"): "1", CertificateFile("b"): "2"}, {CertificateFile("c"): "1"}
    asked: dict[Probe, str] = mail | others | {CertificateFile("d"): "1", CertificateFile("e"): "2"}
    found = asking.deal(asked, 1, together=True)
    assert [[probe.path for probe in batch] for batch in found[0]] == [["a"], ["b"], ["c", "d"], ["e"]]  # type: ignore[attr-defined]
    assert [len(batch) for batch in asking.deal(asked, 1, together=False)[0]] == [1] * 5


@pytest.mark.parametrize(
    ("number", "processors", "wished"),
    [(0, 2, 1), (2000, 2, 1), (2001, 2, 2), (50000, 2, 2), (2500, 8, 2), (9000, 8, 4)],
)
def test_other_processes_are_for_many_probes(
    monkeypatch: pytest.MonkeyPatch, number: int, processors: int, wished: int
) -> None:
    monkeypatch.setattr(asking.os, "sched_getaffinity", lambda _process: set(range(processors)))
    assert asking.processes_for(number) == wished
