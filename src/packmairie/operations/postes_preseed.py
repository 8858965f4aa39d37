# SPDX-License-Identifier: GPL-3.0-or-later
"""``postes preseed``: what installs a workstation by itself, as two files, or as an image to write on a USB stick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packmairie.briques.postes import GATEWAY_KEY
from packmairie.briques.postes_install import BOOT_PARAMETERS, MEDIUM, late_text, preseed_text
from packmairie.briques.postes_tenant import gateway_host
from packmairie.briques.postes_tirage import SIGNATURE_KEY, pulls, reading_secret, token_secret
from packmairie.engines.iso import remaster
from packmairie.inventory.atomic import write_file
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste
from packmairie.model.problem import fail
from packmairie.operations.inventory import commune_of

KERNEL_FOLDER = "/install.amd"
FILES = ("preseed.cfg", "late.sh")


@dataclass(frozen=True)
class Medium:
    """What was written for one workstation."""

    poste: str
    files: tuple[Path, ...]


def write_media(folder: Path, insee: str, name: str | None, to: Path, iso: Path | None = None) -> list[Medium]:
    """Given a pack, a commune's code and a workstation (none means all), write what installs it under ``to``.

    Each has a folder of its name, mode 0700, with files of mode 0600; with ``iso``, an image beside it. Raise
    PackmairieError when a secret or a technician's key is missing: what could not be reached is not installed.
    """
    pack = load_pack(folder)
    commune = commune_of(pack, insee)
    chosen = [poste for poste in commune.postes if poste.revoque_le is None and name in {None, poste.nom}]
    if not chosen:
        what = f"n'a pas de poste {name} en service" if name else "n'a aucun poste en service"
        raise fail(f"commune {insee}", what, "voir postes: dans son fichier")
    if not pack.file.postes.cles_techniciens:
        raise fail("pack.yml", "postes.cles_techniciens est vide : personne n'entrerait", "y écrire vos clés publiques")
    vault = Vault(folder)
    secrets, platform = vault.read(insee), vault.read(PLATEFORME)
    absent = [
        wish
        for poste in chosen
        for wish in (f"postes.{poste.nom}.disque", f"postes.{poste.nom}.hote", f"postes.{poste.nom}.tunnel")
        if wish not in secrets
    ]
    if any(needs_gateway(pack, poste) for poste in chosen) and GATEWAY_KEY not in platform:
        absent.append(GATEWAY_KEY)
    pulling = [poste for poste in chosen if pulls(pack, poste)]
    wishes = [wish for poste in pulling for wish in (token_secret(poste), reading_secret(poste))]
    absent += [wish for wish in wishes if wish not in secrets]
    if pulling and SIGNATURE_KEY not in platform:
        absent.append(SIGNATURE_KEY)
    if absent:
        remedy = "les générer avec « packmairie inventory secrets »"
        raise fail(f"secrets/{insee}.yml", f"secrets absents : {', '.join(absent)}", remedy)
    media = []
    for poste in chosen:
        texts = (preseed_text(commune, poste, secrets), late_text(pack, poste, secrets, platform))
        media.append(_medium(to, poste, texts, iso))
    return media


def needs_gateway(pack: Pack, poste: Poste) -> bool:
    """Tell whether a workstation must know the gateway when it first starts."""
    return poste.tunnelled and gateway_host(pack) is not None


def _medium(to: Path, poste: Poste, texts: tuple[str, str], iso: Path | None) -> Medium:
    place = to / poste.nom
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)
        written = [place / name for name in FILES]
        for path, text in zip(written, texts, strict=True):
            write_file(path, text, mode=0o600)
    except OSError as error:
        raise fail(str(place), f"écriture impossible ({error.strerror})", "donner un autre dossier avec --to") from None
    if iso is not None:
        image = place / f"{poste.nom}.iso"
        inside = {f"{MEDIUM.removeprefix('/cdrom')}/{path.name}": path for path in written}
        remaster(iso, image, inside, BOOT_PARAMETERS, kernel=KERNEL_FOLDER)
        written.append(image)
    return Medium(poste.nom, tuple(written))
