# SPDX-License-Identifier: GPL-3.0-or-later
"""``sauvegarde escrow``: what opens the backups, sealed to a key that the operator keeps off line, and on paper.

Without the vault and without packmairie, the sealed text and restic are enough to restore.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyrage
from jinja2 import Environment, PackageLoader

from packmairie.briques.sauvegarde_repositories import endpoint, has_store, repositories
from packmairie.inventory.atomic import write_file
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.pack import Pack
from packmairie.model.problem import fail
from packmairie.operations.sauvegarde_store import maintenance_key, secret_of

FOLDER = "sequestre"
GROUP = 4


@dataclass(frozen=True)
class Opening:
    """What opens one repository."""

    insee: str
    nom: str
    depot: str
    place: str
    mot_de_passe: str

    def __repr__(self) -> str:
        return f"Opening({self.insee}, {self.depot})"

    @property
    def groups(self) -> str:
        """The password in groups that a hand copies without losing its place."""
        return " ".join(self.mot_de_passe[i : i + GROUP] for i in range(0, len(self.mot_de_passe), GROUP))

    @property
    def control(self) -> str:
        """Four characters that tell a misread password: the start of its SHA-256."""
        return hashlib.sha256(self.mot_de_passe.encode()).hexdigest()[:4].upper()


def openings(pack: Pack, vault: Vault) -> list[Opening]:
    """Return what opens each repository of a pack. Raise PackmairieError when the vault lacks a password."""
    return [
        Opening(
            commune.insee,
            commune.nom,
            wished.name,
            f"s3:{endpoint(pack)}/{wished.bucket}/{wished.prefix}",
            str(secret_of(vault, commune.insee, wished.password)),
        )
        for commune in pack.communes
        if commune.deploys("sauvegarde")
        for wished in repositories(commune, pack)
    ]


def seal(folder: Path, today: date, to: Path | None = None) -> tuple[Path, int]:
    """Given a pack's folder, write what opens its backups, sealed to ``sauvegarde.cle_secours``; return file and count.

    Raise PackmairieError when the pack has no store or no such key, or when the vault lacks a password.
    """
    pack = _pack_with_store(folder)
    public = pack.file.sauvegarde.cle_secours
    if public is None:
        raise fail(
            "pack.yml",
            "sauvegarde.cle_secours manque : rien à qui confier les mots de passe",
            "sur une machine hors ligne : age-keygen -o cle-secours.txt, puis écrire ici la clé publique age1…",
        )
    try:
        recipient = pyrage.x25519.Recipient.from_str(public)
    except pyrage.RecipientError:
        raise fail(
            "pack.yml", "sauvegarde.cle_secours n'est pas une clé publique age", "la recopier sans faute"
        ) from None
    vault = Vault(folder)
    found = openings(pack, vault)
    path = to or folder / FOLDER / f"{today:%Y-%m-%d}-sauvegardes.age"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, pyrage.encrypt(plain_text(pack, vault, found, today).encode(), [recipient], armored=True).decode())
    return path, len(found)


def plain_text(pack: Pack, vault: Vault, found: list[Opening], today: date) -> str:
    """Return the text to seal: how to restore with restic alone, then what opens each repository."""
    key = maintenance_key(vault)
    lines = [
        f"Séquestre des sauvegardes — {pack.file.nom}, {today:%d/%m/%Y}",
        "",
        "Pour restaurer sans packmairie, avec restic (0.14 ou plus) :",
        f"  export AWS_ACCESS_KEY_ID={key['identifiant']}",
        f"  export AWS_SECRET_ACCESS_KEY={key['secret']}",
        "  restic -r DÉPÔT snapshots        # demande le mot de passe du dépôt",
        "  restic -r DÉPÔT restore INSTANTANÉ --target DOSSIER",
        "",
    ]
    for opening in found:
        lines += [f"{opening.insee} {opening.nom} — {opening.depot}", f"  dépôt        {opening.place}"]
        lines += [f"  mot de passe {opening.mot_de_passe}   (contrôle {opening.control})", ""]
    return "\n".join(lines)


def paper(folder: Path, today: date, to: Path) -> int:
    """Write what opens the backups as a page to print, in clear, readable by its owner alone; return how many openings.

    Raise PackmairieError when the file exists, or when the vault lacks a password.
    """
    pack = _pack_with_store(folder)
    vault = Vault(folder)
    found = openings(pack, vault)
    environment = Environment(
        loader=PackageLoader("packmairie.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template("sequestre.html.j2").render(
        pack=pack.file.nom, jour=today, ouvertures=found, cle=maintenance_key(vault)
    )
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise fail(str(to), f"écriture impossible ({error.strerror})", "donner un fichier nouveau") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return len(found)


def _pack_with_store(folder: Path) -> Pack:
    pack = load_pack(folder)
    if not has_store(pack):
        raise fail("pack.yml", "le pack n'a pas de stockage de sauvegarde", "déclarer un hôte du groupe stockage")
    return pack
