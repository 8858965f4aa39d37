# SPDX-License-Identifier: GPL-3.0-or-later
"""The commune's own register of contracts, simpler than DECP, turned into DECP with the line of every value kept.

A row says what the secretary knows; what has one neutral answer in a small commune (no framework technique, no group of
operators …) may be left out. What is a statement of fact about the contract never has a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from packmairie.formats.findings import Finding, Path, Report, report

DOCUMENT = dict[str, Any]
"""A DECP document as JSON reads it."""


@dataclass(frozen=True)
class Row:
    """One contract of the register: its values by column, the line where it starts, and the line of each column."""

    values: Mapping[str, Any]
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, column: str) -> int:
        """Return the line of a column, or that of the row."""
        return self.lines.get(column, self.line)


@dataclass(frozen=True)
class Converted:
    """A DECP document made from rows, how to find the line of any of its values, and what could not be converted."""

    document: DOCUMENT
    rows: tuple[Row, ...]
    report: Report
    concessions: tuple[Row, ...] = ()

    def line(self, path: Path) -> int:
        """Given a path in the document, return the line of the register that it comes from."""
        rows, names = (self.concessions, CONCESSION_COLUMN_OF) if CONCESSION in path[1:2] else (self.rows, COLUMN_OF)
        if len(path) < 3 or not isinstance(path[2], int) or path[2] >= len(rows):
            return min((row.line for row in (*self.rows, *self.concessions)), default=0)
        row = rows[path[2]]
        column = names.get(str(path[3])) if len(path) > 3 else None
        return row.line_of(column) if column else row.line


@dataclass(frozen=True)
class Column:
    """A column of the register: the DECP key that it becomes, how its value is read, and its neutral default."""

    key: str
    kind: str
    wrapper: str = ""
    default: Any = None


COLUMNS: dict[str, Column] = {
    "numero": Column("id", "text"),
    "nature": Column("nature", "text", default="Marché"),
    "objet": Column("objet", "text"),
    "cpv": Column("codeCPV", "text"),
    "techniques": Column("techniques", "list", "technique", ("Sans objet",)),
    "modalites": Column("modalitesExecution", "list", "modaliteExecution", ("Sans objet",)),
    "accord_cadre": Column("idAccordCadre", "text"),
    "innovant": Column("marcheInnovant", "boolean", default=False),
    "ccag": Column("ccag", "text"),
    "offres_recues": Column("offresRecues", "integer"),
    "avance": Column("attributionAvance", "boolean"),
    "taux_avance": Column("tauxAvance", "share"),
    "groupement": Column("typeGroupementOperateurs", "text", default="Pas de groupement"),
    "sous_traitance": Column("sousTraitanceDeclaree", "boolean", default=False),
    "sous_traitants": Column("actesSousTraitance", "raw", "acteSousTraitance"),
    "procedure": Column("procedure", "text"),
    "lieu": Column("lieuExecution", "place"),
    "duree_mois": Column("dureeMois", "integer"),
    "notification": Column("dateNotification", "date"),
    "publication": Column("datePublicationDonnees", "date"),
    "montant": Column("montant", "amount"),
    "type_prix": Column("typesPrix", "list", "typePrix"),
    "forme_prix": Column("formePrix", "text"),
    "origine_ue": Column("origineUE", "share"),
    "origine_france": Column("origineFrance", "share"),
    "titulaires": Column("titulaires", "holders"),
    "considerations_sociales": Column("considerationsSociales", "list", "considerationSociale"),
    "considerations_environnementales": Column(
        "considerationsEnvironnementales", "list", "considerationEnvironnementale"
    ),
    "modifications": Column("modifications", "raw", "modification"),
    "modifications_sous_traitance": Column("modificationsActesSousTraitance", "raw", "modificationActeSousTraitance"),
}
COLUMN_OF = {column.key: name for name, column in COLUMNS.items()}
COLUMN_OF["acheteur"] = "acheteur"
MARKET, CONCESSION = "marche", "contrat-concession"
"""The two lists of a DECP document."""
CONCESSION_NATURES = (
    "Concession de travaux",
    "Concession de service",
    "Concession de service public",
    "Délégation de service public",
)
"""What ``nature`` says of a concession: any other word makes a contract of procurement."""
CONCESSION_COLUMNS: dict[str, Column] = {
    "numero": Column("id", "text"),
    "nature": Column("nature", "text"),
    "objet": Column("objet", "text"),
    "procedure": Column("procedure", "text"),
    "duree_mois": Column("dureeMois", "integer"),
    "signature": Column("dateSignature", "date"),
    "publication": Column("datePublicationDonnees", "date"),
    "debut_execution": Column("dateDebutExecution", "date"),
    "valeur": Column("valeurGlobale", "amount"),
    "subvention": Column("montantSubventionPublique", "amount"),
    "execution": Column("donneesExecution", "raw", "donneesAnnuelles"),
    "concessionnaires": Column("concessionnaires", "concessionaries"),
    "considerations_sociales": Column("considerationsSociales", "list", "considerationSociale"),
    "considerations_environnementales": Column(
        "considerationsEnvironnementales", "list", "considerationEnvironnementale"
    ),
    "modifications": Column("modifications", "raw", "modification"),
}
CONCESSION_COLUMN_OF = {column.key: name for name, column in CONCESSION_COLUMNS.items()}
CONCESSION_COLUMN_OF["autoriteConcedante"] = "acheteur"
EVERY_COLUMN = {**COLUMNS, **CONCESSION_COLUMNS}
_YES, _NO = {"oui", "vrai", "true", "1", "o"}, {"non", "faux", "false", "0", "n"}


class _UnreadableError(ValueError):
    """A value cannot be read: reason and remedy."""


def convert(rows: Iterable[Row], buyer: str, place: Mapping[str, str], published: Mapping[str, str]) -> Converted:
    """Given rows, the buyer's SIRET, the default place of execution and the known dates of publication, return DECP.

    ``place`` has ``code`` and ``typeCode``. ``published`` maps a contract's number to the day (``AAAA-MM-JJ``) on which
    it was first published; under ``""`` is the day to use for a new one. Keys without value are left out: the schema
    refuses null and empty lists.
    """
    kept = tuple(rows)
    concessions = tuple(row for row in kept if is_concession(row))
    contracts = tuple(row for row in kept if not is_concession(row))
    findings: list[Finding] = []
    found: dict[str, list[dict[str, Any]]] = {MARKET: [], CONCESSION: []}
    for kind, group in ((MARKET, contracts), (CONCESSION, concessions)):
        for row in group:
            contract, told = _contract(row, kind, buyer, place, published)
            found[kind].append(contract)
            findings += told
    return Converted(joined(found[MARKET], found[CONCESSION]), contracts, report(findings), concessions)


def is_concession(row: Row) -> bool:
    """Tell whether a row is a concession, by its nature."""
    return str(row.values.get("nature") or "").strip() in CONCESSION_NATURES


def joined(contracts: Sequence[Any], concessions: Sequence[Any]) -> DOCUMENT:
    """Return the DECP document of contracts and concessions; a list of concessions that is empty is left out."""
    lists: dict[str, list[Any]] = {MARKET: list(contracts)}
    if concessions:
        lists[CONCESSION] = list(concessions)
    return {"marches": lists}


def everything(document: Any) -> list[Any]:
    """Return the contracts and the concessions of a DECP document. Raise KeyError or TypeError when it is none."""
    lists = document["marches"]
    return [*lists[MARKET], *lists.get(CONCESSION, [])]


def _contract(
    row: Row, kind: str, buyer: str, place: Mapping[str, str], published: Mapping[str, str]
) -> tuple[dict[str, Any], list[Finding]]:
    columns, names = (COLUMNS, COLUMN_OF) if kind == MARKET else (CONCESSION_COLUMNS, CONCESSION_COLUMN_OF)
    number = str(row.values.get("numero") or "")
    word = "marché" if kind == MARKET else "concession"
    label = f"{word} {number}" if number else f"{word} sans numéro"
    findings = [
        Finding(
            row.line_of(name),
            label,
            f"colonne « {name} » inconnue",
            f"écrire l'une de : {', '.join(columns)}",
        )
        for name, value in row.values.items()
        # A spreadsheet has one line of headings for all: what is empty there is another kind's column.
        if name not in columns and name != "acheteur" and (value not in (None, "") or name not in EVERY_COLUMN)
    ]
    buyer_key = "acheteur" if kind == MARKET else "autoriteConcedante"
    contract: dict[str, Any] = {buyer_key: {"id": str(row.values.get("acheteur") or buyer)}}
    for name, column in columns.items():
        value = row.values.get(name)
        if value in (None, "", [], ()):
            if column.default is None:
                continue
            value = column.default
        try:
            contract[column.key] = _read(column, value)
        except _UnreadableError as error:
            reason, remedy = error.args
            findings.append(Finding(row.line_of(name), label, f"{name} : {reason}", remedy))
    if kind == MARKET:
        contract.setdefault("lieuExecution", dict(place))
    contract.setdefault("datePublicationDonnees", published.get(number) or published.get("", ""))
    if not contract["datePublicationDonnees"]:
        del contract["datePublicationDonnees"]
    return {key: contract[key] for key in ("id", buyer_key, *names) if key in contract}, findings


def _read(column: Column, value: Any) -> Any:
    read = _READERS[column.kind](value)
    if column.kind == "list":
        return {column.wrapper: read}
    if column.kind == "raw":
        return [item if set(item) == {column.wrapper} else {column.wrapper: item} for item in read]
    return read


def _text(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        raise _UnreadableError("un texte était attendu", "écrire un texte sur la ligne")
    return str(value).strip()


def _list(value: Any) -> list[str]:
    items = value if isinstance(value, (list, tuple)) else str(value).split("|")
    return [_text(item) for item in items if _text(item)]


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in _YES | _NO:
        return word in _YES
    raise _UnreadableError(f"« {value} » n'est ni oui ni non", "écrire oui ou non")


def number_of(value: Any) -> float | int | None:
    """Return a number as people type it (``52 300,50``, ``52300.5``), None when it is not one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    text = re.sub(r"[\s\u00a0\u202f€]", "", str(value))
    if not re.fullmatch(r"-?[0-9]{1,15}([.,][0-9]{1,6})?", text):
        return None
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number


