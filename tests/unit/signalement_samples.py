# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell with a custodian and a member, communes that adhere, and what authors send."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import date

import pyotp

from packmairie.portail.signalement import comptes
from packmairie.portail.signalement.depot import suivi, vues
from packmairie.portail.signalement.models import Adhesion, Cellule, Membre
from packmairie.portail.signalement.scellement import secours

COMMUNE = "62708"
PASSWORD = "quatre mots de passe longs"


@dataclass
class Account:
    """A member of the cell with what he knows."""

    member: Membre
    private: bytes
    totp: str
    recovery: str

    def code(self) -> str:
        """Return a TOTP code that was not used yet."""
        Membre.objects.filter(pk=self.member.pk).update(totp_compteur=0)
        return pyotp.TOTP(self.totp).at(time.time())


@dataclass
class World:
    """What a test needs."""

    cell: Cellule
    spare: Cellule
    custodian: Account
    member: Account
    other: Account
    rescue: str


def account(cell: Cellule, login: str, custodian: bool, voucher: Account | None = None) -> Account:
    """Make a member whose account is active, vouched for by himself or by a custodian."""
    row = Membre.objects.create(cellule=cell, identifiant=login, nom=f"Exemple {login}", garant=custodian)
    made = comptes.set_password(row, PASSWORD)
    comptes.activate(row, made.private)
    if voucher is not None:
        comptes.confirm(voucher.member, voucher.private, row)
    row.refresh_from_db()
    return Account(row, made.private, made.totp, made.recuperation)


def world() -> World:
    """Make two cells; the first has a custodian and a member, the second, which stands in for it, a custodian."""
    for cadence in (
        vues.DEPOSITS,
        vues.ALL_DEPOSITS,
        suivi.TRIES_OF_AN_ORIGIN,
        suivi.TRIES_OF_A_REPORT,
        suivi.ALL_TRIES,
    ):
        cadence.forget()
    identity, recipient = secours.new_rescue()
    spare = Cellule.objects.create(nom="Cellule voisine", centre="CdG exemple B", cle_secours=recipient)
    cell = Cellule.objects.create(nom="Cellule d'écoute", centre="CdG exemple A", cle_secours=recipient, deport=spare)
    other = account(spare, "garant.voisin", True)
    custodian = account(cell, "garant.exemple", True)
    member = account(cell, "membre.exemple", False, custodian)
    Adhesion.objects.create(cellule=cell, insee=COMMUNE, debut=date(2026, 1, 1))
    return World(cell, spare, custodian, member, other, identity)


def facts(**changes: object) -> dict[str, object]:
    """Return a valid form of facts, by its fields."""
    return {
        "insee": COMMUNE, "dispositif": "avdhas", "mis_en_cause": "collegue", "qualite": "victime", "lien": "agent",
        "categories": ["harcelement_moral"], "recit": "CANARI-RECIT chaque matin", "lieu": "CANARI-LIEU",
        "personnes": "CANARI-PERSONNE", "employeur_sait": ["existence"], "anonyme": "non", "nom": "CANARI-NOM",
        "contact": "CANARI-CONTACT", "avis": "canari-avis@exemple.fr", **changes,
    }  # fmt: skip


def receipt(page: str) -> tuple[str, str]:
    """Given the page of a receipt, return the number and the code."""
    number = re.search(r'id="numero">([^<]+)<', page)
    code = re.search(r'id="code-affiche">([^<]+)<', page)
    assert number
    assert code
    return number.group(1), code.group(1)
