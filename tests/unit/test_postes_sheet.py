# SPDX-License-Identifier: GPL-3.0-or-later
"""The handover sheet: whose passwords stand on whose page, in which file, and what is refused."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from core_samples import commune, pack
from inventory_samples import RIENCOURT, make_pack

from packmairie.briques.postes import Postes
from packmairie.cli.main import run
from packmairie.inventory.vault import Vault
from packmairie.model.commune import Commune
from packmairie.model.problem import PackmairieError
from packmairie.operations.postes_sheet import in_french, sheet_pages
from packmairie.reports.poste_sheet import sheet_html, typographic

TODAY = date(2026, 11, 24)
AGENTS = [{"identifiant": "secretariat", "nom": "Secrétariat"}, {"identifiant": "agent", "nom": "Agent d'exemple"}]
POSTES = [
    {"nom": "poste-62708-1", "adresse": "192.0.2.101", "agents": ["secretariat"], "modele": "Portable <14>"},
    {"nom": "poste-62708-2", "acces": "tunnel", "agents": ["agent"]},
]


def marked(one: Commune) -> Mapping[str, Any]:
    """Return secrets whose value tells their name."""
    found: dict[str, Any] = {wish.name: f"VALEUR {wish.name}" for wish in Postes().secrets(one, pack(one))}
    for agent in one.agents:
        found[f"postes.sessions.{agent.identifiant}"] = {"mot_de_passe": f"SESSION {agent.identifiant}"}
        found[f"messagerie.boites.{agent.identifiant}"] = {"mot_de_passe": f"BOITE {agent.identifiant}"}
    return found


def test_a_page_says_its_agent_s_passwords_and_nobody_else_s() -> None:
    one = commune(agents=AGENTS, postes=POSTES)
    pages = sheet_pages(one, pack(one), marked(one), TODAY)
    first, second = (sheet_html([page]) for page in pages)
    assert "SESSION secretariat" in first
    assert "BOITE secretariat" in first
    assert "VALEUR postes.poste-62708-1.disque" in first
    for other in ("SESSION agent", "BOITE agent", "postes.poste-62708-2.disque"):
        assert other not in first
        assert other in second


def test_passwords_show_in_no_repr() -> None:
    one = commune(agents=AGENTS, postes=POSTES)
    assert "SESSION" not in repr(sheet_pages(one, pack(one), marked(one), TODAY))


def test_a_revoked_workstation_is_not_handed_over() -> None:
    lost = [{**POSTES[0], "revoque_le": "2026-11-20"}]
    one = commune(agents=AGENTS, postes=lost)
    with pytest.raises(PackmairieError, match="aucun poste en service"):
        sheet_pages(one, pack(one), marked(one), TODAY)


def test_mail_that_is_elsewhere_has_no_password_here() -> None:
    one = commune(
        agents=AGENTS,
        postes=POSTES,
        existant={"messagerie": "un autre"},
        domaine={"nom": "riencourt-les-bapaume.fr", "dns": "externe"},
    )
    text = sheet_html(sheet_pages(one, pack(one), marked(one), TODAY))
    assert "BOITE" not in text
    assert "Thunderbird" not in text


def test_what_the_file_says_is_never_markup() -> None:
    one = commune(agents=AGENTS, postes=POSTES)
    assert "Portable &lt;14&gt;" in sheet_html(sheet_pages(one, pack(one), marked(one), TODAY))


def test_french_on_paper() -> None:
    assert in_french(date(2026, 12, 1)) == "1er décembre 2026"
    assert typographic("l'aide : « ici » ?") == "l’aide\u00a0: «\u00a0ici\u00a0»\u00a0?"


def make_commune_with_postes(folder: Path) -> Path:
    """Return a pack whose first commune has an agent and a workstation, and its secrets."""
    place = make_pack(folder / "pack")
    file = place / "communes" / RIENCOURT
    file.write_text(
        file.read_text(encoding="utf-8").replace("agents: []", "")
        + "\nagents:\n  - {identifiant: secretariat, nom: Secrétariat}\n"
        + "postes:\n  - {nom: poste-62708-1, acces: tunnel}\n",
        encoding="utf-8",
    )
    assert run(["inventory", "secrets", "--pack", str(place)]) == 0
    return place


@pytest.mark.slow
def test_the_file_is_for_its_owner_s_eyes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = make_commune_with_postes(tmp_path)
    target = tmp_path / "fiche.pdf"
    target.write_bytes(b"older")
    target.chmod(0o644)
    assert run(["postes", "sheet", "62708", "--to", str(target), "--pack", str(place)]) == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", content)) <= 1
    told = "".join(capfd.readouterr())
    secrets = Vault(place).read("62708")
    for name in ("postes.poste-62708-1.disque", "postes.sessions.secretariat"):
        kept = secrets[name]
        assert str(kept["mot_de_passe"] if isinstance(kept, dict) else kept) not in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["62633"], "aucun poste en service"), (["62708", "inconnu"], "n'est pas un agent"), (["99999"], "99999")],
)
def test_refusals(tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    place = make_commune_with_postes(tmp_path)
    target = tmp_path / "fiche.pdf"
    assert run(["postes", "sheet", *arguments, "--to", str(target), "--pack", str(place)]) == 1
    assert said in capfd.readouterr().err
    assert not target.exists()