def _amount(value: Any) -> float | int:
    number = number_of(value)
    if number is None:
        raise _UnreadableError(f"« {value} » n'est pas un montant", "écrire un nombre en euros hors taxes : 52300.50")
    return number


def _integer(value: Any) -> int:
    number = number_of(value)
    if not isinstance(number, int):
        raise _UnreadableError(f"« {value} » n'est pas un nombre entier", "écrire un nombre entier, sans unité")
    return number


def _share(value: Any) -> float | int:
    text = str(value).strip()
    number = number_of(text.removesuffix("%"))
    if number is None:
        raise _UnreadableError(f"« {value} » n'est pas une part", "écrire 0.35 ou 35 %")
    return round(number / 100, 6) if text.endswith("%") else number


def _date(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).strip()
    french = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", text)
    return f"{french[3]}-{int(french[2]):02d}-{int(french[1]):02d}" if french else text


def _place(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        known = {"code": "code", "type": "typeCode", "typeCode": "typeCode"}
        strange = [key for key in value if key not in known]
        if strange:
            raise _UnreadableError(f"clé « {strange[0]} » inconnue", "écrire code et type")
        return {known[key]: str(item) for key, item in value.items()}
    code = str(value).strip()
    # Five digits are both a postal code and an INSEE code: the postal code is the one that people know.
    return {"code": code, "typeCode": "Code postal" if re.fullmatch(r"[0-9]{5}", code) else "Code commune"}


def _holders(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, (list, tuple)) else str(value).split("|")
    return [{"titulaire": _holder(item)} for item in items]


def _concessionaries(value: Any) -> list[dict[str, Any]]:
    return [{"concessionnaire": holder["titulaire"]} for holder in _holders(value)]


def _holder(item: Any) -> dict[str, str]:
    remedy = "écrire siret: 12345678901234, ou tva: FR…, hors-ue: …"
    if isinstance(item, dict):
        if set(item) == {"typeIdentifiant", "id"}:
            return {"typeIdentifiant": str(item["typeIdentifiant"]), "id": str(item["id"])}
        if len(item) != 1:
            raise _UnreadableError("un titulaire a un seul identifiant", remedy)
        kind, identifier = next(iter(item.items()))
    else:
        text = str(item).strip()
        kind, colon, identifier = text.partition(":")
        if not colon:
            kind, identifier = "siret", text
    compact = str(identifier).strip()
    if str(kind).strip().casefold() in ("siret", "tva"):
        compact = compact.replace(" ", "")
    return {"typeIdentifiant": str(kind).strip().upper(), "id": compact}


def _raw(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _UnreadableError("une liste d'objets DECP était attendue", "l'écrire dans un registre YAML (voir la doc)")
    return [_plain(item) for item in value]


def _plain(value: Any) -> Any:
    """Return YAML's dates as the texts that JSON carries."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


_READERS: dict[str, Any] = {
    "text": _text,
    "list": _list,
    "boolean": _boolean,
    "integer": _integer,
    "amount": _amount,
    "share": _share,
    "date": _date,
    "place": _place,
    "holders": _holders,
    "concessionaries": _concessionaries,
    "raw": _raw,
}
