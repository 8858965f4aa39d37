# SPDX-License-Identifier: GPL-3.0-or-later
"""A commune is added while visitors ask for every site: its page is there within a second, and nobody meets an error.

The same mechanism as bench/sites_under_load.py, with fewer communes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packmairie.inventory.loader import load_pack
from packmairie.lab import Lab
from packmairie.lab.load import Arrival, Crowd, caddy_identity
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.registry.table import table

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
MORE = 60
"""Communes laid beside those of the pack: sites only, the rest elsewhere, so that they need no secrets."""
ELSEWHERE = ("messagerie", "partage", "sauvegarde")


@pytest.fixture(scope="module")
def many(pack: Pack, pack_folder: Path, packmairie: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the pack with more communes, all but the last laid by the web part of the playbook; then removed."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk n'est pas installé (scripts/install-test-tools)")
    folder = tmp_path_factory.mktemp("many") / "pack"
    shutil.copytree(pack_folder, folder)
    known = {commune.insee for commune in pack.communes}
    allowed = pack.file.eligibilite.departements
    rows = [
        row
        for row in table().values()
        if row.population < 1000 and row.departement in allowed and row.insee not in known
    ]
    codes = [row.insee for row in sorted(rows, key=lambda row: row.insee)[:MORE]]
    assert packmairie("inventory", "add", *codes, "--pack", str(folder)).code == 0
    for code in codes:
        (path,) = (folder / "communes").glob(f"{code}-*.yml")
        text = path.read_text(encoding="utf-8").replace("dns: geree", "dns: externe")
        elsewhere = "".join(f"  {brique}: Prestataire d'exemple\n" for brique in ELSEWHERE)
        path.write_text(f"{text}\nexistant:\n{elsewhere}", encoding="utf-8")
    (last,) = (folder / "communes").glob(f"{codes[-1]}-*.yml")
    text = last.read_text(encoding="utf-8")
    last.unlink()
    play(folder)
    last.write_text(text, encoding="utf-8")
    yield folder
    play(pack_folder, "-e", "packmairie_allow_removal=true")


def play(folder: Path, *options: str) -> None:
    """Run the web part of the platform's playbook, as a technician may."""
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(folder), "playbooks/site.yml"]
    done = subprocess.run(
        [*command, "--tags", "frontal,presence", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def site(commune: Commune) -> str:
    return f"www.{commune.domaine.nom}"


def test_a_commune_is_added_under_load(many: Path, pack: Pack, lab: Lab, runs_folder: Path, packmairie: Any) -> None:
    certified = [site(commune) for commune in pack.communes if commune.deploys("presence")]
    *others, added = [c for c in load_pack(many).communes if not c.deploys("messagerie")]
    names = [*certified, *map(site, others)]
    before = caddy_identity(lab)
    crowd = Crowd(str(lab.host("plateforme").address), lab.root_certificate(), names, certified)
    arrival = Arrival(lab, added.insee, site(added), certified[0])
    try:
        with crowd.visiting():
            done = packmairie("deploy", added.insee, "--pack", str(many), "--runs", str(runs_folder))
            assert done.code == 0, done.err
            seconds = arrival.seconds()
    finally:
        arrival.stop()
    figures = crowd.figures
    assert figures is not None
    print(f"{seconds:.2f} s ; {figures}")
    assert figures.failures == ()
    assert figures.requests > 500
    assert figures.strangers > 20
    assert seconds < 1
    assert caddy_identity(lab) == before
