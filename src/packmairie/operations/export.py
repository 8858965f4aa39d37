# SPDX-License-Identifier: GPL-3.0-or-later
"""``export``: everything that a commune has on the platform, in one archive that it can take elsewhere."""

from __future__ import annotations

import mailbox
import shlex
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from packmairie.briques.sauvegarde_repositories import has_store, repositories
from packmairie.engines.cargo import output, take
from packmairie.inventory.loader import COMMUNES_FOLDER, load_pack
from packmairie.model.commune import Commune
from packmairie.model.export import Export, ExportedPart, Manifest
from packmairie.model.pack import Hote, Pack
from packmairie.model.problem import PackmairieError, fail
from packmairie.model.record import zone_text
from packmairie.operations.desired import commune_zone, deployed_briques
from packmairie.operations.envois_places import spool_of
from packmairie.operations.export_archive import ArchiveWriter
from packmairie.operations.inventory import commune_of
from packmairie.operations.sauvegarde_restore import restore
from packmairie.operations.status import status_pack
from packmairie.reports.status_json import render_json

SETTINGS = (
    f"{COMMUNES_FOLDER}/{{insee}}-*.yml",
    "blasons/{insee}.*",
    "contenu/{insee}/**/*",
    "publications/{insee}/**/*",
    "marches/{insee}.*",
)
"""What the pack holds for one commune beside its secrets, which never leave it."""


def export_commune(folder: Path, insee: str, to: Path, on_part: Callable[[str], None] = lambda title: None) -> Manifest:
    """Given a pack's folder, a commune and a new file, write the commune's archive there; return its manifest.

    A part that cannot be had is named in the manifest with its reason: the archive then cannot serve to remove the
    commune. Raise PackmairieError when nothing can be exported; no file is left then.
    """
    pack = load_pack(folder)
    commune = commune_of(pack, insee)
    if to.exists():
        raise fail(str(to), "ce fichier existe déjà", "donner un nouveau nom")
    try:
        writer = ArchiveWriter(to)
    except OSError as error:
        raise fail(str(to), f"écriture impossible ({error.strerror})", "donner un autre fichier") from None
    parts: list[ExportedPart] = []
    wishes = exports_of(commune, pack)
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=to.parent) as scratch:
            work: list[tuple[str, str, Callable[[], None]]] = [
                ("reglages", "Réglages", lambda: _settings(writer, folder, insee)),
                ("zone", "Zone DNS", lambda: _zone(writer, commune, pack)),
                *(
                    (wish.name, wish.title, lambda wish=wish: _part(writer, folder, pack, commune, wish, Path(scratch)))
                    for wish in wishes
                ),
                *(
                    (
                        f"sauvegarde/{name}",
                        f"Dernière sauvegarde ({name})",
                        lambda name=name: _backup(writer, folder, insee, name, Path(scratch)),
                    )
                    for name in (
                        [repository.name for repository in repositories(commune, pack)] if has_store(pack) else []
                    )
                ),
                ("preuves", "Preuves", lambda: _evidence(writer, folder, insee)),
            ]
            for name, title, do in work:
                on_part(title)
                files, octets, missing = writer.files, writer.octets, ""
                try:
                    do()
                except PackmairieError as error:
                    missing = error.problems[0].reason
                parts.append(ExportedPart(name, title, writer.files - files, writer.octets - octets, missing))
        manifest = Manifest(
            insee,
            commune.nom,
            commune.domaine.nom,
            pack.file.nom,
            datetime.now(UTC).isoformat(timespec="seconds"),
            tuple(parts),
            {wish.name: {"group": wish.group, "paths": list(wish.paths)} for wish in wishes if wish.paths},
        )
        writer.finish(manifest)
    except OSError as error:
        raise fail(str(to), f"écriture impossible ({error.strerror})", "vérifier la place sur le disque") from None
    finally:
        writer.abandon()
    return manifest


def exports_of(commune: Commune, pack: Pack) -> tuple[Export, ...]:
    """Return the parts that the commune's briques export, in their order."""
    return tuple(wish for brique in deployed_briques(commune) for wish in brique.exports(commune, pack))


