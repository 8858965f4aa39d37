# SPDX-License-Identifier: GPL-3.0-or-later
"""An act read from its folder, verified with the classification and the official schema, and put in the spool.

An act is a folder: ``acte.yml`` and the files that it names. Nothing here is sent.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from packmairie.engines.sip import digest_of, opened
from packmairie.engines.spool import Spool, sync_folder
from packmairie.engines.xml_schemas import load_xsd
from packmairie.formats.actes.act import (
    Act,
    Attachment,
    Sender,
    department_of,
    nature_of,
    plain_subject,
    verify_act,
)
from packmairie.formats.actes.classification import Classification, read_classification
from packmairie.formats.actes.documents import look
from packmairie.formats.actes.message import document_names, envelope, envelope_name, message, message_name
from packmairie.formats.findings import Finding, Level, Report, report
from packmairie.formats.xml import parse, refusals
from packmairie.inventory.loader import load_pack
from packmairie.inventory.located import Located, error_from
from packmairie.inventory.official import ACTES_NAME, ACTES_PATHS
from packmairie.inventory.source import Node, read_source
from packmairie.model.commune import SHARED_LOCAL_PART, Commune
from packmairie.model.envois import Teletransmission
from packmairie.model.pack import Pack
from packmairie.model.problem import fail
from packmairie.operations.envois_places import source_folder, spool_of
from packmairie.operations.inventory import commune_of
from packmairie.operations.schemas import missing, schema_file

BRIQUE = "teletransmission"
ACT_FILE = "acte.yml"
CLASSIFICATION_FILE = "classification.xml"
FRESH_DAYS = 30
"""A classification that was not asked for again since is told: a new one refuses acts (AnomalieActe 002)."""
PREPARED, FETCHED = "prepare", "classification"
KEYS = ("nature", "matiere", "numero", "date", "objet", "document", "type", "annexes", "papier")


@dataclass(frozen=True)
class Prepared:
    """An act put in the spool: its identifier, the act as it would be sent, and what was found."""

    transfer: str
    act: Act
    report: Report
    already: bool = False


def transmitting(pack: Pack, insee: str) -> tuple[Commune, Teletransmission]:
    """Return a commune and its section; raise PackmairieError when it has none."""
    commune = commune_of(pack, insee)
    if commune.teletransmission is None:
        remedy = "l'ajouter (docs/briques/teletransmission.md)"
        raise fail(f"commune {insee}", "son fichier n'a pas de section teletransmission", remedy)
    return commune, commune.teletransmission


def sender_of(commune: Commune, section: Teletransmission) -> Sender:
    """Return the commune as the exchange identifies it."""
    return Sender(
        commune.siren,
        department_of(commune.departement),
        section.arrondissement,
        f"Mairie {commune.nom}"[:100],
        f"{SHARED_LOCAL_PART}@{commune.domaine.nom}",
    )


def classification_of(spool: Spool) -> tuple[Classification | None, datetime | None]:
    """Return the classification kept for a commune and when it was last asked for, None when there is none."""
    path = spool.folder / CLASSIFICATION_FILE
    entry = spool.step(FETCHED, FETCHED)
    if entry is None or not path.is_file():
        return None, None
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != entry.data["sha256"]:
            raise ValueError("modifiée depuis sa réception")
        return read_classification(content), datetime.fromisoformat(entry.at)
    except (OSError, ValueError) as error:
        raise fail(str(path), f"classification illisible ({error})", "la redemander") from None


def keep_classification(spool: Spool, content: bytes) -> tuple[Classification, bool]:
    """Given a held spool, keep a classification; return it, and whether it is newer than the one before.

    Raise PackmairieError when it is none, or is older than the one kept.
    """
    try:
        new = read_classification(content)
    except ValueError as error:
        raise fail("classification", str(error), "demander celle de la préfecture") from None
    try:
        before = classification_of(spool)[0]
    except Exception:  # noqa: BLE001 — what was kept is unusable: the new one replaces it
        before = None
    if before and before.day > new.day:
        raise fail("classification", f"du {new.day:%d/%m/%Y}, plus ancienne que celle gardée", "demander la dernière")
    temporary = spool.folder / f".{CLASSIFICATION_FILE}.part"
    temporary.write_bytes(content)
    temporary.replace(spool.folder / CLASSIFICATION_FILE)
    sync_folder(spool.folder)
    spool.record(FETCHED, FETCHED, date=new.day.isoformat(), sha256=hashlib.sha256(content).hexdigest())
    return new, before is None or before.day < new.day


def prepare(pack_folder: Path, insee: str, folder: Path, today: date, schemas: Path | None = None) -> Prepared:
    """Given a pack, a commune and the folder of an act, verify it and put a copy in the spool when it may be sent.

    Raise PackmairieError when the folder cannot be read as an act, or when another act has its number.
    """
    pack = load_pack(pack_folder)
    commune, section = transmitting(pack, insee)
    folder = source_folder(insee, folder)
    spool = spool_of(pack_folder, BRIQUE, insee)
    with spool.hold():
        classification, fetched = classification_of(spool)
        act, reading = read_act(folder, classification)
        sender = sender_of(commune, section)
        found = reading.joined(verify_act(act, sender, classification, today))
        found = found.joined(_staleness(fetched))
        if classification is not None and not found.errors:
            found = found.joined(_against_schema(pack, act, sender, classification, schemas))
        if found.errors or found.unverified:
            return Prepared("", act, found)
        return _put(spool, folder, act, sender, classification, found, today)


def _staleness(fetched: datetime | None) -> Report:
    if fetched is None or (datetime.now(UTC) - fetched).days < FRESH_DAYS:
        return Report()
    gap = f"classification demandée il y a plus de {FRESH_DAYS} jours : packmairie teletransmission classification"
    return report((), [gap])


def _against_schema(
    pack: Pack, act: Act, sender: Sender, classification: Classification, option: Path | None
) -> Report:
    file = schema_file(pack, option, *ACTES_PATHS)
    if file is None:
        return report((), [missing(ACTES_NAME)])
    schema = load_xsd(file)
    findings: list[Finding] = []
    for content, what in ((message(act, sender, classification.day), "message"), (envelope(act, sender), "enveloppe")):
        findings += refusals(schema, parse(content), f"{what} @CTES")
    return report(findings)


def _put(  # noqa: PLR0917
    spool: Spool,
    folder: Path,
    act: Act,
    sender: Sender,
    classification: Classification | None,
    found: Report,
    today: date,
) -> Prepared:
    transfer = f"{act.day:%Y%m%d}-{act.number}"
    content = _fingerprint(folder, act)
    before = spool.step(transfer, PREPARED)
    if before is not None:
        if before.data["contenu"] == content:
            return Prepared(transfer, act, found, True)
        if spool.step(transfer, "depose") or spool.step(transfer, "remise"):
            remedy = "donner un autre numéro ; un acte déposé ne se remplace pas"
            raise fail(transfer, "un autre acte de ce numéro est déjà déposé", remedy)
    place = spool.place(transfer)
    place.mkdir(mode=0o700, exist_ok=True)
    assert classification is not None  # noqa: S101 — without it there is a gap, and the act stays out
    names = document_names(act, sender)
    digests = []
    for file, name in zip((act.document, *act.annexes), names, strict=True):
        with opened(folder / file.name) as (source, _facts), (place / name).open("wb") as target:
            shutil.copyfileobj(source, target)
        digests.append(digest_of(place / name))
    (place / message_name(act, sender)).write_bytes(message(act, sender, classification.day))
    (place / envelope_name(sender, today, 1)).write_bytes(envelope(act, sender))
    sync_folder(place)
    spool.record(
        transfer,
        PREPARED,
        contenu=content,
        acte=act_data(act),
        fichiers=list(names),
        sha512=digests,
        classification=classification.day.isoformat(),
        dossier=str(folder.resolve()),
    )
    return Prepared(transfer, act, found)


def _fingerprint(folder: Path, act: Act) -> str:
    """Return what identifies an act with its files: the same folder prepared twice gives the same."""
    computed = hashlib.sha256(repr(sorted(act_data(act).items())).encode())
    for file in (act.document, *act.annexes):
        computed.update(digest_of(folder / file.name).encode())
    return computed.hexdigest()


def act_data(act: Act) -> dict[str, Any]:
    """Return an act as plain data, for the journal."""
    return {
        "numero": act.number,
        "nature": act.nature,
        "matiere": act.matiere,
        "date": act.day.isoformat(),
        "objet": act.subject,
        "document": [act.document.name, act.document.size, act.document.type],
        "annexes": [[file.name, file.size, file.type] for file in act.annexes],
        "papier": act.on_paper,
    }


def act_from(data: dict[str, Any]) -> Act:
    """Return the act that the journal keeps."""
    return Act(
        data["numero"],
        data["nature"],
        data["matiere"],
        date.fromisoformat(data["date"]),
        data["objet"],
        Attachment(*data["document"]),
        tuple(Attachment(*file) for file in data["annexes"]),
        data["papier"],
    )


def read_act(folder: Path, classification: Classification | None) -> tuple[Act, Report]:
    """Given the folder of an act, return it, and what had to be changed in its subject. Raise PackmairieError."""
    path = folder / ACT_FILE
    if not path.is_file():
        raise fail(str(path), "ce fichier manque", "le créer (modèle : docs/briques/teletransmission.md)")
    source = read_source(path, folder)
    if source.root is None or source.problems:
        raise error_from(source.problems)
    reader = _Reader(folder, source.name, source.root, classification)
    act = reader.act()
    if reader.problems:
        raise error_from(reader.problems)
    return act, report(reader.findings)


class _Reader:
    """Reads the keys of ``acte.yml``, gathering every problem."""

    def __init__(self, folder: Path, name: str, root: Node, classification: Classification | None) -> None:
        self.folder, self.name, self.root, self.classification = folder, name, root, classification
        self.problems: list[Located] = []
        self.findings: list[Finding] = []

    def refuse(self, key: str, reason: str, remedy: str) -> None:
        """Record a problem at a key."""
        self.problems.append(Located(self.name, self.root.nearest((key,)).line, f"{key} : {reason}", remedy))

    def act(self) -> Act:
        """Return the act; what could not be read has a neutral value and a problem."""
        for key in self.root.value:
            if key not in KEYS:
                self.refuse(key, "clé inconnue", f"écrire l'une de : {', '.join(KEYS)}")
        nature = nature_of(self._text("nature"))
        if nature is None:
            self.refuse(
                "nature", "nature inconnue", "écrire délibération, réglementaire, individuel, contrat, budget, autre"
            )
            nature = 6
        subject = self._text("objet")
        plain = plain_subject(subject)
        if plain != subject:
            line = self.root.nearest(("objet",)).line
            self.findings.append(
                Finding(line, "objet", f"envoyé « {plain} »", "rien, si cela convient", Level.A_VERIFIER)
            )
        lines = tuple((key, self.root.nearest((key,)).line) for key in KEYS)
        default = self._default_type(nature)
        document = self._file(self._text("document"), self._text("type", default), "document", act=True)
        return Act(
            self._text("numero"),
            nature,
            self._text("matiere"),
            self._day(),
            plain,
            document,
            tuple(self._annexes(default)),
            self._text("papier", "non").casefold() in ("oui", "true"),
            lines,
        )

    def _default_type(self, nature: int) -> str:
        found = self.classification.natures.get(nature) if self.classification else None
        return found.main_type if found else ""

    def _text(self, key: str, default: str | None = None) -> str:
        node = self.root.child(key)
        if node is None or node.value is None:
            if default is None:
                self.refuse(key, "absent", f"écrire « {key}: … »")
            return default or ""
        if node.children is not None:
            self.refuse(key, "un texte était attendu", "l'écrire sur une ligne")
            return ""
        return (node.raw if node.raw is not None else str(node.value)).strip()

    def _day(self) -> date:
        text = self._text("date")
        try:
            return date.fromisoformat(text)
        except ValueError:
            if text:
                self.refuse("date", f"« {text[:20]} » n'est pas un jour", "écrire AAAA-MM-JJ")
            return date(2000, 1, 1)

    def _annexes(self, default: str) -> list[Attachment]:
        node = self.root.child("annexes")
        if node is None or node.value in (None, []):
            return []
        if not isinstance(node.children, list):
            self.refuse("annexes", "une liste était attendue", "un tiret par annexe, avec fichier et type")
            return []
        found = []
        for below in node.children:
            name = below.text("fichier") if isinstance(below.children, dict) else below.raw
            if not name:
                self.refuse("annexes", "une annexe sans fichier", "écrire « - fichier: plan.pdf »")
                continue
            kind = (below.text("type") if isinstance(below.children, dict) else None) or default
            found.append(self._file(name, kind, "annexes", act=False))
        return found

    def _file(self, name: str, kind: str, key: str, *, act: bool) -> Attachment:
        if not name or "/" in name or name in (".", "..") or name.startswith("."):
            if name:
                self.refuse(key, f"« {name[:60]} » n'est pas le nom d'un fichier du dossier", "donner le nom seul")
            return Attachment(name, 0, kind)
        try:
            with opened(self.folder / name) as (stream, facts):
                faults, doubts = look(stream, name, act=act)
                return Attachment(name, facts.st_size, kind, faults, doubts)
        except OSError as error:
            self.refuse(key, f"{name} illisible ({error.strerror or error})", "déposer ce fichier à côté d'acte.yml")
            return Attachment(name, 0, kind)
