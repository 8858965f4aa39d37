# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers of buyers and holders of contracts, and what tells a mistyped one."""

from __future__ import annotations

import re

LA_POSTE = "356000000"
"""The SIREN of La Poste: the numbers of its establishments outgrew the check digit."""
KINDS = ("SIRET", "TVA", "TAHITI", "RIDET", "FRWF", "IREP", "HORS-UE")

_EU_COUNTRIES = tuple(
    re.findall("..", "ATBEBGCYCZDEDKEEELESFIFRHRHUIEITLTLULVMTNLPLPTROSESISKXI")  # XI: Northern Ireland
)


def luhn(digits: str) -> bool:
    """Tell whether a number's check digit is right (ISO/IEC 7812-1, Annex B)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if position % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def siret_fault(value: str) -> str:
    """Given what should be a SIRET, return what is wrong with it, or nothing.

    Establishments of La Poste (SIREN 356000000) need not pass the Luhn check: INSEE asks instead that the sum of
    their digits be a multiple of five.
    """
    if not re.fullmatch(r"[0-9]{14}", value):
        return "n'a pas quatorze chiffres"
    if value.startswith(LA_POSTE):
        good = luhn(value) or sum(map(int, value)) % 5 == 0
    else:
        good = luhn(value) and luhn(value[:9])
    return "" if good else "a une clé de contrôle fausse : une faute de frappe s'y est glissée"


def holder_fault(kind: str, value: str) -> str:
    """Given the kind and the value of a holder's identifier, return what is wrong with it, or nothing."""
    if kind == "SIRET":
        return siret_fault(value)
    if kind == "TVA":
        return _vat_fault(value)
    if not value.strip():
        return "est vide"
    if value != value.strip() or not value.isprintable():
        return "commence ou finit par une espace, ou contient un caractère invisible"
    return ""


def _vat_fault(value: str) -> str:
    """Intra-community VAT number: a country of the Union, then 2 to 12 characters (directive 2006/112/CE, art. 215)."""
    if not re.fullmatch(r"[A-Z]{2}[0-9A-Z+*]{2,12}", value) or value[:2] not in _EU_COUNTRIES:
        return "n'est pas un numéro de TVA intracommunautaire (deux lettres du pays, puis 2 à 12 caractères)"
    if value.startswith("FR"):
        found = re.fullmatch(r"FR([0-9]{2})([0-9]{9})", value)
        if found and (12 + 3 * (int(found[2]) % 97)) % 97 != int(found[1]):
            return "a une clé de TVA fausse pour ce SIREN"
        if not re.fullmatch(r"FR[0-9A-HJ-NP-Z]{2}[0-9]{9}", value):
            return "n'est pas un numéro de TVA français (FR, deux caractères, SIREN)"
    return ""
