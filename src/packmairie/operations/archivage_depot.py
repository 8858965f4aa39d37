# SPDX-License-Identifier: GPL-3.0-or-later
"""A verified transfer deposited at the archival system, followed to its reply, and its originals purged after that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packmairie.engines.deposit import COMMITTING, DEPOSITED, Deposit, NotSentError, Package, deposit_once
from packmairie.engines.deposit_http import AsalaeDeposit, Client, Identity, VitamDeposit, asalae_password
from packmairie.engines.deposit_sftp import Server, SftpDeposit
from packmairie.engines.sip import digest_of
from packmairie.engines.spool import Spool, sync_folder
from packmairie.formats.seda.replies import Kind, Reply, read_reply
from packmairie.formats.seda.verify import manifest_of
from packmairie.inventory.loader import load_pack
from packmairie.model.envois import Archivage, Sae
from packmairie.model.pack import Pack
from packmairie.model.problem import fail
from packmairie.operations.archivage import (
    ACKNOWLEDGED,
    BRIQUE,
    ORIGINALS,
    PURGED,
    PURGING,
    REPLIED,
    archiving,
    require_verified,
)
from packmairie.operations.envois import known
from packmairie.operations.envois_places import secret, spool_of

PASSWORD, PRIVATE_KEY = "archivage.mot_de_passe", "archivage.cle_sftp"
TRIAL = "essai"
FILES = {Kind.ACKNOWLEDGEMENT: "accuse.xml", Kind.REPLY: "reponse.xml"}
STEPS = {Kind.ACKNOWLEDGEMENT: ACKNOWLEDGED, Kind.REPLY: REPLIED}


@dataclass(frozen=True)
class Deposited:
    """What a deposit gave: the receipt, and whether it was done now or before."""

    transfer: str
    receipt: dict[str, Any]
    now: bool
    trial: bool = False


@dataclass(frozen=True)
class Followed:
    """What the archival system said of a transfer."""

    transfer: str
    reply: Reply
    new: bool


@dataclass(frozen=True)
class Purged:
    """What a purge removed, and what it left with the reason."""

    removed: int
    left: tuple[tuple[str, str], ...]


def way_of(pack_folder: Path, pack: Pack, insee: str, agreed: Archivage, package: Path) -> Deposit:
    """Return the way of depositing that the pack names. Raise PackmairieError when something is missing."""
    sae = _sae(pack)
    if sae.depot == "sftp":
        return SftpDeposit(_server(pack_folder, insee, sae))
    client = Client(sae.url or "", _identity(pack_folder, sae), _login(pack_folder, insee, sae))
    if sae.depot == "vitam":
        return VitamDeposit(client, sae.tenant or 0)
    try:
        with package.open("rb") as stream:
            manifest = manifest_of(stream)
    except (OSError, ValueError) as error:
        raise fail(str(package), f"paquet illisible ({error})", "préparer de nouveau le versement") from None
    return AsalaeDeposit(client, agreed.service_versant, manifest, (sae.morceaux_mo or 0) * 1_000_000)


def _sae(pack: Pack) -> Sae:
    if pack.file.sae is None:
        raise fail("pack.yml", "aucun système d'archivage (section sae)", "l'ajouter (docs/briques/archivage.md)")
    return pack.file.sae


def _server(pack_folder: Path, insee: str, sae: Sae) -> Server:
    password, key = secret(pack_folder, insee, PASSWORD), secret(pack_folder, insee, PRIVATE_KEY)
    if not password and not key:
        raise fail(f"secrets/{insee}.yml", f"ni {PASSWORD} ni {PRIVATE_KEY}", "l'ajouter avec « ansible-vault edit »")
    return Server(
        sae.hote or "", sae.port, sae.compte or "", sae.empreinte or "", sae.dossier, sae.retours, password, key
    )


def _identity(pack_folder: Path, sae: Sae) -> Identity:
    def placed(name: str | None) -> str | None:
        return str(pack_folder / name) if name else None

    return Identity(placed(sae.autorite), placed(sae.certificat), placed(sae.cle))


def _login(pack_folder: Path, insee: str, sae: Sae) -> tuple[str, str] | None:
    if sae.depot != "asalae":
        return None
    password = secret(pack_folder, insee, PASSWORD)
    if not password:
        raise fail(f"secrets/{insee}.yml", f"{PASSWORD} manque", "l'ajouter avec « ansible-vault edit »")
    return sae.compte or "", asalae_password(password)


def deposit(pack_folder: Path, insee: str, transfer: str, *, trial: bool = False, resend: bool = False) -> Deposited:
    """Given a verified transfer, deposit it once. ``trial`` asks Vitam for a dry run, before any real deposit.

    At Vitam a real deposit is refused until its dry run was accepted. Raise PackmairieError.
    """
    pack = load_pack(pack_folder)
    _commune, agreed = archiving(pack, insee)
    spool = spool_of(pack_folder, BRIQUE, insee)
    with spool.hold():
        known(spool, transfer)
        package = _package(spool, transfer)
        done = spool.step(transfer, DEPOSITED)
        if done is not None:
            return Deposited(transfer, done.data, False)
        way = way_of(pack_folder, pack, insee, agreed, package.file)
        if isinstance(way, VitamDeposit):
            if trial:
                return _try(spool, way, package)
            _require_trial(spool, way, transfer)
        elif trial:
            raise fail("--trial", f"le dépôt {_sae(pack).depot} n'a pas de mode d'essai", "déposer sans --trial")
        receipt, now = deposit_once(spool, package, way, resend=resend)
        return Deposited(transfer, receipt, now)


def _package(spool: Spool, transfer: str) -> Package:
    digest = require_verified(spool, transfer)
    file = spool.place(transfer) / f"{transfer}.zip"
    try:
        actual = digest_of(file)
    except OSError as error:
        raise fail(str(file), f"illisible ({error})", "préparer de nouveau le versement") from None
    if actual != digest:
        raise fail(str(file), "le paquet a changé depuis sa vérification", "packmairie archivage verify")
    return Package(transfer, file, digest)


def _try(spool: Spool, way: VitamDeposit, package: Package) -> Deposited:
    try:
        receipt = way.trial(package)
    except (NotSentError, OSError) as error:
        raise fail(package.transfer, f"essai impossible : {error}", "corriger, puis relancer l'essai") from None
    spool.record(package.transfer, TRIAL, **receipt, accepte=None)
    return Deposited(package.transfer, receipt, True, True)


def _require_trial(spool: Spool, way: VitamDeposit, transfer: str) -> None:
    last = spool.step(transfer, TRIAL)
    if last is None:
        raise fail(transfer, "aucun essai à blanc chez Vitam", "relancer d'abord avec --trial")
    if last.data["accepte"] is None and spool.step(transfer, COMMITTING) is None:
        reply = _vitam_reply(way, str(last.data["operation"]))
        if reply is None:
            raise fail(transfer, "l'essai à blanc est encore en cours", "relancer dans quelques minutes")
        spool.record(
            transfer, TRIAL, operation=last.data["operation"], accepte=reply.granted, motifs=list(reply.reasons)
        )
        last = spool.step(transfer, TRIAL)
    if last is not None and last.data["accepte"] is False:
        told = " ; ".join(last.data.get("motifs", [])[:3]) or "sans motif"
        raise fail(transfer, f"l'essai à blanc est refusé ({told})", "corriger, préparer et essayer de nouveau")


def _vitam_reply(way: VitamDeposit, operation: str) -> Reply | None:
    try:
        content = way.reply(operation)
        return read_reply(content) if content is not None else None
    except (NotSentError, OSError, ValueError) as error:
        raise fail(operation, f"réponse de Vitam illisible ({error})", "relancer plus tard") from None


def follow(pack_folder: Path, insee: str, *, message: tuple[str, bytes] | None = None) -> tuple[Followed, ...]:
    """Ask what became of the deposits that wait, or read one message (name, content) that an archivist sent.

    What concerns no deposit of this commune is left alone. Raise PackmairieError.
    """
    pack = load_pack(pack_folder)
    _commune, agreed = archiving(pack, insee)
    spool = spool_of(pack_folder, BRIQUE, insee)
    with spool.hold():
        waiting = [name for name in spool.transfers() if spool.step(name, DEPOSITED) and not spool.step(name, REPLIED)]
        if message is not None:
            messages = iter([message])
        elif not waiting:
            return ()
        else:
            messages = _messages(pack_folder, pack, insee, agreed, spool, waiting)
        found = []
        try:
            for name, content in messages:
                followed = _keep(spool, waiting, name, content, strict=message is not None)
                if followed is not None:
                    found.append(followed)
        except (NotSentError, OSError) as error:
            raise fail(f"commune {insee}", f"système d'archivage injoignable ({error})", "relancer plus tard") from None
        return tuple(found)


def _messages(  # noqa: PLR0917
    pack_folder: Path, pack: Pack, insee: str, agreed: Archivage, spool: Spool, waiting: list[str]
) -> Iterator[tuple[str, bytes]]:
    for position, transfer in enumerate(waiting):
        way = way_of(pack_folder, pack, insee, agreed, spool.place(transfer) / f"{transfer}.zip")
        if isinstance(way, SftpDeposit):
            if position == 0:
                yield from way.replies()
            continue
        if isinstance(way, VitamDeposit):
            receipt = spool.step(transfer, DEPOSITED)
            content = way.reply(str(receipt.data["operation"])) if receipt and "operation" in receipt.data else None
            if content is not None:
                yield transfer, content
        elif isinstance(way, AsalaeDeposit):
            for kind in ("Acknowledgement", "ArchiveTransferReply"):
                message = way.message(kind, transfer)
                if message is not None:
                    yield transfer, message


def _keep(spool: Spool, waiting: list[str], name: str, content: bytes, *, strict: bool) -> Followed | None:
    """Record a message about a transfer that waits; None for one of somebody else."""
    try:
        reply = read_reply(content)
    except ValueError as error:
        if strict:
            raise fail(name, str(error), "indiquer l'accusé ou la réponse du service d'archives") from None
        return None
    # A platform that was asked about one transfer may leave its name out of the answer; it may not name another.
    transfer = name if name in waiting and not reply.request else reply.request
    if transfer not in waiting or (name in waiting and name != transfer):
        if strict:
            raise fail(name, f"répond à « {reply.request} », qui n'attend pas de réponse ici", "vérifier la commune")
        return None
    step = STEPS[reply.kind]
    last = spool.step(transfer, step)
    digest = hashlib.sha256(content).hexdigest()
    if last is not None:
        return None if last.data["sha256"] == digest else Followed(transfer, reply, False)
    path = spool.place(transfer) / FILES[reply.kind]
    path.write_bytes(content)
    sync_folder(path.parent)
    spool.record(
        transfer,
        step,
        code=reply.code,
        accepte=reply.granted,
        motifs=list(reply.reasons),
        sha256=digest,
        date=reply.date,
    )
    return Followed(transfer, reply, True)


def purge(pack_folder: Path, insee: str, transfer: str, confirmed: str | None) -> Purged:
    """Remove the originals of a transfer that was accepted, each only if it is still the file that was transferred.

    ``confirmed`` is the transfer's identifier typed again. Raise PackmairieError when the reply does not allow it.
    """
    pack = load_pack(pack_folder)
    archiving(pack, insee)
    spool = spool_of(pack_folder, BRIQUE, insee)
    with spool.hold():
        known(spool, transfer)
        _require_granted(spool, transfer)
        if confirmed != transfer:
            raise fail(transfer, "la purge efface les originaux", f"confirmer : --confirm {transfer}")
        originals = json.loads((spool.place(transfer) / ORIGINALS).read_text(encoding="utf-8"))
        spool.record(transfer, PURGING, fichiers=len(originals))
        removed, left = 0, []
        for original in originals:
            reason = _remove(Path(original["path"]), original["digest"])
            if reason:
                left.append((original["relative"], reason))
            else:
                removed += 1
        spool.record(transfer, PURGED, effaces=removed, laisses=[list(item) for item in left])
        return Purged(removed, tuple(left))


def _require_granted(spool: Spool, transfer: str) -> None:
    reply = spool.step(transfer, REPLIED)
    if reply is None:
        raise fail(transfer, "aucune réponse du service d'archives", f"packmairie archivage follow {transfer[:5]}")
    path = spool.place(transfer) / FILES[Kind.REPLY]
    try:
        content = path.read_bytes()
        granted = hashlib.sha256(content).hexdigest() == reply.data["sha256"] and read_reply(content).granted
    except (OSError, ValueError):
        granted = False
    if not granted:
        told = " ; ".join(reply.data["motifs"][:3])
        raise fail(
            transfer, f"versement non accepté ({reply.data['code'] or 'sans code'}) {told}", "garder les originaux"
        )


def _remove(path: Path, digest: str) -> str:
    """Remove a file if it is the one that was transferred; return why it stays, or nothing."""
    try:
        if not path.is_symlink() and not path.exists():
            return "" if path.parent.is_dir() else "dossier absent"
        if digest_of(path) != digest:
            return "a changé depuis le versement"
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        return f"illisible ({error.strerror or error})"
    return ""
