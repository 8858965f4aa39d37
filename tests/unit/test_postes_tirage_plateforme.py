# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platform does for workstations that pull: its counter, its judgement, the installer, revocation."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from core_samples import commune, pack
from inventory_samples import make_pack
from tirage_samples import FRONT, NOW, POSTE, bundles_of, pulling_fleet

from packmairie.briques.postes import Postes
from packmairie.briques.postes_checks import judge_pull
from packmairie.briques.postes_install import late_text, preseed_text
from packmairie.briques.postes_tirage import bundle_host
from packmairie.cli.main import run
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.preuve import State
from packmairie.model.probes_postes import PullFacts
from packmairie.model.problem import PackmairieError
from packmairie.model.secret import SecretKind
from packmairie.operations.desired import trees
from packmairie.operations.postes_bundle import Bundle
from packmairie.operations.postes_revoke import revoke
from packmairie.operations.variables import workstation_variables
from packmairie.postes_hote import guichet


@pytest.fixture(scope="module")
def fleet() -> tuple[Pack, dict[str, dict[str, Any]]]:
    return pulling_fleet()


@pytest.fixture(scope="module")
def bundles(fleet: tuple[Pack, dict[str, dict[str, Any]]]) -> dict[str, Bundle]:
    return bundles_of(*fleet)


@pytest.fixture
def counter(
    fleet: tuple[Pack, dict[str, dict[str, Any]]],
    bundles: dict[str, Bundle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[httpx.Client, Path]]:
    """The platform's counter on a socket of its own, with what the briques lay for it."""
    wished, secrets = fleet
    known = {file.path: file for file in trees(wished, secrets.__getitem__)["tirage"].files}
    for name in ("KNOWN", "BUNDLES", "REPORTS"):
        monkeypatch.setattr(guichet, name, tmp_path / name.lower())
    (tmp_path / "known").write_text(known["/etc/packmairie/tirage/postes"].text(), encoding="utf-8")
    (tmp_path / "reports").mkdir()
    for bundle in bundles.values():
        folder = tmp_path / "bundles" / bundle.poste
        folder.mkdir(parents=True)
        for name, content in bundle.files().items():
            (folder / name).write_bytes(content)
    place = tmp_path / "s"
    server = guichet.Server(str(place), guichet.Counter)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(place)), base_url="http://postes") as client:
            yield client, tmp_path
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_each_workstation_gets_its_own_by_its_own_token(
    counter: tuple[httpx.Client, Path], fleet: tuple[Pack, dict[str, dict[str, Any]]], bundles: dict[str, Bundle]
) -> None:
    client, folder = counter
    _wished, secrets = fleet
    mine = (POSTE, str(secrets["62708"][f"postes.{POSTE}.jeton"]))
    for name, content in bundles[POSTE].files().items():
        assert client.get(f"/{POSTE}/{name}", auth=mine).content == content
    theirs = ("poste-62633-1", str(secrets["62633"]["postes.poste-62633-1.jeton"]))
    for path, auth in (
        (f"/{POSTE}/manifeste.json", None),
        (f"/{POSTE}/manifeste.json", (POSTE, "faux")),
        (f"/{POSTE}/manifeste.json", (POSTE, "")),
        (f"/{POSTE}/manifeste.json", theirs),
        (f"/{POSTE}/manifeste.json", (POSTE, theirs[1])),
        ("/poste-62708-9/manifeste.json", ("poste-62708-9", "")),
        (f"/{POSTE}/../known", mine),
        (f"/{POSTE}/%2e%2e/known", mine),
        ("/", mine),
    ):
        assert client.get(path, auth=auth).status_code == 401, path
    assert client.get(f"/{POSTE}/autre", auth=mine).status_code == 404
    assert client.request("DELETE", f"/{POSTE}/manifeste.json", auth=mine).status_code == 501
    # Out of the list, out at once.
    (folder / "known").write_text("# vide\n", encoding="utf-8")
    assert client.get(f"/{POSTE}/manifeste.json", auth=mine).status_code == 401


def test_a_report_is_kept_only_when_it_is_one(
    counter: tuple[httpx.Client, Path], fleet: tuple[Pack, dict[str, dict[str, Any]]]
) -> None:
    client, folder = counter
    _wished, secrets = fleet
    mine = (POSTE, str(secrets["62708"][f"postes.{POSTE}.jeton"]))
    url = f"/{POSTE}/rapport"
    assert client.put(url, json={"poste": POSTE, "tirage": {}}).status_code == 401
    assert client.put(url, content=b"[" * 30_000, auth=mine).status_code == 400
    assert client.put(url, json={"poste": "poste-62633-1"}, auth=mine).status_code == 400
    assert client.put(url, content=b"x" * (guichet.LARGEST_REPORT + 1), auth=mine).status_code == 413
    assert not list((folder / "reports").iterdir())
    assert client.put(url, json={"poste": POSTE, "tirage": {"issue": "applique"}}, auth=mine).status_code == 204
    kept = json.loads((folder / "reports" / f"{POSTE}.json").read_text(encoding="utf-8"))
    assert kept["rapport"]["tirage"]["issue"] == "applique"
    assert abs(kept["recu"] - time.time()) < 60


