# SPDX-License-Identifier: GPL-3.0-or-later
"""A commune goes to another operator: his pack, his names, his secrets, his hosts; what it had is there again."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from messages import numbered
from separate import separate_lab, share_packages
from stages import ROOT, Deployment, Told, move_to, told_by

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.lab.rehearsal import play_registrar
from packmairie.operations.export import SETTINGS
from packmairie.operations.export_archive import verify_archive

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

CODE, DOMAIN = "62633", "oeuf-en-ternois.fr"
OTHER_DOMAIN = "autre-operateur.example"
Run = Callable[..., Told]


@dataclass(frozen=True)
class Operator:
    """Another operator: his hosts, his pack, and the command line on it."""

    lab: Lab
    folder: Path
    runs: Path

    def __call__(self, *arguments: str) -> Told:
        """Run a command on his pack."""
        return told_by(self.folder, *arguments)

    def must(self, *arguments: str) -> Told:
        """Run a command that has to succeed."""
        told = self(*arguments)
        assert told.code == 0, f"{arguments}\n{told.out[-2000:]}\n{told.err[-2000:]}"
        return told


@pytest.fixture
def successor(deployed: Deployment, tmp_path: Path) -> Iterator[Operator]:
    """An operator who serves one commune already, and knows nothing of the one that comes."""
    lab = separate_lab("repreneur", packages=True)
    try:
        lab.up(["monde", "plateforme", "stockage"], progress=print)
        folder = tmp_path / "repreneur"
        left = ("secrets", ".vault-password", "preuves", "envois")
        shutil.copytree(ROOT / "inventories" / "demo", folder, ignore=shutil.ignore_patterns(*left))
        for code in (CODE, "59529"):
            for pattern in SETTINGS:
                for path in folder.glob(pattern.format(insee=code).removesuffix("/**/*")):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        settings = folder / "pack.yml"
        settings.write_text(
            settings.read_text(encoding="utf-8").replace("pack.example", OTHER_DOMAIN), encoding="utf-8"
        )
        move_to(lab, folder)
        operator = Operator(lab, folder, tmp_path / "runs-repreneur")
        operator.must("inventory", "secrets")
        play_registrar(lab, folder)
        operator.must("deploy", "--runs", str(operator.runs))
        yield operator
        share_packages(lab)
    finally:
        lab.down(purge=True)


DERIVED = "dovecot* maildirsize etat.json"
"""What services derive from the rest: indexes and counts of messages; when each file of a site was last looked at."""


def sums(lab: Lab, paths: list[str]) -> set[str]:
    """Return a line (hash and path) for each file below these paths, but for what a deployment or a service makes."""
    below = " ".join(shlex.quote(path) for path in paths)
    # A site's data names the operator's own hosts: his deployment lays it.
    left = "-not -path '/var/lib/packmairie/sites/*' " + " ".join(f"-not -name '{name}'" for name in DERIVED.split())
    script = f"find {below} -type f {left} -print0 2>/dev/null | sort -z | xargs -0 -r sha256sum"
    done = lab.run("plateforme", ["sh", "-c", script])
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def looked_at(lab: Lab) -> dict[str, list[object]]:
    """Return the hash and size of each file of the site, as its builder knows them."""
    kept = json.loads(lab.run("plateforme", ["cat", f"/var/lib/packmairie/contenus/{CODE}/.versions/etat.json"]).stdout)
    return {name: seen[:2] for name, seen in kept.items()}


def test_what_a_commune_had_is_there_with_another_operator(
    successor: Operator, pack_folder: Path, packmairie: Run, lab: Lab, tmp_path: Path
) -> None:
    archive = tmp_path / "commune.tar"
    with numbered(lab, 5, 0, 60, DOMAIN):
        pass
    told = packmairie("export", CODE, "--to", str(archive))
    assert told.code == 0, told.err
    places = verify_archive(archive).places
    assert {"messagerie", "fichiers", "site"} <= set(places), places
    before = {name: sums(lab, place["paths"]) for name, place in places.items()}
    assert len(before["messagerie"]) >= 5
    assert before["site"]
    site = looked_at(lab)

    assert [commune.insee for commune in load_pack(successor.folder).communes] == ["62708"]
    successor.must("import", str(archive))
    assert [commune.insee for commune in load_pack(successor.folder).communes] == [CODE, "62708"]
    play_registrar(successor.lab, successor.folder)
    account = json.loads(successor.must("deploy", CODE, "--json", "--runs", str(successor.runs)).out)
    assert account["communes"] == {CODE: "changed"}
    successor.must("import", str(archive), "--data")
    successor.must("deploy", "--runs", str(successor.runs))
    play_registrar(successor.lab, successor.folder)

    for name, place in places.items():
        missing = before[name] - sums(successor.lab, place["paths"])
        assert missing == set(), f"{name} : {sorted(missing)[:5]}"
    assert looked_at(successor.lab) == site
    # Secrets never left the first operator: the accounts have others, and the messages open with them.
    secret = "messagerie.boites.sonde"
    assert Vault(successor.folder).read(CODE)[secret] != Vault(pack_folder).read(CODE)[secret]
    count = ["doveadm", "search", "-u", f"contact@{DOMAIN}", "from", "temoin@ailleurs.example"]
    assert len(successor.lab.run("plateforme", count).stdout.splitlines()) >= 5
    checks = json.loads(successor("status", CODE, "--json").out)
    states = {f"{check['brique']}.{check['check']}": check["state"] for check in checks if check["commune"] == CODE}
    for name in ("messagerie.aller-retour", "presence.accueil", "presence.webmail", "partage.fichiers-aller-retour"):
        assert states[name] == "conforme", (name, states)
