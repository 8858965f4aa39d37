# SPDX-License-Identifier: GPL-3.0-or-later
"""The surveys of the CdG: a part of the portal that belongs to no commune."""

from __future__ import annotations

from packmairie.briques.contract import Brique
from packmairie.briques.portail import page_check
from packmairie.model.pack import Pack
from packmairie.model.probe import Check


class Sondage(Brique):
    """The surveys, where the pack has a portal; its host part is the role ``portail``."""

    name = "sondage"
    title = "Sondage"

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove that an invited collectivité can answer."""
        name = pack.portal_name()
        if not name:
            return ()
        title = "Le questionnaire des enquêtes répond"
        return (page_check(self.name, "sondage", title, f"https://{name}/sondage/", "<h1", form=True),)
