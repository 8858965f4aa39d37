# SPDX-License-Identifier: GPL-3.0-or-later
"""What the official schema lets through and should not: impossible dates, mistyped numbers, shares, deadlines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from packmairie.formats.decp.identifiers import KINDS, holder_fault, siret_fault
from packmairie.formats.decp.places import Line, place_of
from packmairie.formats.decp.thresholds import TABLE, Thresholds, in_force
from packmairie.formats.findings import Finding, Level, Path, Report, report

DATE_KEYS = (
    "dateNotification",
    "datePublicationDonnees",
    "dateSignature",
    "dateDebutExecution",
    "dateNotificationModification",
    "datePublicationDonneesModification",
    "dateNotificationModificationSousTraitance",
    "dateSignatureModification",
    "datePublicationDonneesExecution",
)
DEADLINE_MONTHS = 2
"""Essential data are published within two months of the notification (CCP R.2196-1), or of the signature (R.3131-1)."""
DECP_START = date(2024, 1, 1)
"""DECP 2 applies to contracts notified since this day; older ones had another format."""


@dataclass(frozen=True)
class Judged:
    """What the rules need beside the document: the day of judgement, the thresholds and the buyer expected, if any."""

    today: date
    thresholds: Sequence[Thresholds] = TABLE
    buyer: str = ""


def beyond_schema(document: Any, judged: Judged, line: Line) -> Report:
    """Given a DECP document of any quality, return what is wrong with it that the official schema accepts."""
    findings: list[Finding] = []

    def tell(path: Path, reason: str, remedy: str, level: Level = Level.ERREUR) -> None:
        findings.append(Finding(line(path), place_of(document, path), reason, remedy, level))

    for kind, key in (("marche", "dateNotification"), ("contrat-concession", "dateSignature")):
        contracts = _contracts(document, kind)
        _duplicates(contracts, kind, tell)
        for index, contract in enumerate(contracts):
            if isinstance(contract, dict):
                _dates(contract, ("marches", kind, index), judged.today, tell)
                _identifiers(contract, ("marches", kind, index), judged.buyer, tell)
                _delay(contract, ("marches", kind, index), key, judged, tell)
                _consistency(contract, ("marches", kind, index), judged, tell)
    return report(findings)


def _contracts(document: Any, kind: str) -> list[Any]:
    lists = document.get("marches") if isinstance(document, dict) else None
    found = lists.get(kind) if isinstance(lists, dict) else None
    return found if isinstance(found, list) else []


def _duplicates(contracts: list[Any], kind: str, tell: Any) -> None:
    """The number of a contract identifies it with its buyer: two contracts cannot share it."""
    keys = [_key(contract) for contract in contracts]
    counts = Counter(key for key in keys if key is not None)
    seen: set[Any] = set()
    for index, key in enumerate(keys):
        if key is not None and counts[key] > 1 and key in seen:
            tell(("marches", kind, index, "id"), "numéro déjà pris par un autre contrat", "donner à chacun le sien")
        seen.add(key)


def _key(contract: Any) -> tuple[str, str] | None:
    if not isinstance(contract, dict) or not isinstance(contract.get("id"), str):
        return None
    buyer = contract.get("acheteur") or contract.get("autoriteConcedante")
    return str(buyer.get("id") if isinstance(buyer, dict) else ""), contract["id"].strip().casefold()


def parse_day(value: Any) -> date | None:
    """Return the date of a text ``AAAA-MM-JJ``, None when it is not one or is no day of the calendar."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    """Yield (path, key, value) for every key of every object, without recursion: the document may be hostile."""
    waiting = [(path, value)]
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, dict):
            for key, below in item.items():
                yield (*place, key), key, below
                waiting.append(((*place, key), below))
        elif isinstance(item, list):
            waiting.extend(((*place, index), below) for index, below in enumerate(item))


def _dates(contract: dict[str, Any], base: Path, today: date, tell: Any) -> None:
    for path, key, value in _walk(contract, base):
        if key not in DATE_KEYS or not isinstance(value, str):
            continue
        day = parse_day(value)
        if day is None:
            tell(path, f"« {value[:40]} » n'est pas un jour du calendrier", "écrire AAAA-MM-JJ, sans heure")
        elif day.year < 1990:
            tell(path, f"{value} : année invraisemblable", "corriger la date")
        elif day > today and key != "dateDebutExecution":
            tell(path, f"{value} est dans le futur", "attendre ce jour, ou corriger la date")


def _identifiers(contract: dict[str, Any], base: Path, buyer: str, tell: Any) -> None:
    for key in ("acheteur", "autoriteConcedante"):
        authority = contract.get(key)
        number = authority.get("id") if isinstance(authority, dict) else None
        if isinstance(number, str):
            fault = siret_fault(number)
            if fault:
                tell((*base, key, "id"), f"SIRET {number[:20]} de l'acheteur : {fault}", "le recopier de l'avis SIRENE")
            elif buyer and number[:9] != buyer[:9]:
                # A CCAS has a SIREN of its own, and its contracts may stand in the commune's register.
                reason = f"SIRET {number} : n'est pas celui de la commune"
                tell((*base, key, "id"), reason, f"écrire {buyer}, sauf pour un autre acheteur", Level.A_VERIFIER)
    for path, key, value in _walk(contract, base):
        if key not in ("titulaire", "concessionnaire", "sousTraitant") or not isinstance(value, dict):
            continue
        kind, number = value.get("typeIdentifiant"), value.get("id")
        if kind in KINDS and isinstance(number, str):
            fault = holder_fault(str(kind), number)
            if fault:
                tell((*path, "id"), f"{kind} « {number[:30]} » : {fault}", _holder_remedy(str(kind)))


def _holder_remedy(kind: str) -> str:
    return {
        "SIRET": "le demander à l'entreprise, ou le chercher sur annuaire-entreprises.data.gouv.fr",
        "TVA": "le demander à l'entreprise, ou le vérifier sur VIES",
    }.get(kind, "le recopier de l'acte d'engagement")


def months_later(day: date, months: int) -> date:
    """Return the same day some months later, the last of the month where it does not exist."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise AssertionError("every month has a 28th")


