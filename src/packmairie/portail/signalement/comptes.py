# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of the members of a cell: invitation, activation, confirmation by a custodian, login, recovery.

A password gives, by one argon2id, three independent keys: what proves it, what opens the private key, what opens the
TOTP secret. The database alone gives none of them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

import pyotp
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from packmairie.portail.signalement import journal
from packmairie.portail.signalement.couts import cost
from packmairie.portail.signalement.models import Cellule, Membre
from packmairie.portail.signalement.scellement import code as codes
from packmairie.portail.signalement.scellement import derivation, enveloppe, signature
from packmairie.portail.signalement.scellement.derivation import branch
from packmairie.portail.signalement.scellement.enveloppe import Unreadable

INVITATION_DAYS = 7
STEP = 30
ISSUER = "Signalement"


def _hash(code: str) -> str:
    return hashlib.blake2b(code.encode(), digest_size=32, person=b"invitation").hexdigest()


def _place(member: Membre, what: str) -> str:
    return f"membre|{member.pk}|{what}"


def invite(member: Membre) -> str:
    """Given a member, return the invitation code (140 bits) that lets him choose a password within 7 days."""
    code = codes.draw(codes.RECOVERY_LENGTH)
    member.invitation = _hash(code)
    member.invitation_fin = timezone.now() + timedelta(days=INVITATION_DAYS)
    member.save(update_fields=["invitation", "invitation_fin"])
    journal.write(member.cellule, journal.SYSTEM, "invitation", member)
    return code


def invited(login: str, typed: str) -> Membre | None:
    """Given a login and an invitation code as typed, return the member that it invites, or None."""
    code = codes.read(typed, codes.RECOVERY_LENGTH)
    member = Membre.objects.select_related("cellule").filter(identifiant=login).first()
    if code is None or member is None or member.invitation_fin is None or timezone.now() > member.invitation_fin:
        return None
    return member if hmac.compare_digest(member.invitation, _hash(code)) else None


@dataclass(frozen=True)
class Materiel:
    """What is shown once to a member: the TOTP secret and the recovery code; and the private key of the session."""

    totp: str
    recuperation: str
    private: bytes

    def __repr__(self) -> str:
        """Show nothing."""
        return "Materiel()"


def set_password(member: Membre, password: str, private: bytes | None = None) -> Materiel:
    """Given a member and a password, seal his private key (a new one, unless given) and a new TOTP secret under it."""
    pair = enveloppe.new_pair() if private is None else enveloppe.pair_from(private)
    totp, recovery = pyotp.random_base32(), codes.draw(codes.RECOVERY_LENGTH)
    salt, second_salt, price = secrets.token_bytes(derivation.SALT), secrets.token_bytes(derivation.SALT), cost()
    master = derivation.derive(password, salt, price)
    spare = derivation.derive(recovery, second_salt, price)
    member.sel, member.cout = salt, str(price)
    member.verificateur = branch(master, "preuve").hex()
    member.cle_publique = pair.public
    member.cle_privee = enveloppe.encrypt(pair.private, branch(master, "cle"), _place(member, "cle"))
    member.totp = enveloppe.encrypt(totp.encode(), branch(master, "totp"), _place(member, "totp"))
    member.totp_compteur = 0
    member.sel_recuperation = second_salt
    member.cle_recuperation = enveloppe.encrypt(pair.private, branch(spare, "cle"), _place(member, "recuperation"))
    member.invitation, member.invitation_fin = "", None
    member.save()
    return Materiel(totp, recovery, pair.private)


