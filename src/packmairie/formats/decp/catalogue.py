# SPDX-License-Identifier: GPL-3.0-or-later
"""The DCAT catalogue by which data.gouv.fr harvests the commune's contracts, as JSON-LD with its context inside.

A harvester that fetched the context elsewhere would depend on that elsewhere; here it depends on nothing.
Source: DCAT 3 (W3C), and the fields that data.gouv.fr reads (doc.data.gouv.fr, « Moissonnage DCAT »).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
LICENCE = "https://www.etalab.gouv.fr/licence-ouverte-open-licence"
SCHEMA = "https://github.com/139bercy/format-commande-publique"
FREQUENCY = "http://publications.europa.eu/resource/authority/frequency/IRREG"


@dataclass(frozen=True)
class Distribution:
    """A file of the dataset: its name under the base address, its title, media type and size in octets."""

    name: str
    title: str
    media_type: str
    octets: int
    conforms: bool = False


@dataclass(frozen=True)
class Publisher:
    """Who publishes: the name of the commune in full (« commune d'Œuf-en-Ternois »), its SIRET, INSEE code and site."""

    name: str
    siret: str
    insee: str
    site: str


def dcat(publisher: Publisher, base: str, distributions: Sequence[Distribution], issued: str, modified: str) -> str:
    """Given the publisher, the address of the data's folder, its files and two dates, return the catalogue (JSON-LD).

    ``base`` ends with a slash; ``issued`` and ``modified`` are ``AAAA-MM-JJ``.
    """
    agent = {
        "@id": f"{publisher.site}#commune",
        "@type": "foaf:Organization",
        "foaf:name": publisher.name,
        "dct:identifier": publisher.siret,
        "foaf:homepage": {"@id": publisher.site},
    }
    dataset = {
        "@id": f"{base}#decp",
        "@type": "dcat:Dataset",
        "dct:identifier": f"decp-{publisher.siret}",
        "dct:title": _french(f"Données essentielles des marchés publics — {publisher.name}"),
        "dct:description": _french(
            "Marchés publics notifiés depuis le 1er janvier 2024, au format DECP 2.0.3"
            " (articles L.2196-2 et R.2196-1 du code de la commande publique)."
        ),
        "dct:publisher": {"@id": agent["@id"]},
        "dct:license": {"@id": LICENCE},
        "dct:issued": _day(issued),
        "dct:modified": _day(modified),
        "dct:accrualPeriodicity": {"@id": FREQUENCY},
        "dct:language": {"@id": "http://publications.europa.eu/resource/authority/language/FRA"},
        "dct:spatial": {"@id": f"http://id.insee.fr/geo/commune/{publisher.insee}"},
        "dcat:keyword": [_french(word) for word in ("decp", "marchés publics", "commande publique")],
        "dcat:landingPage": {"@id": publisher.site},
        "dcat:distribution": [_distribution(base, item, modified) for item in distributions],
    }
    catalogue = {
        "@id": f"{base}catalogue.jsonld",
        "@type": "dcat:Catalog",
        "dct:title": _french(f"Données ouvertes — {publisher.name}"),
        "dct:publisher": {"@id": agent["@id"]},
        "dct:modified": _day(modified),
        "foaf:homepage": {"@id": publisher.site},
        "dcat:dataset": [{"@id": dataset["@id"]}],
    }
    return json.dumps({"@context": CONTEXT, "@graph": [catalogue, dataset, agent]}, ensure_ascii=False, indent=1) + "\n"


def _distribution(base: str, item: Distribution, modified: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": f"{base}{item.name}",
        "@type": "dcat:Distribution",
        "dct:title": _french(item.title),
        "dcat:accessURL": {"@id": f"{base}{item.name}"},
        "dcat:downloadURL": {"@id": f"{base}{item.name}"},
        "dcat:mediaType": item.media_type,
        "dct:format": item.name.rsplit(".", 1)[-1],
        "dcat:byteSize": {"@type": "xsd:nonNegativeInteger", "@value": str(item.octets)},
        "dct:license": {"@id": LICENCE},
        "dct:modified": _day(modified),
    }
    if item.conforms:
        found["dct:conformsTo"] = {"@id": SCHEMA}
    return found


def _french(text: str) -> dict[str, str]:
    return {"@value": text, "@language": "fr"}


def _day(text: str) -> dict[str, str]:
    return {"@type": "xsd:date", "@value": text}
