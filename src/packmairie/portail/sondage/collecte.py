# SPDX-License-Identifier: GPL-3.0-or-later
"""From the draw to the ballot box: tokens, drafts, deposits."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from packmairie.portail.sondage import urne
from packmairie.portail.sondage.models import Bulletin, Campagne, Invitation, ReponseConfidentielle, random_key
from packmairie.portail.sondage.questionnaire.model import Questionnaire, Values
from packmairie.portail.sondage.statistique.draw import Draw

TOKEN_LENGTH = 26
"""Characters of base 32: 130 bits for a key of 128."""
_ALPHABET = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def questionnaire_of(campagne: Campagne) -> Questionnaire:
    """Return the questionnaire of a campaign, as it was when the campaign was made."""
    return Questionnaire.model_validate(campagne.questionnaire)


def token(invitation: Invitation) -> str:
    """Return the one-time token of an invitation: 128 bits of an HMAC under the server's key, in Crockford's base 32.

    It can be made again for a reminder, and neither it nor what makes it is in the database.
    """
    place = f"{invitation.campagne_id}|{invitation.pk}|{invitation.identifiant}"
    digest = salted_hmac("packmairie.sondage.jeton", place, secret=settings.SECRET_KEY, algorithm="sha256").digest()
    return base64.b32encode(digest[:16]).decode().rstrip("=").translate(_ALPHABET)


def read_token(typed: str) -> str:
    """Return a token as typed from paper, with what is easily misread put right."""
    return typed.upper().translate(_MISREAD)[: TOKEN_LENGTH + 1]


def shown_token(value: str) -> str:
    """Return a token in groups that can be copied from paper."""
    return "-".join(value[i : i + 5] for i in range(0, len(value), 5))


def token_hash(value: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(f"sondage|{value}".encode()).hexdigest()


def find_invitation(value: str) -> Invitation | None:
    """Return the invitation of a token, or None."""
    if len(value) != TOKEN_LENGTH:
        return None
    found = Invitation.objects.select_related("campagne").filter(empreinte_jeton=token_hash(value), invitee=True)
    return found.first()


@transaction.atomic
def create_campaign(campagne: Campagne, drawn: Draw) -> str | None:
    """Save a campaign and its draw. Return the private key of its ballot box, or None in confidential mode."""
    private: str | None = None
    if campagne.mode == Campagne.Mode.ANONYME:
        private, campagne.cle_publique = urne.new_key()
    campagne.graine, campagne.empreinte, campagne.algorithme = drawn.graine, drawn.empreinte, drawn.algorithme
    campagne.strates = [
        {"strate": list(key), "population": size, "tirees": drawn.allocation[key]}
        for key, size in drawn.effectifs.items()
    ]
    campagne.save()
    Invitation.objects.bulk_create(
        Invitation(
            campagne=campagne,
            identifiant=one.unit.identifiant,
            nom=one.unit.nom,
            courriel=one.unit.courriel,
            strate=list(one.strate),
            rang=one.rang,
            invitee=one.titulaire,
        )
        for one in drawn.ordre
    )
    _give_tokens(campagne.invitations.filter(invitee=True))
    return private


@transaction.atomic
def call_replacement(invitation: Invitation, issue: Invitation.Issue) -> Invitation | None:
    """Close an invitation that failed and invite the next of its stratum; return it, or None when none is left."""
    invitation.issue = issue
    invitation.save(update_fields=["issue"])
    following = (
        Invitation.objects.filter(campagne=invitation.campagne, strate=invitation.strate, invitee=False)
        .order_by("rang")
        .first()
    )
    if following is not None:
        following.invitee = True
        following.save(update_fields=["invitee"])
        _give_tokens([following])
    return following


def _give_tokens(invitations: Iterable[Invitation]) -> None:
    listed = list(invitations)
    for invitation in listed:
        invitation.empreinte_jeton = token_hash(token(invitation))
    Invitation.objects.bulk_update(listed, ["empreinte_jeton"], batch_size=200)


def read_draft(invitation: Invitation, value: str) -> Values:
    """Return what was saved so far by who has the token."""
    if not invitation.brouillon:
        return {}
    try:
        content: Values = urne.open_draft(value, bytes(invitation.brouillon))
    except urne.Unreadable:
        return {}
    return content


def save_draft(invitation: Invitation, value: str, values: Values) -> None:
    """Save what was answered so far, readable only with the token; nothing once the answer is given."""
    locked = urne.lock_draft(value, values)
    Invitation.objects.filter(pk=invitation.pk, utilise=False).update(brouillon=locked)


def deposit(invitation: Invitation, values: Values) -> bool:
    """Use up a token and keep its answer, both or neither. Return False when it was used already.

    In anonymous mode the ballot is sealed with the stratum inside, and has a random place in its table.
    """
    campagne = invitation.campagne
    with transaction.atomic():
        taken = Invitation.objects.filter(
            pk=invitation.pk, utilise=False, invitee=True, campagne__etat=Campagne.Etat.OUVERTE
        ).update(utilise=True, brouillon=b"", issue=Invitation.Issue.ATTENTE)
        if not taken:
            return False
        if campagne.mode == Campagne.Mode.CONFIDENTIEL:
            ReponseConfidentielle.objects.create(invitation=invitation, valeurs=values)
            return True
        sealed = urne.seal(bytes(campagne.cle_publique), {"strate": invitation.strate, "valeurs": values})
        for attempt in range(20):
            try:
                with transaction.atomic():
                    Bulletin.objects.create(id=random_key(), campagne=campagne, scelle=sealed)
            except IntegrityError:
                if attempt == 19:
                    raise
            else:
                break
    return True
