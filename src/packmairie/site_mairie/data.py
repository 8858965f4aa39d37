# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's view of a commune: what ``presence_site.site_data`` wrote, checked once more.

The web host builds from a file; a file that somebody altered must not become a harmful page.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from .colour import Palette, palette
from .images import recognise
from .opening_hours import DAYS, Closure, Hours
from .wording import clean, clean_line

VERSION = 1
MAX_FILE = 512 * 1024
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_HTTPS = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?([/?][A-Za-z0-9._~/?#@!&()*+,;=:%-]*)?")
_MAIL = re.compile(r"[a-z0-9][a-z0-9._-]*@[a-z0-9.-]+\.[a-z]{2,}")
_PHONE = re.compile(r"0[1-9]( ?[0-9]{2}){4}")
_TEXTS = (
    "insee", "nom", "departement", "intercommunalite", "siret", "directeur_publication",
)  # fmt: skip


@dataclass(frozen=True)
class Link:
    """A link of the commune: what it leads to, and an https address."""

    titre: str
    adresse: str
    description: str = ""


@dataclass(frozen=True)
class Coat:
    """The coat of arms: its file name on the site, its size in pixels, its content."""

    name: str
    width: int
    height: int
    content: bytes


@dataclass(frozen=True)
class Commune:
    """A commune as its pages need it; every text is one clean line unless said otherwise."""

    insee: str
    nom: str
    departement: str
    intercommunalite: str
    siret: str
    directeur_publication: str
    population: int
    millesime: int
    latitude: float
    longitude: float
    hote: str
    palette: Palette
    blason: Coat | None
    adresse: Mapping[str, str]
    telephone: str
    courriel: str
    horaires: Hours
    elus: tuple[Mapping[str, str], ...]
    presentation: tuple[str, ...]
    """Paragraphs of Markdown."""
    liens: tuple[Link, ...]
    profil_acheteur: str
    compte_acheteur: str
    donnees_marches: tuple[Link, ...]
    """What the commune publishes of its contracts, served beside the site."""
    signalement: str
    hebergeur: Mapping[str, str]
    delegue_donnees: str
    accessibilite: Mapping[str, Any]
    editeurs: tuple[str, ...]
    """Logins that may change the site by mail."""

    @property
    def origin(self) -> str:
        """The site's address, without a final slash."""
        return f"https://{self.hote}"

    @property
    def map(self) -> str:
        """The address of the mairie's village on OpenStreetMap."""
        place = f"{self.latitude:.5f}/{self.longitude:.5f}"
        return f"https://www.openstreetmap.org/#map=16/{place}"


def load_commune(path: Path) -> Commune:
    """Given the path of a commune's JSON, return it checked. Raise OSError, or ValueError with the reason."""
    with path.open("rb") as stream:
        text = stream.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise ValueError(f"{path.name} : plus de {MAX_FILE} octets")
    return commune_of(json.loads(text))


def commune_of(data: Mapping[str, Any]) -> Commune:
    """Given the decoded JSON of a commune, return it checked. Raise ValueError with the reason."""
    try:
        return _commune(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"données de la commune incomplètes ({type(error).__name__} : {error})") from None


def _commune(data: Mapping[str, Any]) -> Commune:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']} des données, {VERSION} attendue")
    acces = data["accessibilite"]
    return Commune(
        **{key: clean_line(_text(data[key])) for key in _TEXTS},
        population=int(data["population"]),
        millesime=int(data["millesime"]),
        latitude=float(data["latitude"]),
        longitude=float(data["longitude"]),
        hote=_match(_HOST, data["hote"], "hote"),
        palette=palette(_text(data["couleur"]), _text(data["accent"]) or None),
        blason=_coat(data["blason"]),
        adresse=_lines(data["adresse"]),
        telephone=_optional(_PHONE, data["telephone"], "telephone"),
        courriel=_match(_MAIL, data["courriel"], "courriel"),
        horaires=_hours(data["horaires"]),
        elus=tuple(_lines(elu) for elu in data["elus"]),
        presentation=tuple(clean(_text(text)) for text in data["presentation"]),
        liens=tuple(_link(link) for link in data["liens"]),
        profil_acheteur=_optional(_HTTPS, data["profil_acheteur"], "profil_acheteur"),
        compte_acheteur=clean_line(_text(data.get("compte_acheteur", ""))),
        donnees_marches=tuple(_link({**link, "description": ""}) for link in data["donnees_marches"]),
        signalement=_optional(_HTTPS, data["signalement"], "signalement"),
        hebergeur={
            **_lines(data["hebergeur"]),
            "telephone": _optional(_PHONE, data["hebergeur"]["telephone"], "hebergeur.telephone"),
            "courriel": _optional(_MAIL, data["hebergeur"]["courriel"], "hebergeur.courriel"),
        },
        delegue_donnees=_optional(_MAIL, data["delegue_donnees"], "delegue_donnees"),
        accessibilite={
            "etat": clean_line(_text(acces["etat"])),
            "declaration": date.fromisoformat(acces["declaration"]) if acces["declaration"] else None,
            "audit_par": clean_line(_text(acces["audit_par"])),
            "taux": None if acces["taux"] is None else int(acces["taux"]),
            "non_accessible": tuple(clean_line(_text(text)) for text in acces["non_accessible"]),
            "contact": _match(_MAIL, acces["contact"], "accessibilite.contact"),
        },
        editeurs=tuple(_match(_MAIL, login, "editeurs") for login in data["editeurs"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"texte attendu, {type(value).__name__} reçu")
    return value


def _lines(value: Mapping[str, Any]) -> dict[str, str]:
    return {key: clean_line(_text(text)) for key, text in value.items()}


def _match(pattern: re.Pattern[str], value: Any, name: str) -> str:
    if not pattern.fullmatch(_text(value)):
        raise ValueError(f"{name} : « {clean_line(value, 80)} » n'a pas la forme attendue")
    return str(value)


def _optional(pattern: re.Pattern[str], value: Any, name: str) -> str:
    return "" if value == "" else _match(pattern, value, name)


def _link(value: Mapping[str, Any]) -> Link:
    return Link(
        clean_line(_text(value["titre"])),
        _match(_HTTPS, value["adresse"], "liens"),
        clean_line(_text(value["description"])),
    )


def _hours(value: Mapping[str, Any]) -> Hours:
    week = tuple(tuple((int(start), int(end)) for start, end in value["semaine"][day]) for day in DAYS)
    if any(not 0 <= start < end <= 1440 for slots in week for start, end in slots):
        raise ValueError("horaires : plage impossible")
    closures = [
        Closure(date.fromisoformat(row["du"]), date.fromisoformat(row["au"]), clean_line(_text(row["motif"])))
        for row in value["fermetures"]
    ]
    return Hours(week, tuple(sorted(closures, key=lambda row: row.first)), clean_line(_text(value["note"])))


def _coat(value: Mapping[str, Any] | None) -> Coat | None:
    if value is None:
        return None
    content = base64.b64decode(_text(value["contenu"]), validate=True)
    picture = recognise(content)
    return Coat(f"blason.{picture.extension}", picture.width, picture.height, content)
