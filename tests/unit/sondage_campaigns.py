# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaigns in the database for the tests of the survey."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date

from sondage_samples import values

from packmairie.portail.sondage import collecte
from packmairie.portail.sondage.models import Campagne, Invitation
from packmairie.portail.sondage.questionnaire.model import shipped
from packmairie.portail.sondage.statistique.draw import draw
from packmairie.portail.sondage.statistique.frame import VARIABLES, frame_from_register


def campaign(
    size: int = 40, mode: str = "anonyme", annee: int = 2026, etat: str = "ouverte", minimum: int = 1,
    departements: Sequence[str] = ("62",),
) -> tuple[Campagne, str | None]:  # fmt: skip
    """Make a campaign on the register; return it and the key of its ballot box."""
    units = frame_from_register(departements, {"62708": "mairie-1@example.org", "62633": "mairie-2@example.org"})
    made = Campagne(
        titre="Votre relation avec le Centre de gestion",
        annee=annee, mode=mode, etat=etat, cloture=date(annee, 12, 31),
        questionnaire=shipped().model_dump(mode="json"),
    )  # fmt: skip
    key = collecte.create_campaign(made, draw(units, size, f"essai {annee}", variables=VARIABLES, minimum=minimum))
    return made, key


def answer_all(made: Campagne, seed: int, rate: float = 1.0) -> list[Invitation]:
    """Let some of those invited answer, in a random order; return them in that order."""
    chance = random.Random(seed)
    invited = list(made.invitations.filter(invitee=True))
    chance.shuffle(invited)
    done = [one for one in invited if chance.random() < rate]
    for invitation in done:
        assert collecte.deposit(invitation, values(chance))
    return done
