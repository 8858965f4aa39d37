# SPDX-License-Identifier: GPL-3.0-or-later
"""The round that the host of the file spaces makes each hour, for every commune: what waits there is moved on.

Acts dropped in ``a-transmettre`` are verified and told of beside them, those deposited are followed; acts that were
acknowledged become archives, transfers are followed. What goes to a platform goes by itself only where the commune's
file says ``deposer``; nothing is ever purged here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from packmairie.engines.deposit import DEPOSITED
from packmairie.engines.spool import Spool
from packmairie.formats.actes.names import MODEL, act_file, read_name
from packmairie.formats.findings import Report
from packmairie.inventory.atomic import write_file
from packmairie.inventory.loader import load_pack
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.preuve import State
from packmairie.model.problem import PackmairieError, fail
from packmairie.operations import archivage, archivage_depot, teletransmission, teletransmission_depot
from packmairie.operations.envois import ROUNDS_FILE
from packmairie.operations.envois_places import SPOOL_VARIABLE, HostSpaces, host_spaces, spool_of

DROPPED = "a-transmettre"
TOLD, HELP = "vérification.txt", "LISEZ-MOI.txt"
REFRESH_DAYS = 7
"""The classification is asked for again each week: an outdated one has acts refused."""
GUIDE = f"""\
Déposer ici un acte en PDF, nommé d'après lui :

  {MODEL}
  jour, nature (délibération, réglementaire, individuel, contrat, budget, autre), numéro, matière, objet

