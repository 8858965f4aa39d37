# SPDX-License-Identifier: GPL-3.0-or-later
"""Revoking: everything that the workstation held is replaced, its file says so, nothing else moves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml
from inventory_samples import RIENCOURT
from test_postes_sheet import make_commune_with_postes

from packmairie.cli.main import run
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.problem import PackmairieError
from packmairie.operations.desired import offline_secrets, trees
from packmairie.operations.postes_revoke import marked, revoke

TODAY = date(2026, 11, 24)
BLOCK = """\
postes:
  # Le poste de l'accueil
  - nom: poste-62708-1 # à l'accueil
    acces: tunnel
  - nom: "poste-62708-2"
    acces: tunnel
"""
FLOW = "postes: [{nom: poste-62708-1, acces: tunnel}, {nom: 'poste-62708-12', acces: tunnel}]\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [(BLOCK, "poste-62708-1"), (BLOCK, "poste-62708-2"), (FLOW, "poste-62708-1"), (FLOW, "poste-62708-12")],
)
def test_the_file_is_marked_and_nothing_else_changes(text: str, name: str) -> None:
    after = marked(text, name, TODAY)
    assert after is not None
    postes = {poste["nom"]: poste for poste in yaml.safe_load(after)["postes"]}
    assert [nom for nom, poste in postes.items() if poste.get("revoque_le") == TODAY] == [name]
    for poste in postes.values():
        poste.pop("revoque_le", None)
    assert list(postes.values()) == yaml.safe_load(text)["postes"]
    assert ("# Le poste de l'accueil" in after) == ("# Le poste de l'accueil" in text)


def test_an_entry_that_is_not_there_is_not_invented() -> None:
    assert marked(BLOCK, "poste-62708-3", TODAY) is None


def test_what_it_held_is_replaced_once(tmp_path: Path) -> None:
    place = make_commune_with_postes(tmp_path)
    before = Vault(place).read("62708")
    done = revoke(place, "62708", "poste-62708-1", TODAY, deploy=False)
    after = Vault(place).read("62708")
    held = {"postes.poste-62708-1.tunnel", "postes.sessions.secretariat", "messagerie.boites.secretariat"}
    assert held <= set(done.replaced)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(done.replaced)
    assert before["postes.poste-62708-1.disque"] == after["postes.poste-62708-1.disque"]
    assert load_pack(place).commune("62708").postes[0].revoque_le == TODAY
    again = revoke(place, "62708", "poste-62708-1", TODAY, deploy=False)
    assert again.already
    assert again.replaced == ()
    assert Vault(place).read("62708") == after


def test_a_revoked_workstation_is_admitted_nowhere(tmp_path: Path) -> None:
    place = make_commune_with_postes(tmp_path)
    settings = place / "pack.yml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[dns, frontal, messagerie]", "[dns, frontal, messagerie, acces]"), "utf-8")
    pack = load_pack(place)
    keys = {file.path: file for file in trees(pack, offline_secrets(pack))["acces"].files}
    assert 'permitlisten="127.125.98.1:2222"' in keys["/etc/packmairie/acces/cles"].text()
    revoke(place, "62708", "poste-62708-1", TODAY, deploy=False)
    pack = load_pack(place)
    made = trees(pack, offline_secrets(pack))
    keys = {file.path: file for file in made["acces"].files}
    assert "permitlisten" not in keys["/etc/packmairie/acces/cles"].text()
    assert "postes-poste-62708-1" not in made


def test_an_unknown_workstation_changes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = make_commune_with_postes(tmp_path)
    file = place / "communes" / RIENCOURT
    before, secrets = file.read_text(encoding="utf-8"), Vault(place).read("62708")
    assert run(["postes", "revoke", "62708", "poste-62708-7", "--pack", str(place)]) == 1
    assert "poste-62708-7" in capfd.readouterr().err
    assert file.read_text(encoding="utf-8") == before
    assert Vault(place).read("62708") == secrets
    with pytest.raises(PackmairieError):
        revoke(place, "62633", "poste-62708-1", TODAY, deploy=False)
