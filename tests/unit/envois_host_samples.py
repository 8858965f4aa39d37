# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack whose platform sends from its file spaces, and the folders of that host."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from envois_samples import envois_pack
from inventory_samples import edit

from packmairie.inventory.loader import load_pack
from packmairie.operations.desired import offline_secrets, trees

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SAE = f'sae: {{depot: sftp, hote: sae.example, compte: cdg, empreinte: "SHA256:{"A" * 43}"}}\n'
TDT = 'tdt: {url: "https://tdt.example:8443", certificat: m.crt, cle: m.key}\n'


def sharing_pack(folder: Path, pack_lines: str = SAE + TDT) -> Path:
    """Return the folder of a pack whose platform has the file spaces and both sends."""
    made = envois_pack(folder, pack_lines)
    edit(made / "pack.yml", "groupes: [dns, frontal, messagerie]", "groupes: [dns, frontal, messagerie, partage]")
    for name in ("m.crt", "m.key"):
        (made / name).write_text(f"{name}\n", encoding="utf-8")
    return made


def laid(folder: Path, pack_folder: Path, brique: str) -> Path:
    """Write what the role would lay on the host below /etc/packmairie, as a pack; return its folder."""
    loaded = load_pack(pack_folder)
    for file in trees(loaded, offline_secrets(loaded))[brique].files:
        start = f"/etc/packmairie/{brique}/"
        if file.path.startswith(start):
            path = folder / file.path.removeprefix(start)
            path.parent.mkdir(parents=True, exist_ok=True)
            source = file.parts[0].source
            path.write_bytes(Path(source).read_bytes() if source else file.text().encode())
    return folder


def host_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a host's folders, and two packs on it: what each unit's environment says."""
    made = sharing_pack(tmp_path / "pack")
    path = made / "communes" / "62708-riencourt-les-bapaume.yml"
    path.write_text(path.read_text(encoding="utf-8") + "  publier: true\n", encoding="utf-8")
    for variable, name in (
        ("PACKMAIRIE_ENVOIS", "envois"),
        ("PACKMAIRIE_ESPACES", "partage"),
        ("PACKMAIRIE_CONTENUS", "contenus"),
        ("PACKMAIRIE_REMISE", "remise"),
        ("PACKMAIRIE_SECRETS_HOTE", "secrets"),
    ):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    for brique in ("archivage", "teletransmission"):
        (tmp_path / "envois" / brique).mkdir()
        laid(tmp_path / brique, made, brique)
    (tmp_path / "partage" / "62708" / "a-transmettre").mkdir(parents=True)
    return tmp_path