Dans l'heure, il est rangé dans un dossier à son nom, avec le fichier vérification.txt qui dit ce qu'il en est.
Avec des annexes : un dossier, qui contient les fichiers et acte.yml.
L'acte déposé attend votre confirmation sur la plateforme de télétransmission. Son acquittement revient ici.
"""


def follow_all(pack_folder: Path, brique: str, now: datetime) -> dict[str, str]:
    """Make the round of a brique on the host; return, by commune, why it did not succeed, and keep it for the checks.

    One commune's trouble stops no other. Raise PackmairieError where this is no such host.
    """
    host, root = host_spaces(), os.environ.get(SPOOL_VARIABLE)
    if host is None or not root:
        raise fail("--all", "réservé à l'hôte des fichiers, chaque heure", "donner le code INSEE d'une commune")
    pack = load_pack(pack_folder)
    rounds: dict[str, Callable[[Path, Commune, HostSpaces, datetime], Iterator[str]]] = {
        archivage.BRIQUE: _archive,
        teletransmission.BRIQUE: _transmit,
    }
    failures = {}
    for commune in pack.communes:
        told = list(_safely(rounds[brique], pack_folder, commune, host, now))
        if told:
            failures[commune.insee] = " ; ".join(told)[:500]
    state = json.dumps({"fin": datetime.now(UTC).isoformat(timespec="seconds"), "echecs": failures}, ensure_ascii=False)
    write_file(Path(root) / brique / ROUNDS_FILE, state + "\n", mode=0o644)
    return failures


def _safely(
    work: Callable[[Path, Commune, HostSpaces, datetime], Iterator[str]],
    pack_folder: Path,
    commune: Commune,
    host: HostSpaces,
    now: datetime,
) -> Iterator[str]:
    try:
        yield from work(pack_folder, commune, host, now)
    except PackmairieError as error:
        yield str(error)
    except OSError as error:
        yield f"{error.filename or 'fichiers'} : {error.strerror or error}"
    except Exception as error:  # noqa: BLE001 — one commune's trouble must stop no other's round
        yield f"{error.__class__.__name__} : {error}"


def _attempt(work: Callable[[], object]) -> Iterator[str]:
    """Do one step of a round; yield why it failed: the next steps do not depend on it."""
    try:
        work()
    except PackmairieError as error:
        yield str(error)
    except OSError as error:
        yield f"{error.filename or 'fichiers'} : {error.strerror or error}"


def _collect(told: list[str], steps: Iterator[str]) -> None:
    told.extend(steps)


def _archive(pack_folder: Path, commune: Commune, host: HostSpaces, now: datetime) -> Iterator[str]:
    """Prepare the acts handed over, deposit them where the commune wishes it, read what the archival system says."""
    agreed = commune.archivage
    if agreed is None:
        return
    spool = spool_of(pack_folder, archivage.BRIQUE, commune.insee)
    handed = host.handover / commune.insee
    for folder in sorted(handed.iterdir()) if handed.is_dir() else ():
        known = [entry for entry in spool.entries() if entry.data.get("source") == str(folder)]
        if folder.name.startswith(".") or not folder.is_dir() or (known and not _refused(spool, known[-1].transfer)):
            continue
        yield from _attempt(partial(archivage.prepare, pack_folder, commune.insee, folder, now))
    if agreed.deposer:
        for transfer in spool.transfers():
            prepared = spool.step(transfer, archivage.PREPARED)
            handed_over = prepared and str(prepared.data.get("source", "")).startswith(f"{handed}/")
            if handed_over and spool.step(transfer, DEPOSITED) is None:
                yield from _attempt(partial(archivage_depot.deposit, pack_folder, commune.insee, transfer))
    yield from _attempt(lambda: archivage_depot.follow(pack_folder, commune.insee))


def _refused(spool: Spool, transfer: str) -> bool:
    reply = spool.step(transfer, archivage.REPLIED)
    return reply is not None and not reply.data["accepte"]


def _transmit(pack_folder: Path, commune: Commune, host: HostSpaces, now: datetime) -> Iterator[str]:
    """Keep the classification fresh, prepare what was dropped, deposit it where asked, follow what was deposited."""
    section = commune.teletransmission
    if section is None:
        return
    insee = commune.insee
    pack = load_pack(pack_folder)
    if pack.file.tdt is not None:
        fetched = teletransmission.classification_of(spool_of(pack_folder, teletransmission.BRIQUE, insee))[1]
        if fetched is None or now - fetched > timedelta(days=REFRESH_DAYS):
            yield from _attempt(lambda: teletransmission_depot.fetch_classification(pack_folder, insee))
    # Before the folders are looked at: what became of an act is told beside it in the same round.
    yield from _attempt(lambda: teletransmission_depot.follow(pack_folder, insee, now, host.contents / insee))
    dropped = host.spaces / insee / DROPPED
    if dropped.is_dir():
        write_if_new(dropped / HELP, GUIDE)
        for folder in adopt(dropped):
            told: list[str] = []
            # One folder that cannot be written in stops no other's act.
            yield from _attempt(partial(_collect, told, _act(pack_folder, pack, commune, folder, now)))
            yield from told


def _act(pack_folder: Path, pack: Pack, commune: Commune, folder: Path, now: datetime) -> Iterator[str]:
    """Verify an act that was dropped and tell of it beside it; deposit it where the commune wishes it."""
    insee, section = commune.insee, commune.teletransmission
    spool = spool_of(pack_folder, teletransmission.BRIQUE, insee)
    sent = _sent(spool, folder)
    if sent:
        # What is sent is verified no more: a newer classification says nothing of it.
        write_if_new(folder / TOLD, sent)
        return
    try:
        found = teletransmission.prepare(pack_folder, insee, folder, now.date())
    except PackmairieError as error:
        # What is wrong with an act is the secretary's to mend, and is told where it was dropped.
        write_if_new(folder / TOLD, "\n".join(str(problem) for problem in error.problems) + "\n")
        return
    write_if_new(folder / TOLD, told_of(found.report, found.transfer))
    if found.transfer and section is not None and section.deposer and pack.file.tdt is not None:
        yield from _attempt(lambda: teletransmission_depot.deposit(pack_folder, insee, found.transfer))
        write_if_new(folder / TOLD, _sent(spool, folder) or told_of(found.report, found.transfer))


def _sent(spool: Spool, folder: Path) -> str:
    """Return what the secretary reads of an act of this folder that was deposited, nothing when none was."""
    for transfer in reversed(spool.transfers()):
        prepared, deposited = spool.step(transfer, teletransmission.PREPARED), spool.step(transfer, DEPOSITED)
        if not prepared or not deposited or prepared.data.get("dossier") != str(folder.resolve()):
            continue
        received = spool.step(transfer, teletransmission_depot.RECEIVED)
        if received:
            return f"Acquitté le {received.data['recu']} : {received.data['identifiant']} (ARActe.xml).\n"
        refused = spool.step(transfer, teletransmission_depot.REFUSED)
        if refused:
            return f"Refusé : {refused.data['motif']}\n"
        return f"Déposé, transaction {deposited.data['transaction']} : à confirmer sur la plateforme.\n"
    return ""


def adopt(dropped: Path) -> Iterator[Path]:
    """Given the folder in which acts are dropped, yield those that can be read; a PDF gets a folder by its name.

    What tells no act is named in ``vérification.txt``. Links are not followed. Raise OSError.
    """
    unknown = []
    for path in sorted(dropped.iterdir()):
        if path.is_symlink() or path.name.startswith("."):
            continue
        if path.is_dir():
            continue
        if path.name in (TOLD, HELP) or not path.name.lower().endswith(".pdf"):
            continue
        act = read_name(path.name)
        if act is None:
            unknown.append(path.name)
            continue
        folder = dropped / re.sub(r"\.pdf$", "", path.name, flags=re.IGNORECASE)
        if folder.is_symlink():
            continue
        folder.mkdir(exist_ok=True)
        if not (folder / teletransmission.ACT_FILE).exists():
            write_if_new(folder / teletransmission.ACT_FILE, act_file(act, path.name))
        path.rename(folder / path.name)
    told = "".join(f"{name} : ce nom ne dit pas l'acte → le nommer comme dans {HELP}\n" for name in unknown)
    if told or (dropped / TOLD).exists():
        write_if_new(dropped / TOLD, told or "Rien à corriger.\n")
    for path in sorted(dropped.iterdir()):
        if path.is_dir() and not path.is_symlink() and (path / teletransmission.ACT_FILE).is_file():
            yield path


def told_of(found: Report, transfer: str) -> str:
    """Return what the secretary reads of a verification."""
    lines = [f"{item.place} : {item.reason} → {item.remedy}" for item in found.findings]
    lines += [f"non vérifié : {gap}" for gap in found.unverified]
    if transfer:
        lines.insert(0, f"Conforme : acte {transfer}, à confirmer une fois déposé.")
    elif found.state is State.NON_CONFORME:
        lines.insert(0, "À corriger, puis l'acte sera vérifié de nouveau dans l'heure :")
    else:
        lines.insert(0, "Pas encore vérifié :")
    return "\n".join(lines) + "\n"


def write_if_new(path: Path, text: str) -> None:
    """Write a text where it differs; never through a link that somebody put in its place. Raise OSError."""
    if path.is_symlink():
        path.unlink()
    if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text:
        return
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    with temporary.open("x", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)
