# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up one source of one repository, and tell what became of it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import manifest as manifests
from . import restic, store
from .codes import LOCKED, NO_REPOSITORY, Outcome
from .settings import Depot, HostExtract, HostSettings, HostSource

HISTORY = 30
"""How many past runs a state keeps: what growth is judged by."""
LOCK_PATIENCE = "45m"
"""Longer than a maintenance, and than the half hour after which an abandoned lock counts for nothing."""
MANIFEST_NAME = "/manifeste.jsonl"


def back_up(settings: HostSettings, depot: Depot, source: HostSource, hooks: str) -> dict[str, Any]:
    """Back up a source and return its new state, written locally and put in the bucket.

    ``hooks`` is why the hooks before the backup failed, empty when they did not: what they prepare may then be stale,
    so that the backup is made but never called a success.
    """
    folder = settings.state / depot.commune / depot.name
    folder.mkdir(parents=True, exist_ok=True)
    before = read_state(folder / f"{source.name}.json")
    began = datetime.now(UTC)
    under_way = folder / f"{source.name}.en-cours"
    if under_way.exists():
        # The last run died, and the lock that it left keeps maintenance away. Restic removes that of a dead process.
        restic.run(settings, depot, ["unlock"])
    under_way.touch()
    outcome, told = _attempt(settings, depot, source, folder)
    under_way.unlink(missing_ok=True)
    if outcome.state == "reussie" and hooks:
        outcome = Outcome("partielle", hooks)
    state = next_state(
        before,
        outcome,
        told,
        began=began,
        ended=datetime.now(UTC),
        machine=settings.machine,
        source=source.name,
    )
    write_state(folder / f"{source.name}.json", state)
    if outcome.cause != "le stockage ne répond pas":
        try:
            body = json.dumps(state, ensure_ascii=False).encode()
            store.put(depot, f"etat/{source.name}.json", body, datetime.now(UTC))
        except OSError as error:
            state["annonce"] = f"état non transmis : {error}"
            write_state(folder / f"{source.name}.json", state)
    return state


def next_state(
    before: Mapping[str, Any],
    outcome: Outcome,
    told: Mapping[str, Any],
    *,
    began: datetime,
    ended: datetime,
    machine: str,
    source: str,
) -> dict[str, Any]:
    """Given the last state and what this run did, return the new one: a failure keeps the date of the last success."""
    success = outcome.state == "reussie"
    line = {"le": began.isoformat(timespec="seconds"), "etat": outcome.state, **_figures(told)}
    return {
        "machine": machine,
        "source": source,
        "etat": outcome.state,
        "cause": outcome.cause,
        "debut": began.isoformat(timespec="seconds"),
        "fin": ended.isoformat(timespec="seconds"),
        "derniere_reussite": ended.isoformat(timespec="seconds") if success else before.get("derniere_reussite"),
        "instantane": told.get("instantane") or before.get("instantane", ""),
        "manifeste_sha256": told.get("manifeste_sha256", "") if success else before.get("manifeste_sha256", ""),
        "code": told.get("code"),
        **_figures(told),
        "historique": [*before.get("historique", []), line][-HISTORY:],
    }


def _figures(told: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: int(told.get(name) or 0) for name in ("fichiers", "octets", "ajoutes", "modifies", "instables", "envoyes")
    }