def _delay(contract: dict[str, Any], base: Path, key: str, judged: Judged, tell: Any) -> None:
    done, published = parse_day(contract.get(key)), parse_day(contract.get("datePublicationDonnees"))
    if done is None:
        return
    if done < DECP_START:
        tell(
            (*base, key),
            f"notifié le {done:%d/%m/%Y}, avant DECP 2 (1er janvier 2024)",
            "ce contrat n'a pas à être republié : le retirer, ou le garder sciemment",
            Level.A_VERIFIER,
        )
    limit = months_later(done, DEADLINE_MONTHS)
    if published and published < done:
        tell(
            (*base, "datePublicationDonnees"),
            "publication antérieure à la notification",
            "corriger l'une des deux dates",
        )
    elif published and published > limit:
        tell(
            (*base, "datePublicationDonnees"),
            f"publié le {published:%d/%m/%Y}, deux mois après la notification étaient le {limit:%d/%m/%Y}",
            "publier quand même, et publier les suivants dès leur notification",
            Level.A_VERIFIER,
        )


def _consistency(contract: dict[str, Any], base: Path, judged: Judged, tell: Any) -> None:
    france, union = contract.get("origineFrance"), contract.get("origineUE")
    if isinstance(france, (int, float)) and isinstance(union, (int, float)) and france > union:
        tell(
            (*base, "origineFrance"),
            f"part française ({france}) plus grande que la part européenne ({union})",
            "origineUE comprend la France : corriger l'une des deux",
        )
    if contract.get("attributionAvance") is False and contract.get("tauxAvance"):
        tell((*base, "tauxAvance"), "taux d'avance alors qu'aucune avance n'est attribuée", "corriger l'un des deux")
    if contract.get("sousTraitanceDeclaree") is False and contract.get("actesSousTraitance"):
        tell((*base, "sousTraitanceDeclaree"), "dit qu'il n'y a pas de sous-traitance, or il y en a", "écrire oui")
    for path, key, value in _walk(contract, base):
        alone = next((word for word in _ALONE if isinstance(value, list) and word in value and len(value) > 1), "")
        if alone:
            tell(path, f"« {alone} » avec une autre valeur de {key}", f"retirer « {alone} »")
    if base[1] == "marche":
        _amount(contract, base, judged, tell)


_ALONE = ("Sans objet", "Pas de considération sociale", "Pas de considération environnementale")


def is_works(contract: dict[str, Any]) -> bool:
    """Tell whether a contract is for works: division 45 of the CPV (règlement 213/2008)."""
    return str(contract.get("codeCPV", "")).startswith("45")


def _amount(contract: dict[str, Any], base: Path, judged: Judged, tell: Any) -> None:
    """Say what the amount and the date of notification make unusual; a person decides, exceptions are many."""
    amount, day = contract.get("montant"), parse_day(contract.get("dateNotification"))
    row = in_force(day, judged.thresholds) if day else None
    if row is None or not isinstance(amount, (int, float)) or isinstance(amount, bool):
        return
    if amount < row.liste:
        reason = f"{amount} € HT : rien n'oblige à publier sous {row.liste} €"
        tell((*base, "montant"), reason, "le retirer, ou le garder sciemment", Level.A_VERIFIER)
    works = is_works(contract)
    free = row.dispense_travaux if works else row.dispense_autres
    formal = row.formalisee_travaux if works else row.formalisee_autres
    procedure = contract.get("procedure")
    subject = "travaux" if works else "fournitures et services"
    if procedure == "Marché passé sans publicité ni mise en concurrence préalable" and amount >= free:
        tell(
            (*base, "procedure"),
            f"sans publicité, or la dispense pour les {subject} s'arrête à {free} € HT le {day:%d/%m/%Y}",
            "vérifier qu'un autre motif le permet (CCP R.2122-1 à R.2122-9)",
            Level.A_VERIFIER,
        )
    if procedure == "Procédure adaptée" and amount >= formal:
        tell(
            (*base, "procedure"),
            f"procédure adaptée, or le seuil des {subject} est de {formal} € HT le {day:%d/%m/%Y}",
            "vérifier l'objet du marché (petits lots, services sociaux : CCP R.2123-1)",
            Level.A_VERIFIER,
        )


def overdue(document: Any, published: set[str], today: date) -> tuple[str, ...]:
    """Return the numbers of the contracts that should be public already, two months after they were signed."""
    late = []
    for kind, key in (("marche", "dateNotification"), ("contrat-concession", "dateSignature")):
        for contract in _contracts(document, kind):
            day = parse_day(contract.get(key))
            if day and months_later(day, DEADLINE_MONTHS) < today and contract.get("id") not in published:
                late.append(str(contract.get("id")))
    return tuple(late)
