# SPDX-License-Identifier: GPL-3.0-or-later
"""When a workstation may be left alone: only when nothing is wished anew and nothing has been touched."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from core_samples import commune, pack

from packmairie.model.pack import Pack
from packmairie.operations.desired import offline_secrets, trees
from packmairie.operations.postes_bundle import wish_digest

PATH = Path(__file__).resolve().parents[2] / "plugins" / "modules" / "packmairie_constat.py"
KNOWN = {"format": 1, "voeu": "v", "le": 1000.0, "etat": {"/etc": "a", "unités": "b"}}


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The module as Python sees it."""
    spec = importlib.util.spec_from_file_location("packmairie_constat", PATH)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    ("known", "wish", "now", "observed", "why"),
    [
        (KNOWN, "v", 1000 + 19 * 3600, KNOWN["etat"], ""),
        ({}, "v", 1001, KNOWN["etat"], "jamais"),
        (KNOWN, "w", 1001, KNOWN["etat"], "voulu"),
        (KNOWN, "v", 1000 + 20 * 3600, KNOWN["etat"], "ancien"),
        (KNOWN, "v", 900, KNOWN["etat"], "ancien"),
        (KNOWN, "v", 1001, {"/etc": "c", "unités": "b"}, "/etc"),
        (KNOWN, "v", 1001, {"/etc": "a"}, "unités"),
        (KNOWN, "v", 1001, {"/etc": "a", "unités": "b", "autre": "c"}, "autre"),
    ],
)
def test_what_is_unknown_old_or_touched_is_gone_through(
    module: ModuleType, known: dict[str, Any], wish: str, now: float, observed: dict[str, str], why: str
) -> None:
    said = module.difference(known, wish, now, 20, observed)
    assert (why in said) if why else said == ""


@pytest.mark.parametrize(
    "touch",
    [
        lambda folder: (folder / "a/fichier").write_text("autre"),
        lambda folder: (folder / "a/fichier").write_text("texte"),
        lambda folder: (folder / "a/fichier").chmod(0o600),
        lambda folder: (folder / "a/fichier").unlink(),
        lambda folder: (folder / "a/nouveau").touch(),
        lambda folder: os.utime(folder / "a/fichier", (1, 1)),
        lambda folder: ((folder / "lien").unlink(), (folder / "lien").symlink_to("a/autre")),
    ],
)
def test_any_touch_of_a_file_is_seen(module: ModuleType, tmp_path: Path, touch: Callable[[Path], object]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/fichier").write_text("texte")
    (tmp_path / "lien").symlink_to("a/fichier")
    before = list(module.walk(str(tmp_path)))
    assert list(module.walk(str(tmp_path))) == before
    touch(tmp_path)
    assert list(module.walk(str(tmp_path))) != before


def test_a_backup_under_way_or_failed_is_no_touch_but_a_stopped_service_is(module: ModuleType) -> None:
    backup = "Id=packmairie-sauvegarde.service\nType=oneshot\nRemainAfterExit=no\nActiveState={}"
    assert len({module.standing(backup.format(state)) for state in ("activating", "inactive", "failed")}) == 1
    for other in ("Type=oneshot\nRemainAfterExit=yes\nActiveState={}", "Type=notify\nActiveState={}", "ActiveState={}"):
        assert module.standing(other.format("active")) != module.standing(other.format("inactive"))


def test_the_wish_changes_with_the_pack_and_is_one_host_s() -> None:
    entries = [{"nom": f"poste-62708-{number}", "acces": "tunnel"} for number in (1, 2)]
    one = commune(postes=entries)
    wished = pack(one)
    source = offline_secrets(wished)

    def digest(of: Pack, number: int) -> str:
        return wish_digest(of, trees(of, source, ("62708",)), "62708", f"poste-62708-{number}")

    assert digest(wished, 1) == digest(wished, 1)
    assert digest(wished, 1) != digest(wished, 2)
    later = pack(one, postes={"verrouillage_minutes": 7})
    assert digest(later, 1) != digest(wished, 1)


def test_what_a_run_renders_beforehand_is_what_its_hosts_will_ask_for() -> None:
    path = PATH.parents[1] / "callback" / "packmairie_state.py"
    spec = importlib.util.spec_from_file_location("packmairie_state_tested", path)
    assert spec
    assert spec.loader
    state = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(state)
    shared, first, second, other = (
        SimpleNamespace(vars={"commune_insee": insee} if insee else {}) for insee in ("", "62708", "62708", "62633")
    )
    own = [frozenset({"62633"}), frozenset({"62708"})]
    assert state.selections([first, second, other], []) == own
    assert state.selections([shared], []) == [frozenset()]
    assert state.selections([shared, first, other], []) == [frozenset(), *own]
    assert state.selections([first], ["62708"])[0] == frozenset({"62708"})
