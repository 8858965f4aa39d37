# SPDX-License-Identifier: GPL-3.0-or-later
"""An act deposited at S²LOW to wait for its agent, followed to its acknowledgement, then archived and published.

packmairie is not a transmission operator: it never talks to the ministry, and holds no agent's certificate.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from packmairie.engines.deposit import DEPOSITED, NotSentError, Package, deposit_once
from packmairie.engines.deposit_http import Client, Identity
from packmairie.engines.s2low import S2low, S2lowDeposit, Sent
from packmairie.engines.sip import digest_of
from packmairie.engines.spool import Spool, sync_folder
from packmairie.formats.actes.act import Act
from packmairie.formats.actes.classification import Classification
from packmairie.formats.actes.message import ABBREVIATIONS
from packmairie.formats.actes.replies import Acknowledgement, Anomaly, mismatch, read_state_reply
from packmairie.formats.actes.s2low import ACKNOWLEDGED, CANCELLED, FAILED, WAITING, Status
from packmairie.formats.xml import xml_text
from packmairie.inventory.loader import load_pack
from packmairie.model.commune import Commune
from packmairie.model.envois import Teletransmission
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, fail
from packmairie.operations.archivage import prepare as prepare_transfer
from packmairie.operations.envois import known
from packmairie.operations.envois_places import host_spaces, secret, spool_of
from packmairie.operations.teletransmission import (
    BRIQUE,
    PREPARED,
    act_from,
    keep_classification,
    sender_of,
    transmitting,
)

PASSWORD = "teletransmission.mot_de_passe"  # noqa: S105 — the name of a secret
STATUS, RECEIVED, REFUSED, ARCHIVING, PUBLISHED = "statut", "acquitte", "refuse", "archivage", "publie"
AR_FILE, STAMPED_FILE = "ARActe.xml", "acte-tamponne.pdf"
PROFILE, PERSONAL_PROFILE = "actes", "actes-individuels"
"""Archival profiles: acts about one person are not open to all at once (code du patrimoine, L213-2)."""
PUBLIC_NATURES = (1, 2, 5)
"""Natures that are published for all: an individual act or a contract names people."""
KINDS = {"DE": "Délibération", "AR": "Arrêté", "AI": "Acte individuel", "CC": "Contrat", "BF": "Budget", "AU": "Acte"}


@dataclass(frozen=True)
class Deposited:
    """What a deposit gave: the transaction, and whether it was made now."""

    transfer: str
    transaction: str
    now: bool


@dataclass(frozen=True)
class Followed:
    """What S²LOW says of an act, and what was done of it."""

    transfer: str
    label: str
    done: bool
    notes: tuple[str, ...] = ()
    refused: bool = False


def s2low_of(pack_folder: Path, pack: Pack, insee: str, section: Teletransmission) -> S2low:
    """Return the S²LOW of the pack. Raise PackmairieError when something is missing."""
    tdt = pack.file.tdt
    if tdt is None:
        raise fail("pack.yml", "aucun tiers de télétransmission (section tdt)", "docs/briques/teletransmission.md")
    login = None
    if section.compte:
        password = secret(pack_folder, insee, PASSWORD)
        if not password:
            raise fail(f"secrets/{insee}.yml", f"{PASSWORD} manque", "l'ajouter avec « ansible-vault edit »")
        login = (section.compte, password)
    authority = str(pack_folder / tdt.autorite) if tdt.autorite else None
    identity = Identity(authority, str(pack_folder / tdt.certificat), str(pack_folder / tdt.cle))
    return S2low(Client(tdt.url, identity, login))


def fetch_classification(pack_folder: Path, insee: str, given: bytes | None = None) -> tuple[Classification, bool]:
    """Ask S²LOW for the classification of a commune, unless it is given; keep it. Raise PackmairieError."""
    pack = load_pack(pack_folder)
    _commune, section = transmitting(pack, insee)
    spool = spool_of(pack_folder, BRIQUE, insee)
    try:
        content = given if given is not None else s2low_of(pack_folder, pack, insee, section).classification()
    except (NotSentError, OSError) as error:
        raise fail("classification", f"indisponible ({error})", "relancer plus tard, ou donner --file") from None
    with spool.hold():
        return keep_classification(spool, content)


def deposit(
    pack_folder: Path, insee: str, transfer: str, *, resend: bool = False, transaction: str | None = None
) -> Deposited:
    """Given a prepared act, create its transaction at S²LOW, once, waiting for the agent's confirmation.

    ``transaction`` is the number of one that S²LOW already has: it is taken for this act only if it holds the very same
    document. Raise PackmairieError.
    """
    pack = load_pack(pack_folder)
    _commune, section = transmitting(pack, insee)
    spool = spool_of(pack_folder, BRIQUE, insee)
    with spool.hold():
        known(spool, transfer)
        done = spool.step(transfer, DEPOSITED)
        if done is not None:
            return Deposited(transfer, str(done.data["transaction"]), False)
        act, files = _prepared(spool, transfer)
        way = S2lowDeposit(s2low_of(pack_folder, pack, insee, section), act, files)
        if transaction is not None:
            return _adopt(spool, way, transfer, transaction)
        receipt, now = deposit_once(spool, Package(transfer, files[0].path, ""), way, resend=resend)
        return Deposited(transfer, str(receipt["transaction"]), now)


def _prepared(spool: Spool, transfer: str) -> tuple[Act, list[Sent]]:
    entry = spool.step(transfer, PREPARED)
    if entry is None:
        raise fail(transfer, "n'est pas un acte préparé", "packmairie teletransmission prepare")
    files = [Sent(spool.place(transfer) / name, name) for name in entry.data["fichiers"]]
    for file, digest in zip(files, entry.data["sha512"], strict=True):
        try:
            same = digest_of(file.path) == digest
        except OSError:
            same = False
        if not same:
            raise fail(str(file.path), "a changé depuis sa préparation", "préparer l'acte de nouveau")
    return act_from(entry.data["acte"]), files


def _adopt(spool: Spool, way: S2lowDeposit, transfer: str, transaction: str) -> Deposited:
    if not transaction.isdigit():
        raise fail("--transaction", f"« {transaction[:20]} » n'est pas un numéro", "le lire dans S²LOW")
    try:
        same = way.same(transaction)
    except (NotSentError, OSError, ValueError) as error:
        raise fail(transaction, f"transaction illisible ({error})", "vérifier son numéro") from None
    if not same:
        raise fail(transaction, "ne contient pas ce document", "un autre acte a ce numéro : en donner un autre")
    spool.record(transfer, DEPOSITED, moyen="s2low", transaction=transaction, retrouve=True)
    return Deposited(transfer, transaction, True)


def follow(pack_folder: Path, insee: str, now: datetime, content: Path | None = None) -> tuple[Followed, ...]:
    """Ask S²LOW what became of each act that waits; keep the acknowledgement, then archive and publish as asked.

    What was interrupted after an acknowledgement is done again. ``content`` is the folder of the commune's site, by
    default ``contenu/<INSEE>`` of the pack. Raise PackmairieError.
    """
    pack = load_pack(pack_folder)
    commune, section = transmitting(pack, insee)
    spool = spool_of(pack_folder, BRIQUE, insee)
    found = []
    with spool.hold():
        waiting = [name for name in spool.transfers() if spool.step(name, DEPOSITED) and not spool.step(name, REFUSED)]
        s2low = None
        for transfer in waiting:
            if spool.step(transfer, RECEIVED) is None:
                s2low = s2low or s2low_of(pack_folder, pack, insee, section)
                try:
                    found.append(_ask(spool, s2low, commune, section, transfer))
                except (NotSentError, OSError) as error:
                    raise fail(transfer, f"S²LOW injoignable ({error})", "relancer plus tard") from None
                except ValueError as error:
                    found.append(Followed(transfer, f"illisible : {error}", False))
        after = [name for name in waiting if spool.step(name, RECEIVED)]
        for transfer in after:
            notes = _after(spool, pack_folder, commune, section, transfer, now, content)
            if notes:
                found.append(Followed(transfer, "suite de l'acquittement", True, notes))
    return tuple(found)


def _ask(spool: Spool, s2low: S2low, commune: Commune, section: Teletransmission, transfer: str) -> Followed:
    receipt = spool.step(transfer, DEPOSITED)
    assert receipt is not None  # noqa: S101 — its caller chose those that have one
    transaction = str(receipt.data["transaction"])
    status = s2low.status(transaction)
    last = spool.step(transfer, STATUS)
    if last is None or last.data["code"] != status.code:
        spool.record(transfer, STATUS, code=status.code, libelle=status.label)
    if status.code in (FAILED, CANCELLED):
        return _refused(spool, transfer, status)
    if status.code == WAITING:
        return Followed(transfer, status.label, False, (f"à confirmer dans S²LOW : transaction {transaction}",))
    if status.code != ACKNOWLEDGED:
        return Followed(transfer, status.label, False)
    return _acknowledged(spool, s2low, commune, section, transfer, transaction, status)


def _refused(spool: Spool, transfer: str, status: Status) -> Followed:
    told = status.detail.decode("iso-8859-1")
    try:
        reply = read_state_reply(status.detail)
        told = f"anomalie {reply.code} : {reply.detail}" if isinstance(reply, Anomaly) else told
    except ValueError:
        pass
    reason = re.sub(r"\s+", " ", told)[:500] or "sans motif"
    spool.record(transfer, REFUSED, code=status.code, motif=reason)
    return Followed(transfer, f"{status.label} : {reason}", False, refused=True)


def _acknowledged(  # noqa: PLR0917
    spool: Spool,
    s2low: S2low,
    commune: Commune,
    section: Teletransmission,
    transfer: str,
    transaction: str,
    status: Status,
) -> Followed:
    """Keep the acknowledgement when it is that of this act: a status without it proves nothing."""
    entry = spool.step(transfer, PREPARED)
    assert entry is not None  # noqa: S101 — what is deposited was prepared
    act = act_from(entry.data["acte"])
    try:
        reply = read_state_reply(status.detail)
    except ValueError as error:
        return Followed(transfer, f"acquittement annoncé, mais {error}", False)
    if not isinstance(reply, Acknowledgement):
        return Followed(transfer, f"acquittement annoncé, mais anomalie {reply.code}", False)
    wrong = mismatch(reply, act, sender_of(commune, section))
    if wrong:
        return Followed(transfer, f"acquittement d'un autre acte ({wrong})", False)
    place = spool.place(transfer)
    (place / AR_FILE).write_bytes(status.detail)
    notes = [_stamped(s2low, place, entry.data["fichiers"][0], transaction)]
    notes += _beside(Path(entry.data["dossier"]), status.detail)
    sync_folder(place)
    spool.record(
        transfer,
        RECEIVED,
        identifiant=reply.identifier,
        recu=reply.received,
        sha256=hashlib.sha256(status.detail).hexdigest(),
    )
    return Followed(transfer, f"acquitté le {reply.received}", True, tuple(note for note in notes if note))


def _stamped(s2low: S2low, place: Path, original: str, transaction: str) -> str:
    """Keep the stamped act, if it is one: S²LOW sometimes answers 200 with the act as it was."""
    try:
        files = s2low.files(transaction)
        chosen = next(item for item in files if str(item.get("mimetype")) == "application/pdf")
        content = s2low.download(str(chosen["id"]), stamped=True)
    except (NotSentError, OSError, ValueError, StopIteration, KeyError):
        return "acte tamponné indisponible"
    if not content.startswith(b"%PDF-") or content == (place / original).read_bytes():
        return "S²LOW a rendu un acte sans tampon : il n'est pas gardé comme tamponné"
    (place / STAMPED_FILE).write_bytes(content)
    return ""


def _beside(folder: Path, content: bytes) -> list[str]:
    """Put the acknowledgement beside the act, where the secretary looks for it."""
    try:
        path = folder / AR_FILE
        if path.is_symlink():
            return [f"{path} est un lien : l'acquittement n'y est pas écrit"]
        path.write_bytes(content)
    except OSError as error:
        return [f"l'acquittement n'a pas pu être mis dans {folder} ({error.strerror})"]
    return []


def _after(  # noqa: PLR0917
    spool: Spool,
    pack_folder: Path,
    commune: Commune,
    section: Teletransmission,
    transfer: str,
    now: datetime,
    content: Path | None,
) -> tuple[str, ...]:
    entry = spool.step(transfer, PREPARED)
    assert entry is not None  # noqa: S101 — what is acknowledged was prepared
    act = act_from(entry.data["acte"])
    steps: list[tuple[bool, str, Callable[[], dict[str, Any]], str]] = [
        (
            section.archiver and commune.archivage is not None,
            ARCHIVING,
            lambda: _archive(spool, pack_folder, commune, transfer, now),
            "archivage préparé",
        ),
        (
            section.publier and act.nature in PUBLIC_NATURES,
            PUBLISHED,
            lambda: _publish(spool, transfer, content or pack_folder / "contenu" / commune.insee),
            "publié",
        ),
    ]
    notes = []
    for asked, step, work, label in steps:
        if asked and spool.step(transfer, step) is None:
            try:
                data = work()
            except (PackmairieError, OSError) as error:
                notes.append(f"{label} : pas encore ({error})")
                continue
            spool.record(transfer, step, **data)
            notes.append(f"{label} : {next(iter(data.values()))}")
    return tuple(notes)


def _archive(spool: Spool, pack_folder: Path, commune: Commune, transfer: str, now: datetime) -> dict[str, Any]:
    """Prepare the transfer of the act as sent, its annexes, its acknowledgement and the stamped act."""
    entry = spool.step(transfer, PREPARED)
    assert entry is not None  # noqa: S101 — what is acknowledged was prepared
    act = act_from(entry.data["acte"])
    personal = act.nature == 3 or (act.nature == 4 and act.matiere.split(".")[0] == "4")
    profile = PERSONAL_PROFILE if personal else PROFILE
    place = spool.place(transfer)
    kept = [name for name in (*entry.data["fichiers"], AR_FILE, STAMPED_FILE) if (place / name).is_file()]
    host = host_spaces()
    if host is not None:
        return {"remis": _hand_over(host.handover / commune.insee, transfer, profile, [place / name for name in kept])}
    source = place / "versement"
    source.mkdir(mode=0o700, exist_ok=True)
    for name in kept:
        shutil.copy2(place / name, source / name)
    prepared = prepare_transfer(pack_folder, commune.insee, source, now, profile=profile)
    return {"versement": prepared.transfer, "etat": prepared.report.state.value}


def _hand_over(folder: Path, transfer: str, profile: str, files: list[Path]) -> str:
    """Put files where the account that archives takes them, whole or not at all: it prepares them at its next round."""
    folder.mkdir(exist_ok=True)
    temporary, final = folder / f".{transfer}.part", folder / transfer
    if not final.exists():
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / profile).mkdir(parents=True)
        for file in files:
            shutil.copyfile(file, temporary / profile / file.name)
        temporary.rename(final)
        sync_folder(folder)
    return final.name


def _publish(spool: Spool, transfer: str, content: Path) -> dict[str, Any]:
    """Put the act among the documents of the site, under the name by which the site dates and titles it."""
    entry = spool.step(transfer, PREPARED)
    assert entry is not None  # noqa: S101
    act = act_from(entry.data["acte"])
    place = spool.place(transfer)
    source = place / STAMPED_FILE if (place / STAMPED_FILE).is_file() else place / entry.data["fichiers"][0]
    kind = KINDS[ABBREVIATIONS.get(act.nature, "AU")]
    subject = re.sub(r'[\\/:*?"<>|.]+', " ", act.subject)
    subject = re.sub(r"\s+", " ", subject if xml_text(subject) else "").strip()[:100].strip()
    name = f"{act.day.isoformat()} {kind} n° {act.number} – {subject}.pdf"
    folder = content / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{transfer}.part"
    shutil.copyfile(source, temporary)
    temporary.replace(folder / name)
    sync_folder(folder)
    return {"document": name}
