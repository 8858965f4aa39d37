# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of values that the files of a pack hold, each with what it refuses."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _domain_name(value: str) -> str:
    """Refuse what is not a lower-case host name of two labels or more (RFC 1123 §2.1; IDN in its xn-- form)."""
    labels = value.split(".")
    if len(value) > 253 or len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("n'est pas un nom de domaine (lettres minuscules sans accent, chiffres et tirets)")
    return value


def _luhn(value: str) -> str:
    """Refuse a SIREN or SIRET whose check digit is wrong (ISO/IEC 7812-1 Annex B)."""
    total = 0
    for position, digit in enumerate(reversed(value)):
        doubled = int(digit) * (2 if position % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    if total % 10:
        raise ValueError("clé de contrôle fausse : une faute de frappe s'est glissée dans ce numéro")
    return value


def plain_text(value: str) -> str:
    """Refuse control characters, which no template, zone or shell should ever meet."""
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("contient un caractère de contrôle")
    return value


DomainName = Annotated[str, StringConstraints(max_length=253), AfterValidator(_domain_name)]
InseeCode = Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|2[AB])[0-9]{3}$")]
Siren = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$"), AfterValidator(_luhn)]
Siret = Annotated[str, StringConstraints(pattern=r"^[0-9]{14}$"), AfterValidator(_luhn)]
PostalCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]


def no_way_up(value: str) -> str:
    """Refuse ``.`` and ``..`` in a path."""
    if {".", ".."} & set(value.split("/")):
        raise ValueError("contient « . » ou « .. »")
    return value


AbsolutePath = Annotated[
    str,
    # Restic would read a pattern in the other characters.
    StringConstraints(pattern=r"^(/[^/*?\[\]\\]+)+$", max_length=300),
    AfterValidator(plain_text),
    AfterValidator(no_way_up),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(plain_text)]
SpfMechanism = Annotated[
    str,
    StringConstraints(
        pattern=r"^[+?~-]?(include|a|mx|ip4|ip6|exists)(:[A-Za-z0-9._:/-]+)?(/[0-9]{1,3})?$", max_length=200
    ),
]
"""One mechanism of RFC 7208 §5, never ``all``: the policy's end is not the commune's to write."""
DeclaredText = Annotated[str, StringConstraints(max_length=300), AfterValidator(plain_text)]
LocalPart = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
MailAddress = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*@[a-z0-9.-]+\.[a-z]{2,}$", max_length=254)
]
HttpsUrl = Annotated[
    str,
    StringConstraints(
        pattern=r"^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?([/?][A-Za-z0-9._~/?#@!&()*+,;=:%-]*)?$",
        max_length=500,
    ),
]
"""A web address in https, its host in lower case, without user name nor character that needs quoting."""
PhoneNumber = Annotated[str, StringConstraints(pattern=r"^0[1-9]( ?[0-9]{2}){4}$")]
Paragraph = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(plain_text)]


class Strict(BaseModel):
    """Base of every file's model: an unknown key is a typing error to be told, not to be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