GOOD = PullFacts(
    sequence=9,
    issued=NOW - timedelta(days=3),
    expires=NOW + timedelta(days=40),
    received=NOW - timedelta(hours=1),
    applied=9,
    issue="attente",
    reason="",
)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, State.CONFORME),
        ({"sequence": None}, State.NON_CONFORME),
        ({"expires": NOW}, State.NON_CONFORME),
        ({"received": None}, State.NON_VERIFIE),
        ({"received": NOW - timedelta(hours=27)}, State.NON_VERIFIE),
        ({"applied": 8}, State.NON_CONFORME),
        ({"applied": 8, "issued": NOW - timedelta(hours=2)}, State.NON_VERIFIE),
        ({"issue": "refus", "reason": "signature"}, State.NON_CONFORME),
        ({"issue": "echec", "reason": "apt"}, State.NON_CONFORME),
        ({"applied": None, "issued": NOW - timedelta(minutes=5), "issue": "silence"}, State.NON_VERIFIE),
    ],
)
def test_what_a_workstation_tells_is_judged(change: dict[str, Any], state: State) -> None:
    assert judge_pull(replace(GOOD, **change), NOW).state is state


def test_a_pack_without_a_web_front_beside_its_gateway_publishes_nothing() -> None:
    one = commune(postes=[{"nom": POSTE, "acces": "tirage"}])
    bare = pack(one)
    assert bundle_host(bare) is None
    assert not [wish for wish in Postes().secrets(one, bare) if wish.kind is SecretKind.CLE_AGE]


def test_a_workstation_that_pulls_is_reached_by_nobody() -> None:
    one: Commune = commune(postes=[{"nom": POSTE, "acces": "tirage"}])
    variables = workstation_variables(one, one.postes[0], pack(one, **FRONT))
    assert (variables["ansible_connection"], variables["postes_pull"]) == ("local", True)
    assert variables["socle_ssh_from"] == ["127.0.0.1/32"]
    assert "ansible_host" not in variables


def test_the_installer_leaves_a_workstation_that_pulls_by_itself_and_lets_nobody_in(
    fleet: tuple[Pack, dict[str, dict[str, Any]]], tmp_path: Path
) -> None:
    wished, secrets = fleet
    one = wished.commune("62708")
    poste = one.postes[0]
    answers = preseed_text(one, poste, secrets["62708"])
    assert "age ansible-core openssh-client" in answers
    script = late_text(wished, poste, secrets["62708"], secrets["plateforme"])
    target, called = tmp_path / "target", tmp_path / "appels"
    for folder in ("etc/ssh", "etc/systemd/system"):
        (target / folder).mkdir(parents=True)
    program = tmp_path / "in-target"
    program.write_text(f'#!/bin/sh\necho "$@" >> {called}\n', encoding="utf-8")
    program.chmod(0o755)
    done = subprocess.run(
        ["sh"],
        input=script.replace("/target", str(target)),
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert called.read_text(encoding="utf-8").splitlines() == [
        "systemctl disable ssh.service",
        "systemctl enable packmairie-tirage.timer",
    ]
    settings = target / "etc/packmairie/postes"
    for name in ("tirage.json", "tirage.age"):
        assert (settings / name).stat().st_mode & 0o777 == 0o600
    assert json.loads((settings / "tirage.json").read_text(encoding="utf-8"))["poste"] == POSTE
    code = target / "usr/local/lib/packmairie/postes_hote"
    assert sorted(path.name for path in code.iterdir()) == ["__init__.py", "lecture.py", "tirage.py"]
    assert not (settings / "tunnel.cle").exists()


def test_revoking_one_that_pulls_shuts_its_address(tmp_path: Path) -> None:
    place = make_pack(tmp_path)
    settings = place / "pack.yml"
    data = yaml.safe_load(settings.read_text(encoding="utf-8"))
    data["postes"] = {"acces": "tirage"}
    for host in data["plateforme"]["hotes"].values():
        host["groupes"] = [*host["groupes"], "acces"]
    settings.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    file = next((place / "communes").glob("62708-*.yml"))
    file.write_text(file.read_text(encoding="utf-8") + f"\npostes:\n  - nom: {POSTE}\n", encoding="utf-8")
    assert run(["inventory", "secrets", "--pack", str(place)]) == 0
    assert load_pack(place).commune("62708").postes[0].pulled
    before = Vault(place).read("62708")
    done = revoke(place, "62708", POSTE, NOW.date(), deploy=False)
    after = Vault(place).read("62708")
    for name in (f"postes.{POSTE}.jeton", f"postes.{POSTE}.lecture"):
        assert name in done.replaced
        assert before[name] != after[name]
    revoked = load_pack(place)
    assert not [tree for tree in Postes().tenant(revoked.commune("62708"), revoked, after) if tree.name == "tirage"]


def test_a_pack_that_nobody_publishes_for_is_refused(tmp_path: Path) -> None:
    place = make_pack(tmp_path)
    file = next((place / "communes").glob("62708-*.yml"))
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}\npostes:\n  - {{nom: {POSTE}, acces: tirage}}\n", encoding="utf-8")
    with pytest.raises(PackmairieError, match="que personne ne publie"):
        load_pack(place)