def _attempt(settings: HostSettings, depot: Depot, source: HostSource, folder: Path) -> tuple[Outcome, dict[str, Any]]:
    roots = [path for path in source.paths if os.path.lexists(path)]
    try:
        dumps = dump_databases(source, folder / f"{source.name}.bases")
    except (sqlite3.Error, OSError) as error:
        return Outcome("echec", f"copie d'une base impossible ({error})"), {}
    roots += dumps
    if not roots:
        return Outcome("echec", f"rien à sauvegarder : {', '.join(source.paths)} n'existe pas"), {}
    excludes = (*source.excludes, *source.databases, *(f"{base}-wal" for base in source.databases))
    excludes += tuple(f"{base}-shm" for base in source.databases)
    refusal = _ready(settings, depot, folder)
    if refusal is not None:
        return refusal
    kept = folder / f"{source.name}.manifeste.gz"
    taken = manifests.take(roots, excludes, read_manifest(kept), time.time_ns())
    arguments = ["backup", "--json", "--host", settings.machine, "--tag", f"donnees,source:{source.name}"]
    arguments += ["--one-file-system"]
    arguments += [f"--exclude={pattern}" for pattern in excludes]
    # The parent is the last snapshot of this source: restic reads only what changed.
    arguments += ["--group-by", "host,tags", "--", *roots]
    done = restic.run(settings, depot, ["--retry-lock", LOCK_PATIENCE, *arguments])
    if done.code == LOCKED:
        # A maintenance that died leaves its lock; after half an hour without news restic takes it for abandoned.
        restic.run(settings, depot, ["unlock"])
        done = restic.run(settings, depot, arguments)
    summary = done.summary()
    told: dict[str, Any] = {
        "code": done.code,
        "instantane": str(summary.get("snapshot_id") or ""),
        "fichiers": summary.get("total_files_processed"),
        "octets": summary.get("total_bytes_processed"),
        "ajoutes": summary.get("files_new"),
        "modifies": summary.get("files_changed"),
        "envoyes": summary.get("data_added"),
    }
    if done.outcome.state == "echec" or not told["instantane"]:
        return (done.outcome if done.outcome.state == "echec" else Outcome("echec", "restic n'a rien rendu")), told
    settled = manifests.settle(taken, roots, excludes)
    heading = {
        "instantane": told["instantane"],
        "machine": settings.machine,
        "source": source.name,
        "pris_le": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = manifests.to_text(settled, heading)
    told["manifeste_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    told["instables"] = len(settled.entries) - settled.stable
    tags = f"manifeste,source:{source.name},de:{told['instantane'][:16]}"
    sent = restic.run(
        settings,
        depot,
        ["backup", "--json", "--host", settings.machine, "--tag", tags, "--stdin", "--stdin-filename", MANIFEST_NAME],
        text,
    )
    if sent.outcome.state != "reussie":
        return Outcome("echec", f"manifeste non déposé : {sent.outcome.cause}"), told | {"code": sent.code}
    write_manifest(kept, text)
    if settled.unreadable:
        path, why = next(iter(settled.unreadable.items()))
        return Outcome("partielle", f"{len(settled.unreadable)} fichiers illisibles, dont {path} ({why})"), told
    return done.outcome, told


def _ready(settings: HostSettings, depot: Depot, folder: Path) -> tuple[Outcome, dict[str, Any]] | None:
    """Make the repository the first time only: one that was there and is no more has been destroyed."""
    mark = folder / "depot"
    if mark.exists():
        return None
    seen = restic.run(settings, depot, ["cat", "config", "--no-lock"])
    if seen.code == NO_REPOSITORY:
        seen = restic.run(settings, depot, ["init"])
        if seen.code == 1 and "already exists" in seen.err:
            # Another host of the platform made it in between.
            seen = restic.run(settings, depot, ["cat", "config", "--no-lock"])
    if seen.outcome.state != "reussie":
        return seen.outcome, {"code": seen.code}
    mark.write_text(datetime.now(UTC).isoformat(timespec="seconds") + "\n", encoding="utf-8")
    return None


def dump_databases(source: HostSource, folder: Path) -> list[str]:
    """Copy each SQLite file by SQLite's own backup, and what is taken of shared ones; return the folder of the copies.

    Raise sqlite3.Error or OSError.
    """
    if not source.databases and not source.extracts:
        return []
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for place in source.databases:
        if not Path(place).exists():
            continue
        target = folder / place.strip("/").replace("/", "%")
        with (
            closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=60)) as origin,
            closing(sqlite3.connect(target)) as copy,
        ):
            origin.backup(copy)
            refuse_damage(copy, place)
    for extract in source.extracts:
        dump_extract(extract, folder / extract.database.strip("/").replace("/", "%"))
    return [str(folder)]


def dump_extract(extract: HostExtract, target: Path) -> None:
    """Copy the rows of a shared SQLite file that belong to one commune, all as they stood at one moment.

    Reading holds writers back for that moment. Raise sqlite3.Error, FileNotFoundError.
    """
    if not Path(extract.database).exists():
        raise FileNotFoundError(f"{extract.database} n'existe pas")
    with closing(sqlite3.connect(target, timeout=60, isolation_level=None, uri=True)) as copy:
        copy.execute("ATTACH ? AS origine", (f"file:{quote(extract.database)}?mode=ro",))
        copy.execute("BEGIN")
        for table, condition in extract.tables:
            name = '"' + table.replace('"', '""') + '"'
            found = copy.execute(
                "SELECT sql FROM origine.sqlite_master WHERE type = 'table' AND name = ?", (table,)
            ).fetchone()
            if found is None:
                raise sqlite3.DatabaseError(f"{extract.database} : table absente ({table})")
            copy.execute(found[0])
            # The names and conditions are the pack's own, read from a file that only root writes.
            copy.execute(
                f"INSERT INTO main.{name} SELECT * FROM origine.{name} WHERE {condition}",  # noqa: S608
                {"valeur": extract.value} if ":valeur" in condition else {},
            )
        copy.execute("COMMIT")
        copy.execute("DETACH origine")
        refuse_damage(copy, extract.database)


def refuse_damage(copy: sqlite3.Connection, place: str) -> None:
    """Raise sqlite3.DatabaseError when a copy is not whole."""
    verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"{place} : {verdict}")


def read_manifest(path: Path) -> Mapping[str, manifests.Entry]:
    """Return the files of the last manifest; an absent or damaged one is empty, and everything is hashed again."""
    try:
        return manifests.from_text(gzip.decompress(path.read_bytes()).decode())[1].entries
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return {}


def write_manifest(path: Path, text: str) -> None:
    """Keep a manifest for the next run."""
    _write(path, gzip.compress(text.encode(), 6))


def read_state(path: Path) -> dict[str, Any]:
    """Return a state; an absent or damaged one is empty."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state whole."""
    _write(path, (json.dumps(state, ensure_ascii=False, indent=1) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.neuf")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
