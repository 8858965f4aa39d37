# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site generator is given for a commune: plain data, every default resolved.

The generator runs on the web host, away from the pack; this is all that it knows of a commune.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from packmairie.briques.portail import channel_address
from packmairie.model.commune import SHARED_LOCAL_PART, Commune
from packmairie.model.pack import Pack
from packmairie.site_mairie.colour import default_colour
from packmairie.site_mairie.images import recognise
from packmairie.site_mairie.opening_hours import DAYS, week_of

VERSION = 1
"""Version of this structure: the generator refuses another one."""
EPCI_KINDS = {"CC": "Communauté de communes", "CA": "Communauté d'agglomération", "CU": "Communauté urbaine"}
DEPARTEMENTS = {"59": "Nord", "62": "Pas-de-Calais"}


def site_host(commune: Commune) -> str:
    """Return the host name of a commune's site, ``www.riencourt-les-bapaume.fr``."""
    return f"www.{commune.domaine.nom}"


def site_data(
    commune: Commune,
    pack: Pack,
    blason: bytes | None = None,
    marches: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Given a validated commune, its pack and the content of its coat of arms, return the generator's input.

    ``marches`` are the titles and addresses of what the commune publishes of its contracts.

    The result is JSON. Raise ValueError when the coat of arms is not an acceptable image.
    """
    site = commune.site
    courriel = site.courriel or f"{SHARED_LOCAL_PART}@{commune.domaine.nom}"
    couleurs = site.couleurs
    return {
        "version": VERSION,
        "insee": commune.insee,
        "nom": commune.nom,
        "departement": DEPARTEMENTS.get(commune.departement, ""),
        "population": commune.population,
        "millesime": commune.millesime,
        "siret": commune.siret,
        "intercommunalite": _in_full(commune.epci.nom) if commune.epci else "",
        "latitude": commune.latitude,
        "longitude": commune.longitude,
        "hote": site_host(commune),
        "couleur": couleurs.principale if couleurs else default_colour(commune.insee),
        "accent": (couleurs.accent or "") if couleurs else "",
        "blason": _blason(blason),
        "adresse": {
            "voie": site.adresse.voie or "",
            "complement": site.adresse.complement or "",
            "code_postal": site.adresse.code_postal or commune.codes_postaux[0],
            "commune": site.adresse.commune or commune.nom,
        },
        "telephone": site.telephone or "",
        "courriel": courriel,
        "horaires": _hours(commune),
        "elus": [{"fonction": elu.fonction, "nom": elu.nom} for elu in site.elus],
        "presentation": list(site.presentation),
        "liens": [
            {"titre": lien.titre, "adresse": lien.adresse, "description": lien.description or ""} for lien in site.liens
        ],
        "profil_acheteur": site.profil_acheteur or "",
        "compte_acheteur": (commune.marches.compte if commune.marches else None) or "",
        "donnees_marches": [dict(link) for link in marches],
        "signalement": channel_address(commune, pack),
        "directeur_publication": site.directeur_publication or _mayor(commune),
        "hebergeur": _host(commune, pack),
        "delegue_donnees": site.delegue_donnees or "",
        "accessibilite": {
            "etat": site.accessibilite.etat,
            "declaration": site.accessibilite.declaration.isoformat() if site.accessibilite.declaration else "",
            "audit_par": site.accessibilite.audit_par or "",
            "taux": site.accessibilite.taux,
            "non_accessible": list(site.accessibilite.non_accessible),
            "contact": site.accessibilite.contact or courriel,
        },
        "editeurs": [f"{agent.identifiant}@{commune.domaine.nom}" for agent in commune.agents],
    }


def _hours(commune: Commune) -> dict[str, Any]:
    week = week_of((row.jours, row.heures) for row in commune.site.horaires)
    return {
        "semaine": {DAYS[day]: [[start, end] for start, end in slots] for day, slots in enumerate(week)},
        "fermetures": [
            {"du": row.du.isoformat(), "au": (row.au or row.du).isoformat(), "motif": row.motif or ""}
            for row in commune.site.fermetures
        ],
        "note": commune.site.note_horaires or "",
    }


def _in_full(name: str) -> str:
    """Return the name of an intercommunality with the register's abbreviation written out."""
    kind, _space, rest = name.partition(" ")
    return f"{EPCI_KINDS[kind]} {rest}" if kind in EPCI_KINDS and rest else name


def _mayor(commune: Commune) -> str:
    """Return the mayor's name when the list of the council tells it, or the office."""
    for elu in commune.site.elus:
        if elu.fonction.casefold() in ("maire", "le maire", "la maire", "madame le maire", "madame la maire"):
            return elu.nom
    return ""


def _host(commune: Commune, pack: Pack) -> dict[str, str]:
    chosen = commune.site.hebergeur
    source = chosen or pack.file.operateur
    return {
        "nom": source.nom,
        "adresse": source.adresse or "",
        "telephone": source.telephone or "",
        "courriel": source.courriel or "",
    }


def _blason(content: bytes | None) -> dict[str, str | int] | None:
    if content is None:
        return None
    picture = recognise(content)
    return {
        "extension": picture.extension,
        "largeur": picture.width,
        "hauteur": picture.height,
        "contenu": base64.b64encode(content).decode("ascii"),
    }
