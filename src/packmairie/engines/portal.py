# SPDX-License-Identifier: GPL-3.0-or-later
"""The portal as its host answers the technician (SSH): counts of the reporting channel, never content."""

from __future__ import annotations

import json

from packmairie.engines.hosts import run_on_host
from packmairie.model.pack import Hote
from packmairie.model.probe import Answer, Found, Unanswered
from packmairie.model.probes_portail import CellFacts, PortalFacts, PortalReading

STATE_COMMAND = "/usr/local/sbin/portail-gerer etat_signalement"


def read_portal(probe: PortalReading, host: Hote) -> Answer:
    """Given the host of the portal, return the state of its cells and channels, or why it could not be read."""
    answer = run_on_host(probe.host, host, STATE_COMMAND)
    if not isinstance(answer, Found):
        return answer
    try:
        data = json.loads(answer.value)
        cells = tuple(
            CellFacts(
                str(cell["nom"]), int(cell["membres"]), int(cell["garants"]), int(cell["ouverts"]),
                int(cell["non_accuses"]), int(cell["plus_ancien_non_accuse_jours"]),
                int(cell["a_lire"]), int(cell["plus_ancien_a_lire_jours"]),
                int(cell["retards_legaux"]), int(cell["retards"]), int(cell["avis"]), cell["journal_intact"] is True,
            )
            for cell in data["cellules"]
        )  # fmt: skip
        communes = {insee: (str(one["verdict"]), str(one["cellule"])) for insee, one in data["communes"].items()}
        return Found(PortalFacts(cells, communes))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Unanswered("réponse illisible de l'hôte du portail")
