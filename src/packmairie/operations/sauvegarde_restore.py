# SPDX-License-Identifier: GPL-3.0-or-later
"""``sauvegarde restore``: a file, a mailbox or a whole workstation, as it was at a date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from packmairie.briques.sauvegarde_repositories import repositories
from packmairie.engines.restic import Restic, Snapshot, literal
from packmairie.engines.restic_bridge import Repository
from packmairie.engines.s3 import Store
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, fail
from packmairie.model.sauvegarde import Repository as Wished
from packmairie.operations.desired import select
from packmairie.operations.sauvegarde_compare import compare_files
from packmairie.operations.sauvegarde_proof import manifest_of
from packmairie.operations.sauvegarde_store import maintenance_key, open_store, secret_of

PARIS = ZoneInfo("Europe/Paris")
ADDRESS = re.compile(r"^([a-z0-9._-]+)@([a-z0-9.-]+)$")
FUTURE = timedelta(minutes=5)


@dataclass(frozen=True)
class Restored:
    """What was restored: from which backups, where to, how many files, how many compared with their manifest."""

    folder: Path
    snapshots: tuple[str, ...]
    taken: tuple[datetime, ...]
    files: int
    compared: int
    faults: tuple[str, ...]
    as_of: datetime | None
    """The moment at which the bucket was looked at; None for the bucket as it is now."""


def moment_of(text: str | None, now: datetime) -> datetime | None:
    """Given ``2026-11-20``, ``2026-11-20 14:30`` or an ISO date with its zone, return the moment; a day means its end.

    Without a zone, French time. None stays None. Raise PackmairieError for what is not a date, or is still to come.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise fail(
            "--at", f"« {text} » n'est pas une date", "écrire par exemple 2026-11-20 ou « 2026-11-20 14:30 »"
        ) from None
    if len(text.strip()) == 10:
        moment = datetime.combine(moment.date(), time(23, 59, 59, 999999))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=PARIS)
    if moment.date() > now.astimezone(PARIS).date() and moment > now + FUTURE:
        raise fail("--at", f"« {text} » est à venir", "donner une date passée")
    return min(moment.astimezone(UTC), now)


def restore(folder: Path, insee: str, wanted: str, to: Path, at: str | None = None) -> Restored:
    """Given a pack's folder, a commune and what is wanted of it, restore it into an empty folder.

    ``wanted`` is an absolute path as it was on its host, a mail address, or the name of a repository (``plateforme``,
    ``poste-62708-1``) for everything in it. With ``at``, the newest backup of no later than that date, read in the
    bucket as it stood then, so that nothing done to it since is seen; where those versions have gone with their lock,
    in the bucket as it is. Raise PackmairieError; nothing is written before the backup is found.
    """
    pack = load_pack(folder)
    select(pack, [insee])
    commune = pack.commune(insee)
    now = datetime.now(UTC)
    moment = moment_of(at, now)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise fail(str(to), "ce dossier n'est pas vide", "donner un dossier vide ou nouveau")
    path, names = place_of(commune, pack, wanted)
    vault = Vault(folder)
    reasons: list[str] = []
    with open_store(pack, maintenance_key(vault)) as store:
        for view in (moment, None) if moment is not None else (None,):
            found = []
            for wished in repositories(commune, pack):
                if names and wished.name not in names:
                    continue
                password = str(secret_of(vault, insee, wished.password))
                try:
                    found += _find(store, wished, password, path, moment=moment, view=view)
                except PackmairieError as error:
                    reasons.append(error.problems[0].reason)
            if found:
                return _restore(found, path, to, view)
    why = reasons[0] if reasons else "aucune sauvegarde de cette date ne le contient"
    raise fail(f"commune {insee}", f"{wanted} : {why}", "essayer une autre date, ou « packmairie sauvegarde status »")


def place_of(commune: Commune, pack: Pack, wanted: str) -> tuple[str, tuple[str, ...]]:
    """Return the absolute path wanted (empty: everything) and the repositories in which to look (none means all)."""
    names = tuple(repository.name for repository in repositories(commune, pack))
    if wanted in names:
        return "", (wanted,)
    address = ADDRESS.match(wanted)
    if address:
        if address.group(2) != commune.domaine.nom:
            raise fail(wanted, f"n'est pas une adresse de {commune.domaine.nom}", "donner une adresse de la commune")
        return f"/var/vmail/{address.group(2)}/{address.group(1)}", ("plateforme",)
    if not wanted.startswith("/") or {".", ".."} & set(wanted.split("/")):
        raise fail(
            wanted,
            "ni chemin absolu, ni adresse, ni dépôt",
            f"donner un chemin comme /home/agent/Documents, une adresse, ou {', '.join(names)}",
        )
    return "/" + wanted.strip("/"), ()


def _find(
    store: Store, wished: Wished, password: str, path: str, *, moment: datetime | None, view: datetime | None
) -> list[tuple[Restic, list[Snapshot], Snapshot]]:
    """Return the newest backup of each source of a repository that may hold a path."""
    restic = Restic(Repository(store, wished.bucket, wished.prefix, view), password)
    snapshots = restic.snapshots()
    newest: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        if "donnees" not in snapshot.tags or (moment is not None and snapshot.time > moment):
            continue
        if not path or any(within(path, root) or within(root, path) for root in snapshot.paths):
            newest[snapshot.tag("source")] = snapshot
    return [(restic, snapshots, snapshot) for snapshot in newest.values()]


def within(path: str, root: str) -> bool:
    """Tell whether a path is a root or under it."""
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def _restore(
    found: list[tuple[Restic, list[Snapshot], Snapshot]], path: str, to: Path, view: datetime | None
) -> Restored:
    to.mkdir(parents=True, exist_ok=True)
    compared, faults = 0, []
    for restic, snapshots, snapshot in found:
        arguments = ["restore", snapshot.id, "--target", str(to)]
        done = restic.run([*arguments, *(("--include", literal(path)) if path else ())])
        if done.outcome.state != "reussie":
            faults.append(f"restic : {done.outcome.cause}")
        try:
            kept = manifest_of(restic, snapshots, snapshot)
        except (PackmairieError, ValueError, KeyError, TypeError):
            kept = None
        if kept is None:
            faults.append("cette sauvegarde n'a pas de manifeste lisible : rien n'a pu être comparé")
            continue
        wanted = [e for e in kept[0].entries.values() if e.stable and (not path or within(e.path, path))]
        faults += compare_files(wanted, to)
        compared += len(wanted)
    files = sum(1 for entry in to.rglob("*") if entry.is_file() and not entry.is_symlink())
    if not files and not faults:
        to_name = path or "le dépôt"
        raise fail(to_name, "rien de ce nom dans les sauvegardes de cette date", "vérifier le chemin, ou la date")
    return Restored(
        to,
        tuple(snapshot.id[:8] for _restic, _all, snapshot in found),
        tuple(snapshot.time for _restic, _all, snapshot in found),
        files,
        compared,
        tuple(faults),
        view,
    )
