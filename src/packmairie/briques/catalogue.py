# SPDX-License-Identifier: GPL-3.0-or-later
"""The briques that exist, in the order in which they are shown."""

from __future__ import annotations

from packmairie.briques.contract import Brique
from packmairie.briques.dns import Dns
from packmairie.briques.messagerie import Messagerie
from packmairie.briques.presence import Presence

CATALOGUE: tuple[Brique, ...] = (Dns(), Messagerie(), Presence())
"""Adding a brique adds one line here."""
