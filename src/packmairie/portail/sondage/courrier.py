# SPDX-License-Identifier: GPL-3.0-or-later
"""Invitations and reminders by mail, through the platform."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from smtplib import SMTPException

from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string

from packmairie.portail.sondage.collecte import shown_token, token
from packmairie.portail.sondage.models import Campagne, Invitation

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sent:
    """How many mails left, how many were refused, how many collectivités have no address (paper, phone)."""

    envoyes: int
    refuses: int
    sans_adresse: int


def waiting(campagne: Campagne) -> list[Invitation]:
    """Return the invitations whose token is not used and that nothing has closed."""
    return list(campagne.invitations.filter(invitee=True, utilise=False, issue=Invitation.Issue.ATTENTE))


def send(campagne: Campagne, address: str, *, reminder: bool) -> Sent:
    """Mail those who have not answered: the first time, or again. ``address`` is the portal's, without end slash.

    A first sending skips who got one, a reminder who got none. One refusal does not stop the others; what left is
    recorded at once, so that an interrupted sending goes on where it stopped.
    """
    listed = [one for one in waiting(campagne) if bool(one.envois) == reminder]
    without = sum(not one.courriel for one in listed)
    done = refused = 0
    connection = get_connection()
    try:
        connection.open()
        for invitation in listed:
            if not invitation.courriel:
                continue
            value = token(invitation)
            content = {
                "campagne": campagne, "invitation": invitation, "relance": reminder,
                "anonyme": campagne.mode == Campagne.Mode.ANONYME,
                "lien": f"{address}/sondage/r/{value}/", "code": shown_token(value),
            }  # fmt: skip
            start = "Rappel : " if reminder else ""
            message = EmailMessage(
                subject=f"{start}{campagne.titre}".replace("\n", " "),
                body=render_to_string("sondage/invitation.txt", content),
                to=[invitation.courriel],
                connection=connection,
            )
            try:
                message.send()
            except SMTPException:
                refused += 1
                _LOG.warning("invitation refusée par le relais")
                continue
            done += 1
            Invitation.objects.filter(pk=invitation.pk).update(envois=invitation.envois + 1)
    except OSError:
        refused += len(listed) - without - done - refused
        _LOG.warning("relais de courriel injoignable")
    finally:
        connection.close()
    return Sent(done, refused, without)