def host_of(pack: Pack, group: str) -> tuple[str, Hote]:
    """Return the host that plays a group. Raise PackmairieError when none does."""
    for name, host in sorted(pack.file.plateforme.hotes.items()):
        if group in host.groupes:
            return name, host
    raise fail("pack.yml", f"aucun hôte ne joue {group}", "vérifier plateforme.hotes")


def _settings(writer: ArchiveWriter, folder: Path, insee: str) -> None:
    for pattern in SETTINGS:
        for path in sorted(folder.glob(pattern.format(insee=insee))):
            if path.is_file() and not path.is_symlink():
                writer.add_path(f"reglages/{path.relative_to(folder)}", path)


def _zone(writer: ArchiveWriter, commune: Commune, pack: Pack) -> None:
    zone = commune_zone(commune, pack)
    writer.add(f"zone/{zone.name}.zone", zone_text(zone).encode())


def _evidence(writer: ArchiveWriter, folder: Path, insee: str) -> None:
    preuves = [preuve for preuve in status_pack(folder, [insee]).preuves if preuve.commune == insee]
    writer.add("preuves/status.json", render_json(preuves).encode())


def _backup(writer: ArchiveWriter, folder: Path, insee: str, name: str, scratch: Path) -> None:
    place = scratch / f"sauvegarde-{name}"
    restored = restore(folder, insee, name, place)
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink():
            writer.add_path(f"sauvegarde/{name}/{path.relative_to(place)}", path)
    if restored.faults:
        raise fail(name, " ; ".join(restored.faults[:3]), "packmairie sauvegarde status")


def _part(  # noqa: PLR0917 — from where, for whom, and to where
    writer: ArchiveWriter, folder: Path, pack: Pack, commune: Commune, wish: Export, scratch: Path
) -> None:
    if wish.spool:
        place = spool_of(folder, wish.name, commune.insee).folder
        for path in sorted(place.rglob("*")) if place.is_dir() else ():
            if path.is_file() and not path.is_symlink():
                writer.add_path(f"{wish.name}/{path.relative_to(place)}", path)
        return
    name, host = host_of(pack, wish.group)
    taken = scratch / f"{wish.name}.tar"
    if wish.command:
        with taken.open("wb") as target:
            output(name, host, shlex.join(wish.command), target)
        writer.add_path(f"{wish.name}/{wish.file}", taken)
        return
    take(name, host, wish.paths, wish.excludes, taken)
    if taken.stat().st_size == 0:
        return
    with tarfile.open(taken, "r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            member.name = f"{wish.name}/{member.name.removeprefix('./')}"
            writer.add_member(member, content)
    if wish.mailboxes:
        _mboxes(writer, taken, wish.name, scratch / "maildir")
    taken.unlink()


def _mboxes(writer: ArchiveWriter, taken: Path, name: str, place: Path) -> None:
    """Add each mailbox and each of its folders as an mbox file."""
    with tarfile.open(taken, "r:") as archive:
        archive.extractall(place, filter="data")
    for maildir in _maildirs(place):
        box = maildir.parent.name if maildir.name == "Maildir" else maildir.parent.parent.name
        label = box if maildir.name == "Maildir" else f"{box}{maildir.name}"
        target = place.parent / "mbox"
        with suppress(FileNotFoundError):
            target.unlink()
        mbox = mailbox.mbox(target)
        for message in mailbox.Maildir(maildir, create=False):
            mbox.add(message)
        mbox.flush()
        mbox.close()
        if target.exists():
            writer.add_path(f"{name}-mbox/{label}.mbox", target)


def _maildirs(place: Path) -> Iterator[Path]:
    """Yield the Maildirs below a folder: those of boxes, and their folders (Maildir++)."""
    for current in sorted(place.rglob("cur")):
        if current.is_dir() and (current.parent / "new").is_dir():
            (current.parent / "tmp").mkdir(exist_ok=True)
            yield current.parent
