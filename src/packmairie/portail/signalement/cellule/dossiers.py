# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes a report: each function writes one thing into an envelope, and a line into the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db import transaction

from packmairie.portail.signalement import coffre, journal, notifications
from packmairie.portail.signalement.coffre import Coffre
from packmairie.portail.signalement.competence import size_class, vouched
from packmairie.portail.signalement.models import Enveloppe, LigneStatistique, Membre, Signalement
from packmairie.portail.signalement.regles import conservation, etats

DURATIONS = ((15, "15 jours ou moins"), (90, "16 à 90 jours"))
LONGER = "plus de 90 jours"


class Refused(Exception):  # noqa: N818 - an answer
    """The rules do not allow it; the text says why, in French."""


def reply(vault: Coffre, member: Membre, text: str, today: date) -> None:
    """Send a message to the author. The first one stops the clock of the first feedback."""
    report = vault.report
    with transaction.atomic():
        coffre.put(report, Enveloppe.FAITS, "message_cellule", {"texte": text, "jour": today.isoformat()})
        if report.retour is None:
            report.retour = today
            report.save(update_fields=["retour"])
        journal.write(report.cellule, member, "message à l'auteur", report)
        notifications.ask(report)


def change_state(vault: Coffre, member: Membre, wanted: str, explanation: str, outcome: str, today: date) -> None:  # noqa: PLR0917
    """Move a report to another state. Closing writes the anonymous statistical line and plans the purge.

    Raise ``Refused`` when the state may not follow.
    """
    with transaction.atomic():
        report = Signalement.objects.select_for_update().select_related("cellule").get(pk=vault.report.pk)
        if not etats.may_follow(report.etat, wanted):
            raise Refused("Un autre membre a changé l'état entre-temps : relisez le dossier.")
        state = etats.ETATS[wanted]
        told = explanation.strip() or state.explication
        coffre.put(
            report, Enveloppe.FAITS, "etat",
            {"etat": wanted, "jour": today.isoformat(), "explication": told, "acteur": "Cellule"},
        )  # fmt: skip
        report.etat = wanted
        if wanted in etats.EXAMINED:
            report.examine = report.examine or today
        if wanted == "entretien":
            report.entretien = report.entretien or today
        if wanted == etats.LAST:
            report.clos, report.issue = today, outcome
            report.purge_prevue = conservation.purge_date(outcome, today)
            _write_line(vault, report, outcome, today)
        report.save()
        journal.write(report.cellule, member, "état", report, wanted)
        notifications.ask(report)
    vault.report = report


def _write_line(vault: Coffre, report: Signalement, outcome: str, today: date) -> None:
    facts = vault.last("faits") or {}
    qualified = vault.last("qualification", Enveloppe.INTERNE)
    said = facts.get("categories") or ["ne_sait_pas"]
    days = (today - report.recu).days
    LigneStatistique.objects.create(
        cellule=report.cellule, annee=today.year, dispositif=report.dispositif,
        categorie=qualified["categorie"] if qualified else said[0], taille=size_class(facts.get("insee", "")),
        origine=report.origine, issue=outcome, duree=next((n for limit, n in DURATIONS if days <= limit), LONGER),
    )  # fmt: skip


def note(vault: Coffre, member: Membre, kind: str, content: dict[str, Any], box: Enveloppe, today: date) -> None:  # noqa: PLR0917
    """Write a note, a qualification, a measure or an orientation."""
    full = {**content, "jour": content.get("jour") or today.isoformat(), "par": member.nom}
    with transaction.atomic():
        coffre.put(vault.report, box, kind, full)
        journal.write(vault.report.cellule, member, kind, vault.report)
        if box == Enveloppe.FAITS:
            notifications.ask(vault.report)


def open_identity(vault: Coffre, member: Membre, motive: str, today: date) -> dict[str, Any] | None:
    """Return who the author is, after the motive was sealed and the opening logged; None when he is anonymous.

    Raise ``Refused`` for a member who has not the key: there is nothing that the program could do for him.
    """
    if not vault.opens(Enveloppe.IDENTITE):
        raise Refused("Vous n'avez pas la clé de cette enveloppe. Adressez-vous à un garant.")
    content = {"texte": motive, "jour": today.isoformat(), "par": member.nom}
    with transaction.atomic():
        coffre.put(vault.report, Enveloppe.INTERNE, "motif", content)
        journal.write(vault.report.cellule, member, "identité ouverte", vault.report)
    return vault.last("identite", Enveloppe.IDENTITE)


def assign(vault: Coffre, actor: Membre, wanted: Iterable[Membre]) -> None:
    """Leave the parts of the keys to the members in charge alone; give theirs to those who had none.

    The custodians keep the identity, so that one at least can still open it: an assignment without a custodian is
    refused, and so is one by which the member would give a key that he has not.
    """
    report = vault.report
    chosen = list(wanted)
    if not any(member.garant for member in chosen):
        raise Refused("Gardez au moins un garant : sans lui, personne n'ouvrirait plus l'identité ni les avis.")
    for member in chosen:
        if member.cellule_id != report.cellule_id or not vouched(report.cellule, member):
            raise Refused(f"{member.nom} n'est pas un membre confirmé de la cellule.")
    has = set(report.parts.filter(enveloppe=Enveloppe.IDENTITE, destinataire="membre").values_list("membre", flat=True))
    kept = {member.pk for member in chosen if member.garant}
    if not vault.opens(Enveloppe.IDENTITE) and not kept & has:
        raise Refused("Seul un garant qui a la clé de l'identité peut la confier à un autre garant.")
    with transaction.atomic():
        for member in report.cellule.membres.filter(parts__signalement=report).distinct():
            if member not in chosen:
                coffre.withdraw(report, member)
        for member in chosen:
            coffre.grant(vault, member, bytes(member.cle_publique or b""))
        names = " ".join(sorted(member.identifiant for member in chosen))
        journal.write(report.cellule, actor, "affectation", report, names[:200])


def consent(vault: Coffre) -> list[str]:
    """Return what the author accepts, now, that the employer learns."""
    now = vault.last("accord") or vault.last("faits") or {}
    return [str(item) for item in now.get("employeur_sait", [])]
