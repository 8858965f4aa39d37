# SPDX-License-Identifier: GPL-3.0-or-later
"""Neutral notices. They say that something waits, never what, for whom or where.

The author's address is in an envelope of its own that custodians alone open: a notice that is due waits in the queue
until one of them is here. A dead mail server leaves it there.
"""

from __future__ import annotations

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage

from packmairie.portail.signalement import coffre, journal
from packmairie.portail.signalement.models import Enveloppe, Membre, Signalement

SUBJECT = "Un message vous attend"
TO_AUTHOR = (
    "Bonjour,\n\nUn message vous attend là où vous aviez demandé à être averti.\n\nNe répondez pas à ce courriel.\n"
)
TO_MEMBER = (
    "Bonjour,\n\n{count} élément(s) attendent votre attention dans votre espace.\n\nNe répondez pas à ce courriel.\n"
)
AT_ONCE = 5


def ask(report: Signalement) -> None:
    """Note that the author should be told, when he asked for it."""
    if report.scelles.filter(genre="avis").exists():
        Signalement.objects.filter(pk=report.pk).update(avis_en_attente=True)


def waiting(cell_id: int) -> int:
    """Return how many notices wait in a cell."""
    return Signalement.objects.filter(cellule=cell_id, avis_en_attente=True).count()


def flush(member: Membre, private: bytes) -> int:
    """Given a custodian who is here, send the notices that he can address; return how many left.

    The first failure stops: the others wait too. Nothing of an address is kept or logged.
    """
    sent = 0
    if not member.garant:
        return sent
    for report in Signalement.objects.filter(cellule=member.cellule_id, avis_en_attente=True)[:AT_ONCE]:
        vault = coffre.open_for_member(report, member, private)
        address = vault.last("avis", Enveloppe.AVIS) if vault and vault.opens(Enveloppe.AVIS) else None
        if address is None:
            continue
        if not _send(TO_AUTHOR, address["courriel"]):
            break
        Signalement.objects.filter(pk=report.pk).update(avis_en_attente=False)
        journal.write(report.cellule, journal.SYSTEM, "avis envoyé", report)
        sent += 1
    return sent


def remind(member: Membre, count: int) -> bool:
    """Tell a member that things wait; return whether the message left."""
    return bool(member.courriel) and _send(TO_MEMBER.format(count=count), member.courriel)


def _send(text: str, address: str) -> bool:
    if not settings.EMAIL_HOST and settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        return False
    try:
        return EmailMessage(SUBJECT, text, to=[address]).send() == 1
    except (OSError, SMTPException):
        return False
