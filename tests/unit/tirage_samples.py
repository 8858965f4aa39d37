# SPDX-License-Identifier: GPL-3.0-or-later
"""Two communes whose workstations pull what is theirs, and a bundle for each workstation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core_samples import commune, pack

from packmairie.briques.postes_tirage import SIGNATURE_KEY
from packmairie.inventory.generators import new_secret
from packmairie.model.pack import Pack
from packmairie.operations.desired import wished_secrets
from packmairie.operations.postes_bundle import Bundle, contents, issue

GROUPS = ["dns", "frontal", "messagerie", "partage", "acces"]
FRONT = {"plateforme": {"hotes": {"plateforme": {"adresse": "192.0.2.10", "groupes": GROUPS}}}}
NOW = datetime.now(UTC)
POSTE = "poste-62708-1"


def pulling_fleet() -> tuple[Pack, dict[str, dict[str, Any]]]:
    """Return two communes with a workstation each, and real secrets."""
    places = [
        commune(code, postes=[{"nom": f"poste-{code}-1", "acces": "tirage", "profil": "leger"}])
        for code in ("62708", "62633")
    ]
    wished = pack(*places, **FRONT)
    return wished, {name: {one.name: new_secret(one.kind) for one in wishes} for name, wishes in wished_secrets(wished)}


def bundles_of(wished: Pack, secrets: dict[str, dict[str, Any]]) -> dict[str, Bundle]:
    """Return a bundle for each workstation."""
    key = secrets["plateforme"][SIGNATURE_KEY]["privee"]
    return {content.poste: issue(content, key, NOW, 45) for content in contents(wished, secrets.__getitem__)}
