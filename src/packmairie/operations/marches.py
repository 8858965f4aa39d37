# SPDX-License-Identifier: GPL-3.0-or-later
"""Public contracts of a commune: its register verified, then published as essential data beside its site."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from packmairie.briques.marches import (
    CATALOGUE_NAME,
    DECP_NAME,
    PART,
    data_address,
    publisher_of,
    thresholds_of,
)
from packmairie.formats.decp.catalogue import Distribution, dcat
from packmairie.formats.decp.positions import read_json
from packmairie.formats.decp.register import CONCESSION, MARKET, Converted, convert, everything, joined
from packmairie.formats.decp.rules import Judged, beyond_schema, overdue
from packmairie.formats.decp.schema import NAME as SCHEMA_NAME
from packmairie.formats.decp.schema import against_schema
from packmairie.formats.decp.yearly import split, yearly_lists
from packmairie.formats.findings import Path as DocumentPath
from packmairie.formats.findings import Report, report
from packmairie.inventory.contracts import read_register, register_of
from packmairie.inventory.loader import load_pack
from packmairie.inventory.publications import read_publications, write_publications
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.operations.inventory import commune_of
from packmairie.operations.schemas import missing, schema_file

SCHEMA_PATHS = (f"decp/{SCHEMA_NAME}", SCHEMA_NAME)


@dataclass(frozen=True)
class Verified:
    """A register, or a document, that was verified: its file, the DECP that it makes, and what was found."""

    file: Path
    document: Any
    report: Report
    contracts: int
    late: tuple[str, ...] = ()
    """Numbers of contracts whose two months are over and that are not published."""


@dataclass(frozen=True)
class Published:
    """What publishing wrote: the folder in the pack, the files that changed, and where they will be served."""

    verified: Verified
    folder: Path
    changed: tuple[str, ...]
    address: str
    essential: int
    listed: dict[int, int]


def verify(pack_folder: Path, insee: str, today: date, schemas: Path | None = None) -> Verified:
    """Given a pack and a commune, verify its register: form, official schema, and what the schema lets through.

    Raise PackmairieError when the commune has no register.
    """
    pack = load_pack(pack_folder)
    return _verified(pack, _publishing(pack, insee), today, schemas)


def verify_file(file: Path, today: date, schemas: Path | None = None, pack_folder: Path | None = None) -> Verified:
    """Given a DECP document of anybody (JSON), verify it. Raise PackmairieError when it cannot be read."""
    pack = load_pack(pack_folder) if pack_folder else None
    try:
        document, lines = read_json(file.read_bytes())
    except OSError as error:
        raise fail(str(file), f"illisible ({error.strerror})", "indiquer un fichier JSON") from None
    except ValueError as error:
        raise fail(str(file), str(error), "corriger ce fichier JSON") from None

    def line(path: DocumentPath) -> int:
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 0)

    judged = Judged(today, thresholds_of(pack) if pack else Judged(today).thresholds)
    found = beyond_schema(document, judged, line).joined(_schema_report(document, pack, schemas, line))
    return Verified(file, document, found, _count(document))


def publish(pack_folder: Path, insee: str, today: date, schemas: Path | None = None) -> Published:
    """Given a pack and a commune, verify its register and write what its site will serve, in the pack.

    ``packmairie deploy`` carries it. Nothing is written when the register has an error or the official schema is
    missing: raise PackmairieError, one line an error. Dates of first publication are kept.
    """
    pack = load_pack(pack_folder)
    commune = _publishing(pack, insee)
    verified = _verified(pack, commune, today, schemas)
    errors = [Problem(f"{verified.file}:{e.line}", f"{e.place} : {e.reason}", e.remedy) for e in verified.report.errors]
    errors += [
        Problem(str(verified.file), gap, "rien n'est publié sans vérification") for gap in verified.report.unverified
    ]
    if errors:
        raise PackmairieError(errors)
    essential, listed = _parted(pack, commune, verified.document)
    files = _files(commune, essential, listed, today, _known(pack, insee))
    try:
        changed = write_publications(pack_folder, insee, PART, files)
    except OSError as error:
        raise fail(str(pack_folder), f"écriture impossible ({error.strerror})", "vérifier les droits") from None
    years: dict[int, int] = {}
    for contract in listed:
        year = int(contract["dateNotification"][:4])
        years[year] = years.get(year, 0) + 1
    folder = pack_folder / "publications" / insee / PART
    return Published(verified, folder, changed, data_address(commune), _count(essential), years)


def _publishing(pack: Pack, insee: str) -> Commune:
    commune = commune_of(pack, insee)
    if commune.marches is None:
        raise fail(f"commune {insee}", "son fichier n'a pas de section marches", "ajouter « marches: {} »")
    return commune


def _verified(pack: Pack, commune: Commune, today: date, schemas: Path | None) -> Verified:
    file = register_of(Path(pack.folder), commune.insee)
    rows, reading = read_register(file, Path(pack.folder))
    known = _known(pack, commune.insee)
    place = {"code": commune.insee, "typeCode": "Code commune"}
    converted = convert(rows, commune.siret, place, {**_first_dates(known), "": today.isoformat()})
    judged = Judged(today, thresholds_of(pack), commune.siret)
    found = reading.joined(converted.report)
    found = found.joined(beyond_schema(converted.document, judged, converted.line))
    found = found.joined(_schema_report(converted.document, pack, schemas, converted.line))
    essential, _listed = _parted(pack, commune, converted.document)
    late = overdue(essential, set(_first_dates(known)), today)
    return Verified(file, converted.document, _without_doubles(found, converted), len(rows), late)


def _without_doubles(found: Report, converted: Converted) -> Report:
    """Leave out what the schema says of a value that could not be read: its column has told already."""
    told = {(item.line, item.place.partition(",")[0]) for item in converted.report.findings}
    kept = [
        item
        for item in found.findings
        if item in converted.report.findings
        or "manque" not in item.reason
        or (item.line, item.place.partition(",")[0]) not in told
    ]
    return Report(tuple(kept), found.unverified)


def _schema_report(document: Any, pack: Pack | None, option: Path | None, line: Any) -> Report:
    file = schema_file(pack, option, *SCHEMA_PATHS)
    if file is None:
        return report((), [missing(SCHEMA_NAME)])
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
        return against_schema(document, schema, line)
    except (OSError, ValueError) as error:
        raise fail(str(file), f"schéma inutilisable ({error})", "remettre le fichier officiel") from None


def _parted(pack: Pack, commune: Commune, document: Any) -> tuple[Any, list[Any]]:
    """Return the document of what is essential data, and the contracts of the yearly lists; concessions are never."""
    contracts, concessions = document["marches"][MARKET], document["marches"].get(CONCESSION, [])
    if commune.marches is None or not commune.marches.liste_annuelle:
        return joined(contracts, concessions), []
    essential, listed = split(contracts, thresholds_of(pack))
    return joined(essential, concessions), listed


def _known(pack: Pack, insee: str) -> dict[str, str]:
    try:
        return read_publications(Path(pack.folder), insee, PART)
    except ValueError as error:
        raise fail(f"publications/{insee}", str(error), "le retirer") from None


def _first_dates(known: dict[str, str]) -> dict[str, str]:
    """Return the day of publication of each contract already published, by number."""
    try:
        contracts = everything(json.loads(known[DECP_NAME]))
        return {str(contract["id"]): str(contract["datePublicationDonnees"]) for contract in contracts}
    except (KeyError, TypeError, ValueError):
        return {}


def _files(
    commune: Commune, essential: Any, listed: Sequence[Any], today: date, known: dict[str, str]
) -> dict[str, str]:
    """Return the files to serve; the catalogue's dates move only when the data do."""
    files = {DECP_NAME: _json(essential)}
    titles = {DECP_NAME: ("Marchés publics (DECP 2.0.3)", "application/json")}
    for year, text in yearly_lists(listed).items():
        name = f"liste-{year}.csv"
        files[name] = text
        titles[name] = (f"Liste des marchés de {year} sous le seuil des données essentielles", "text/csv")
    issued, modified = _dates(known, files, today)
    distributions = [
        Distribution(name, titles[name][0], titles[name][1], len(text.encode()), name == DECP_NAME)
        for name, text in files.items()
    ]
    files[CATALOGUE_NAME] = dcat(publisher_of(commune), data_address(commune), distributions, issued, modified)
    return files


def _dates(known: dict[str, str], files: dict[str, str], today: date) -> tuple[str, str]:
    """Return the days of first issue and last change: those of the last catalogue when nothing changed."""
    day = today.isoformat()
    try:
        graph = json.loads(known[CATALOGUE_NAME])["@graph"]
        dataset = next(item for item in graph if item["@type"] == "dcat:Dataset")
        issued, modified = dataset["dct:issued"]["@value"], dataset["dct:modified"]["@value"]
    except (KeyError, TypeError, ValueError, StopIteration):
        return day, day
    same = {name: text for name, text in known.items() if name != CATALOGUE_NAME} == files
    return str(issued), str(modified) if same else day


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _count(document: Any) -> int:
    lists = document.get("marches") if isinstance(document, dict) else None
    if not isinstance(lists, dict):
        return 0
    return sum(len(found) for kind in (MARKET, CONCESSION) if isinstance(found := lists.get(kind), list))


def advice(verified: Verified) -> tuple[str, ...]:
    """Return what to tell beside the findings: contracts that should be public already."""
    return tuple(
        f"contrat {number} : notifié ou signé depuis deux mois, et il n'est pas publié → packmairie marches publish"
        for number in verified.late
    )
