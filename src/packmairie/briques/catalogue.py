# SPDX-License-Identifier: GPL-3.0-or-later
"""The briques that exist, in the order in which they are shown."""

from __future__ import annotations

from packmairie.briques.archivage import Archivage
from packmairie.briques.contract import Brique
from packmairie.briques.dns import Dns
from packmairie.briques.marches import Marches
from packmairie.briques.messagerie import Messagerie
from packmairie.briques.partage import Partage
from packmairie.briques.postes import Postes
from packmairie.briques.presence import Presence
from packmairie.briques.sauvegarde import Sauvegarde
from packmairie.briques.signalement import Signalement
from packmairie.briques.sondage import Sondage
from packmairie.briques.teletransmission import Teletransmission

CATALOGUE: tuple[Brique, ...] = (
    Dns(),
    Messagerie(),
    Presence(),
    Partage(),
    Sauvegarde(),
    Postes(),
    Archivage(),
    Teletransmission(),
    Marches(),
    Signalement(),
    Sondage(),
)
"""Adding a brique adds one line here."""
