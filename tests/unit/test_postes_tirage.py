# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workstation pulls: its own and nobody else's, believed only when signed, sealed, recent and newer."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tirage_samples import NOW, POSTE, bundles_of, pulling_fleet

from packmairie.briques.postes_tirage import SIGNATURE_KEY, signers_text
from packmairie.inventory.generators import new_secret
from packmairie.model.pack import Pack
from packmairie.model.secret import SecretKind
from packmairie.operations.postes_bundle import Bundle, contents, issue, lasting
from packmairie.postes_hote import tirage


@pytest.fixture(scope="module")
def fleet() -> tuple[Pack, dict[str, dict[str, Any]]]:
    return pulling_fleet()


@pytest.fixture(scope="module")
def bundles(fleet: tuple[Pack, dict[str, dict[str, Any]]]) -> dict[str, Bundle]:
    return bundles_of(*fleet)


@pytest.fixture
def workstation(
    fleet: tuple[Pack, dict[str, dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """A workstation whose playbook does nothing but be counted; returns what it says of a bundle."""
    for program in ("ssh-keygen", "age"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} absent")
    _wished, secrets = fleet
    settings = tmp_path / "reglages"
    settings.mkdir()
    (settings / "tirage.signataires").write_text(signers_text(secrets["plateforme"][SIGNATURE_KEY]["publique"]))
    (settings / "tirage.age").write_text(secrets["62708"][f"postes.{POSTE}.lecture"]["privee"])
    monkeypatch.setattr(tirage, "SETTINGS", settings)
    monkeypatch.setattr(tirage, "STATE", tmp_path / "etat")
    applied: list[str] = []

    def apply(folder: Path) -> dict[str, Any]:
        assert (folder / "site.yml").is_file()
        applied.append((folder / "inventaire.json").read_text(encoding="utf-8"))
        return {"taches": 1, "modifiees": []}

    monkeypatch.setattr(tirage, "apply", apply)

    def take(bundle: Bundle, **changes: bytes) -> dict[str, Any]:
        files = bundle.files() | {name.replace("__", "."): content for name, content in changes.items()}
        before = len(applied)
        told = tirage.pull({"poste": POSTE}, files.__getitem__)
        return told | {"applied": len(applied) - before}

    return take


def opened(archive: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {one.name: tar.extractfile(one).read().decode() for one in tar.getmembers()}  # type: ignore[union-attr]


def test_a_bundle_holds_its_own_commune_alone(fleet: tuple[Pack, dict[str, dict[str, Any]]]) -> None:
    wished, secrets = fleet
    mine, other = sorted(contents(wished, secrets.__getitem__), key=lambda one: one.insee, reverse=True)
    text = "".join(f"{name}\n{content}" for name, content in opened(mine.archive).items())
    assert "riencourt-les-bapaume.fr" in text
    assert "poste-62633" not in text
    assert "oeuf-en-ternois" not in text
    strangers = [value for name in ("62633", "plateforme") for value in secrets[name].values()]
    private = [
        part
        for value in strangers
        for key, part in (value.items() if isinstance(value, dict) else [("", value)])
        if key != "publique"
    ]
    assert private
    assert not [part for part in private if part in text]
    own = secrets["62708"]
    assert own["postes.sessions.secretariat"]["empreinte"] in text
    # What it does not need stays in the vault, though it is its own commune's.
    assert own["postes.sessions.secretariat"]["mot_de_passe"] not in text
    assert own[f"postes.{POSTE}.disque"] not in text
    assert mine.digest != other.digest


def test_the_same_state_makes_the_same_archive_and_lasts_half_its_time(
    fleet: tuple[Pack, dict[str, dict[str, Any]]], bundles: dict[str, Bundle]
) -> None:
    wished, secrets = fleet
    content = next(one for one in contents(wished, secrets.__getitem__) if one.poste == POSTE)
    manifest = json.loads(bundles[POSTE].manifest)
    assert lasting(manifest, content, NOW, 45)
    assert not lasting(manifest, content, NOW + timedelta(days=23), 45)
    changed = replace(content, archive=gzip.compress(b"autre"))
    assert not lasting(manifest, changed, NOW, 45)
    assert not lasting({}, content, NOW, 45)


def test_a_good_bundle_is_applied_once(workstation: Callable[..., dict[str, Any]], bundles: dict[str, Bundle]) -> None:
    first, second = workstation(bundles[POSTE]), workstation(bundles[POSTE])
    assert (first["issue"], first["applied"]) == ("applique", 1), first
    assert (second["issue"], second["applied"], second["sequence"]) == ("attente", 0, bundles[POSTE].sequence)


def test_what_is_not_right_is_refused_and_nothing_is_done(
    workstation: Callable[..., dict[str, Any]],
    bundles: dict[str, Bundle],
    fleet: tuple[Pack, dict[str, dict[str, Any]]],
) -> None:
    wished, secrets = fleet
    good, foreign = bundles[POSTE], bundles["poste-62633-1"]
    content = next(one for one in contents(wished, secrets.__getitem__) if one.poste == POSTE)
    key = secrets["plateforme"][SIGNATURE_KEY]["privee"]
    thief = str(new_secret(SecretKind.CLE_SSH)["privee"])  # type: ignore[index]
    longer = good.manifest.replace(f'"expire": {good.expires}', f'"expire": {good.expires + 1}').encode()
    assert longer != good.manifest.encode()
    flipped = good.archive[:-1] + bytes([good.archive[-1] ^ 1])
    another = issue(
        replace(content, recipient=secrets["62633"]["postes.poste-62633-1.lecture"]["publique"]), key, NOW, 45
    )
    cases = {
        "signature": workstation(issue(content, thief, NOW, 45)),
        "manifest": workstation(good, manifeste__json=longer),
        "unsigned": workstation(good, **{"manifeste.json.sig": b""}),
        "archive": workstation(good, paquet__age=flipped),
        "foreign": workstation(foreign),
        "foreign archive": workstation(good, paquet__age=foreign.archive),
        "another's seal": workstation(another),
        "over": workstation(issue(content, key, NOW - timedelta(days=46), 45)),
        "tomorrow's": workstation(issue(content, key, NOW + timedelta(hours=2), 45)),
    }
    assert {name: (told["issue"], told["applied"]) for name, told in cases.items()} == dict.fromkeys(
        cases, ("refus", 0)
    )
    assert "signature" in cases["manifest"]["motif"]
    assert "poste-62633-1" in cases["foreign"]["motif"]
    # A refusal leaves nothing behind that would keep the good one out.
    assert workstation(good)["issue"] == "applique"
    old = workstation(issue(content, key, NOW - timedelta(minutes=5), 45))
    assert (old["issue"], old["applied"]) == ("refus", 0)
    assert "plus ancien" in old["motif"]
    twin = workstation(issue(content, key, NOW, 45))
    assert twin["issue"] == "refus"
    assert workstation(issue(content, key, NOW + timedelta(seconds=1), 45))["issue"] == "applique"


def test_a_playbook_that_fails_is_told_and_tried_again_but_never_an_older_one(
    workstation: Callable[..., dict[str, Any]],
    bundles: dict[str, Bundle],
    monkeypatch: pytest.MonkeyPatch,
    fleet: tuple[Pack, dict[str, dict[str, Any]]],
) -> None:
    wished, secrets = fleet
    good = tirage.apply
    monkeypatch.setattr(tirage, "apply", lambda folder: {"echec": "apt : panne"})
    told = workstation(bundles[POSTE])
    assert (told["issue"], told["motif"], told["sequence"]) == ("echec", "apt : panne", None)
    monkeypatch.setattr(tirage, "apply", good)
    content = next(one for one in contents(wished, secrets.__getitem__) if one.poste == POSTE)
    key = secrets["plateforme"][SIGNATURE_KEY]["privee"]
    assert workstation(issue(content, key, NOW - timedelta(minutes=5), 45))["issue"] == "refus"
    assert workstation(bundles[POSTE])["issue"] == "applique"


def test_the_puller_runs_by_itself_with_the_standard_library(tmp_path: Path) -> None:
    copied = tmp_path / "packmairie" / "postes_hote"
    shutil.copytree(Path(tirage.__file__).parent, copied)
    for module in ("tirage", "guichet"):
        command = [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
            f"import packmairie.postes_hote.{module} as m; print(m.__file__)",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
