# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that these tests share: booted once, deployed once, each stage kept so that tests can look at it.

The usual lab of the machine is used (PACKMAIRIE_LAB and PACKMAIRIE_LAB_NETWORK name another one):
its platform is made anew. PACKMAIRIE_KEEP_LAB=1 leaves it running at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from separate import separate_lab, share_packages
from stages import FINGERPRINT, LIVING, ROOT, Deployment, Rehearsal, Told, move_to, told_by

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.lab.rehearsal import play_cell, play_registrar
from packmairie.model.pack import Pack
from shares import SECOND, share_of

SHARE = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Know, when a lab is brought up, for which share of the tests."""
    item.session.stash[SHARE] = share_of(item.nodeid)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab with ``monde`` up and a platform on a fresh disk: the usual one, or the one beside it."""
    usual = Lab.open()
    if os.geteuid() == 0:
        usual.install_needs()
    missing = usual.missing_needs()
    if missing:
        pytest.skip("tests du labo non exécutés : " + " ; ".join(str(problem) for problem in missing))
    beside = "PYTEST_XDIST_WORKER" in os.environ and request.session.stash[SHARE] == SECOND
    opened = separate_lab("voisin", packages=True) if beside else usual
    try:
        opened.up(["monde"], progress=print)
        opened.reset("plateforme", progress=print)
        opened.reset("stockage", progress=print)
        yield opened
    finally:
        if os.environ.get("PACKMAIRIE_KEEP_LAB"):
            print("PACKMAIRIE_KEEP_LAB : le labo reste allumé")
        else:
            if beside:
                share_packages(opened)
            opened.down(purge=beside)


@pytest.fixture(scope="session")
def pack_folder(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demonstration pack, with secrets of its own, at the addresses of the lab in use."""
    folder = tmp_path_factory.mktemp("pack") / "demo"
    shutil.copytree(ROOT / "inventories" / "demo", folder, ignore=shutil.ignore_patterns("secrets", ".vault-password"))
    move_to(lab, folder)
    return folder


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of these tests leave their traces."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def packmairie(pack_folder: Path) -> Callable[..., Told]:
    """Run the command line as a technician does, on the tests' own pack."""
    return partial(told_by, pack_folder)


@pytest.fixture(scope="session")
def fingerprint(lab: Lab) -> Callable[[str], str]:
    """Return the hash of everything on a host that only a deployment may change."""

    def of(host: str) -> str:
        result = lab.run(host, ["sh", "-c", FINGERPRINT.format(living=LIVING)], timeout=300)
        assert result.returncode == 0, result.stderr
        return result.stdout.split()[0]

    return of


@pytest.fixture(scope="session")
def deployed(
    lab: Lab,
    pack_folder: Path,
    runs_folder: Path,
    packmairie: Callable[..., Told],
    fingerprint: Callable[[str], str],
) -> Deployment:
    """Deploy a fresh platform, with the registrar's acts around it; on the usual lab, a :class:`Rehearsal`."""
    host, whole = "plateforme", lab.paths == Lab.open().paths
    secrets = packmairie("inventory", "secrets")
    assert secrets.code == 0, secrets.err
    play_registrar(lab, pack_folder)
    if whole:
        hash_fresh = fingerprint(host)
        fresh_plan, fresh_plan_json = packmairie("plan", "--markdown"), packmairie("plan", "--json")
        hash_after_fresh_plan = fingerprint(host)
    first = packmairie("deploy", "--runs", str(runs_folder))
    assert first.code == 0, f"{first.out}\n{first.err}"
    acts = play_registrar(lab, pack_folder)
    assert acts.unsigned == ()
    cell = play_cell(lab, pack_folder)
    prove_backups(packmairie, runs_folder)
    if not whole:
        return Deployment(first, cell)
    second = packmairie("deploy", "--runs", str(runs_folder), "--json")
    hash_converged = fingerprint(host)
    converged_plan = packmairie("plan")
    lab.harvest()
    return Rehearsal(
        first,
        cell,
        hash_fresh,
        fresh_plan,
        fresh_plan_json,
        hash_after_fresh_plan,
        second,
        hash_converged,
        converged_plan,
        fingerprint(host),
    )


@pytest.fixture(scope="session")
def rehearsal(deployed: Deployment) -> Rehearsal:
    """Every stage of the first deployment; the usual lab alone goes through all of them."""
    assert isinstance(deployed, Rehearsal), "this file belongs to the worker that has the usual lab"
    return deployed


def prove_backups(packmairie: Callable[..., Told], folder: Path) -> None:
    """Back up what the communes have, restore it, check it: nothing of the brique sauvegarde is green before."""
    # A commune that has received no mail has no mailbox yet: the checks of mail send some.
    packmairie("status")
    for arguments in (["run"], ["drill", "--to", str(folder / "preuves")], ["maintain"], ["run"]):
        told = packmairie("sauvegarde", *arguments)
        assert told.code == 0, f"{arguments}\n{told.out}\n{told.err}"


@pytest.fixture(scope="session")
def pack(deployed: Deployment, pack_folder: Path) -> Pack:
    """The pack, once its platform is deployed."""
    return load_pack(pack_folder)


@pytest.fixture(scope="session")
def secrets(deployed: Deployment, pack_folder: Path) -> Callable[[str], Mapping[str, Any]]:
    """Return the vault of a commune by INSEE code."""
    return Vault(pack_folder).read