def totp_uri(member: Membre, secret: str) -> str:
    """Return the address that an authenticator reads from the QR code."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=member.identifiant, issuer_name=ISSUER)


def _accept_totp(member: Membre, secret: str, typed: str) -> bool:
    """Tell whether a TOTP code is right, within one step of now, and was not used before."""
    now = int(time.time()) // STEP
    digits = "".join(typed.split())
    for counter in (now, now - 1, now + 1):
        right = pyotp.HOTP(secret).at(counter)
        if hmac.compare_digest(right.encode(), digits.encode()) and counter > member.totp_compteur:
            # The condition in the query makes a code good once, even for two requests at the same moment.
            updated = Membre.objects.filter(pk=member.pk, totp_compteur__lt=counter).update(totp_compteur=counter)
            member.totp_compteur = counter
            return updated == 1
    return False


@dataclass(frozen=True)
class Connexion:
    """A member whose password and TOTP code are right."""

    membre: Membre
    private: bytes


def log_in(login: str, password: str, typed: str, *, activation: bool = False) -> Connexion | None:
    """Given a login, a password and a TOTP code, return the member and his private key; None without saying why.

    The same work is done for a login that does not exist.
    """
    member = Membre.objects.select_related("cellule").filter(identifiant=login, sel__isnull=False).first()
    if member is None:
        derivation.derive(password, _decoy_salt(login), cost())
        return None
    master = derivation.derive(password, bytes(member.sel or b""), derivation.read_cost(member.cout))
    if not hmac.compare_digest(branch(master, "preuve").hex(), member.verificateur):
        return None
    try:
        secret = enveloppe.decrypt(bytes(member.totp or b""), branch(master, "totp"), _place(member, "totp")).decode()
        private = enveloppe.decrypt(bytes(member.cle_privee or b""), branch(master, "cle"), _place(member, "cle"))
    except Unreadable:
        return None
    if not (member.actif or activation) or not _accept_totp(member, secret, typed):
        return None
    return Connexion(member, private)


def _decoy_salt(text: str) -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), text.encode(), "sha256")[: derivation.SALT]


def activate(member: Membre, private: bytes) -> None:
    """Given a member who has just proved his password and his TOTP, make him active.

    The first of a cell founds it: its signing key is made and sealed to him, and he confirms himself. The others wait
    for a custodian, and receive nothing until then.
    """
    with transaction.atomic():
        cell = Cellule.objects.select_for_update().get(pk=member.cellule_id)
        member.actif = True
        if cell.cle_verification is None:
            seed, public = signature.new_seed()
            cell.cle_verification = public
            cell.save(update_fields=["cle_verification"])
            _vouch(cell, member, seed)
            journal.write(cell, member, "fondation de la cellule", member, signature.fingerprint(public))
        member.save()
        journal.write(cell, member, "activation", member, signature.fingerprint(bytes(member.cle_publique or b"")))


def _vouch(cell: Cellule, member: Membre, seed: bytes) -> None:
    public = bytes(member.cle_publique or b"")
    member.confirmation = signature.sign(signature.member_statement(cell.pk, member.pk, public, member.garant), seed)
    member.part_signature = enveloppe.seal_key(seed, public)
    member.save(update_fields=["confirmation", "part_signature"])


def signing_seed(member: Membre, private: bytes) -> bytes:
    """Given a confirmed member and his private key, return the seed that signs for the cell. Raise ``Unreadable``."""
    if member.part_signature is None:
        raise Unreadable
    return enveloppe.open_key(bytes(member.part_signature), private)


def confirm(custodian: Membre, private: bytes, member: Membre) -> None:
    """Given a custodian and his private key, vouch for a member of the same cell.

    Raise ``Unreadable`` when the custodian may not. From then on new reports are sealed to the member too; those of
    before are given to him one by one, by who can open them.
    """
    if not custodian.garant or member.cellule_id != custodian.cellule_id or not member.actif:
        raise Unreadable
    with transaction.atomic():
        _vouch(member.cellule, member, signing_seed(custodian, private))
        journal.write(
            member.cellule, custodian, "confirmation", member, signature.fingerprint(bytes(member.cle_publique or b""))
        )


def dismiss(custodian: Membre, member: Membre) -> None:
    """Given a custodian and a member of the same cell, take everything away from the member: account and parts of keys.

    What he has read, he has read; what is sealed from now on is not sealed to him.
    """
    with transaction.atomic():
        member.actif = False
        member.confirmation = member.part_signature = None
        member.save()
        member.parts.all().delete()
        member.sessionscellee_set.all().delete()
        journal.write(member.cellule, custodian, "départ", member)


def recover(login: str, typed: str, password: str) -> tuple[Membre, Materiel] | None:
    """Given a login, the printed recovery code and a new password, seal the same private key under the password.

    Return the member and what to show him once, or None without saying why.
    """
    code = codes.read(typed, codes.RECOVERY_LENGTH)
    member = Membre.objects.select_related("cellule").filter(identifiant=login, actif=True).first()
    if code is None or member is None or member.sel_recuperation is None:
        derivation.derive(password, _decoy_salt(login), cost())
        return None
    spare = derivation.derive(code, bytes(member.sel_recuperation), derivation.read_cost(member.cout))
    try:
        sealed = bytes(member.cle_recuperation or b"")
        private = enveloppe.decrypt(sealed, branch(spare, "cle"), _place(member, "recuperation"))
    except Unreadable:
        return None
    with transaction.atomic():
        member.sessionscellee_set.all().delete()
        made = set_password(member, password, private)
        journal.write(member.cellule, member, "récupération", member)
    return member, made
