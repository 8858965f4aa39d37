# SPDX-License-Identifier: GPL-3.0-or-later
"""``import`` and ``remove``: a commune's archive taken in another pack; a commune that leaves once archived."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO

from packmairie.engines.ansible import Failure, Step, run_playbook
from packmairie.engines.cargo import delete, put
from packmairie.inventory.atomic import write_file
from packmairie.inventory.loader import load_pack
from packmairie.model.change import Change
from packmairie.model.deployment import Ending, Outcome, Request
from packmairie.model.export import Manifest
from packmairie.model.problem import PackmairieError, fail
from packmairie.operations.deploy import failures_of, new_run_folder
from packmairie.operations.export import SETTINGS, exports_of, host_of
from packmairie.operations.export_archive import members_of, verify_archive
from packmairie.operations.guard import ALLOW_REMOVAL
from packmairie.operations.inventory import commune_of
from packmairie.operations.journal import Journal, one_at_a_time
from packmairie.operations.plan import SITE

DELETE_DATA = "--delete-data"
FRESH = timedelta(days=1)
"""An older archive may lack what came since."""


@dataclass(frozen=True)
class Removal:
    """What the removal of a commune did: what changed on hosts, which data was deleted, what remains on purpose."""

    insee: str
    changes: tuple[Change, ...]
    failures: tuple[Failure, ...]
    deleted: tuple[str, ...]
    kept: tuple[str, ...]


def import_settings(folder: Path, archive: Path) -> tuple[Manifest, tuple[Path, ...]]:
    """Given a pack and a commune's archive, write its settings in the pack: all of them, or nothing.

    Raise PackmairieError when the archive is not sound, or when the pack with it would not be.
    """
    manifest = verify_archive(archive)
    pack = load_pack(folder)
    if any(commune.insee == manifest.insee for commune in pack.communes):
        raise fail(
            f"commune {manifest.insee}", f"est déjà dans le pack {folder}", "la retirer, ou choisir un autre pack"
        )
    written: list[Path] = []
    try:
        for member, content in members_of(archive):
            pure = PurePosixPath(member.name)
            if pure.parts[0] != "reglages" or content is None:
                continue
            relative = PurePosixPath(*pure.parts[1:])
            beginnings = [pattern.format(insee=manifest.insee).split("*")[0] for pattern in SETTINGS]
            if not any(str(relative).startswith(beginning) for beginning in beginnings):
                raise fail(str(archive), f"réglage inattendu : {relative}", "refaire l'export")
            path = folder / relative
            if path.exists():
                raise fail(str(path), "existe déjà dans ce pack", "le déplacer, puis relancer")
            path.parent.mkdir(parents=True, exist_ok=True)
            written.append(path)
            write_file(path, content.read())
        load_pack(folder)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return manifest, tuple(written)


def import_data(folder: Path, archive: Path, on_part: Callable[[str], None] = lambda name: None) -> dict[str, int]:
    """Given a pack in which the commune is deployed and its archive, put its data back on the hosts, as it was.

    Return the number of files and folders by part. Raise PackmairieError.
    """
    manifest = verify_archive(archive)
    pack = load_pack(folder)
    commune = commune_of(pack, manifest.insee)
    if commune.domaine.nom != manifest.domaine:
        raise fail(f"commune {manifest.insee}", f"son domaine n'est pas {manifest.domaine}", "importer ses réglages")
    done = {}
    for wish in exports_of(commune, pack):
        if not wish.paths:
            continue
        on_part(wish.title)
        name, host = host_of(pack, wish.group)
        done[wish.name] = put(name, host, _below(archive, wish.name, wish.paths))
    return done


def _below(archive: Path, part: str, paths: tuple[str, ...]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield the members of a part, named from their host's root; only what stands where the brique says goes back."""
    roots = tuple(path.lstrip("/") for path in paths)
    for member, content in members_of(archive):
        head, _slash, rest = member.name.partition("/")
        if head != part or not any(rest == root or rest.startswith(f"{root}/") for root in roots):
            continue
        member.name, member.pax_headers = rest, {}
        yield member, content


def remove_commune(
    folder: Path,
    insee: str,
    archive: Path,
    *,
    runs: Path,
    allow_removal: bool,
    delete_data: bool,
    on_step: Callable[[Step], None] | None = None,
) -> Removal:
    """Given a pack, a commune and its fresh archive, take the commune off the platform, then out of the pack.

    Its data goes only when asked; its vault stays, because its locked backups open with it alone. Can be run again
    after an interruption. Raise PackmairieError, before anything is touched, when the archive is not sound, whole and
    fresh, or when a flag is missing.
    """
    manifest = verify_archive(archive)
    if manifest.insee != insee:
        raise fail(str(archive), f"est l'archive de {manifest.insee}", f"packmairie export {insee} --to FICHIER")
    if manifest.missing:
        raise PackmairieError(
            problem
            for reason in manifest.missing
            for problem in fail(
                str(archive), f"il y manque {reason}", "mettre en ordre, puis refaire l'export"
            ).problems
        )
    if datetime.now(UTC) - datetime.fromisoformat(manifest.made) > FRESH:
        raise fail(
            str(archive), f"date du {manifest.made}", "refaire l'export : il peut manquer ce qui est venu depuis"
        )
    own = {insee, f"{insee}.json", manifest.domaine}
    for place in manifest.places.values():
        if any(PurePosixPath(path).name not in own for path in place["paths"]):
            raise fail(str(archive), "nomme des dossiers qui ne sont pas ceux de la commune", "refaire l'export")
    if not allow_removal:
        raise fail(f"commune {insee}", "sera retirée de la plateforme et du pack", f"confirmer par {ALLOW_REMOVAL}")
    with one_at_a_time(runs, folder):
        return _remove(folder, insee, manifest, runs, delete_data, on_step)


def _remove(  # noqa: PLR0917 — what its public half was given
    folder: Path,
    insee: str,
    manifest: Manifest,
    runs: Path,
    delete_data: bool,
    on_step: Callable[[Step], None] | None,
) -> Removal:
    pack = load_pack(folder)
    run_folder = new_run_folder(runs, datetime.now(UTC))
    journal = Journal(run_folder)
    journal.start(Request(str(folder.resolve()), (insee,), whole=False, allow_removal=True))
    journal.wave((insee,))
    ending = Ending.INTERRUPTED
    try:
        _forget(folder, insee)
        variables = {"packmairie_communes": insee, "packmairie_allow_removal": True}
        result = run_playbook(SITE, folder, run_folder, variables=variables, on_step=on_step)
        failures = failures_of(result)
        deleted: list[str] = []
        kept = [f"secrets/{insee}.yml", "ses sauvegardes verrouillées, jusqu'à la fin de leur rétention"]
        for place in manifest.places.values():
            (deleted if delete_data and not failures else kept).extend(place["paths"])
            if delete_data and not failures:
                delete(*host_of(pack, place["group"]), place["paths"])
        ending = Ending.FAILED if failures else Ending.SUCCEEDED
        journal.outcomes({insee: Outcome.FAILED if failures else Outcome.REMOVED})
    except PackmairieError:
        ending = Ending.FAILED
        raise
    finally:
        journal.end(ending)
    changes = tuple(change for change in result.changes if change.commune == insee)
    return Removal(insee, changes, tuple(failures), tuple(deleted), tuple(kept))


def _forget(folder: Path, insee: str) -> None:
    """Take a commune's settings out of the pack; its archive holds them."""
    for pattern in SETTINGS:
        head = pattern.format(insee=insee)
        for path in sorted(folder.glob(head.removesuffix("/**/*"))):
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
