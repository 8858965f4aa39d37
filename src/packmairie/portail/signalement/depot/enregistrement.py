# SPDX-License-Identifier: GPL-3.0-or-later
"""Receiving a report: keys are made, everything is sealed, and one transaction writes it all or nothing."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from packmairie.portail.signalement import coffre, journal
from packmairie.portail.signalement.competence import entitled
from packmairie.portail.signalement.couts import code_cost
from packmairie.portail.signalement.depot.televersement import FichierScelle
from packmairie.portail.signalement.models import (
    Cellule,
    CleEnveloppe,
    Enveloppe,
    Membre,
    Morceau,
    PartCle,
    Signalement,
)
from packmairie.portail.signalement.regles import etats
from packmairie.portail.signalement.scellement import code as codes
from packmairie.portail.signalement.scellement import derivation, enveloppe, secours


class NoReader(Exception):  # noqa: N818 - a state of the cell
    """No member of the cell could read this report: it must not be taken."""


@dataclass(frozen=True)
class Depot:
    """What a person deposits."""

    cellule: Cellule
    dispositif: str
    faits: dict[str, Any]
    identite: dict[str, Any] | None
    avis: str
    pieces: Sequence[FichierScelle]
    origine: str = "web"
    saisi_par: Membre | None = None


@dataclass(frozen=True)
class Recepisse:
    """What the author takes away: the number and the code, shown once; and the key that the code gives."""

    signalement: Signalement
    repere: str
    code: str
    private: bytes

    def __repr__(self) -> str:
        """Show neither code nor key."""
        return f"Recepisse({self.repere})"


def author_key(code: str, salt: bytes, stored_cost: str) -> bytes:
    """Given a code and what is stored beside the report, return the author's private key."""
    return derivation.branch(derivation.derive(code, bytes(salt), derivation.read_cost(stored_cost)), "auteur")


def deposit(received: Depot, now: datetime) -> Recepisse:
    """Given a deposit and the present moment, seal and store it; return the receipt.

    Raise ``NoReader`` when the cell has no member who could read it. The acknowledgement is immediate: it is what the
    author sees (R135-4 CGFP), dated to the minute inside the envelope of facts and to the day outside.
    """
    readers = entitled(received.cellule)
    if not readers:
        raise NoReader
    today = now.date()
    code, salt, price = codes.draw(codes.CODE_LENGTH), secrets.token_bytes(derivation.SALT), code_cost()
    author = enveloppe.pair_from(author_key(code, salt, str(price)))
    report = Signalement(
        id=uuid.uuid4(), cellule=received.cellule, dispositif=received.dispositif, origine=received.origine,
        repere=codes.draw(codes.NUMBER_LENGTH), sel=salt, cout=str(price), cle_auteur=author.public,
        etat=etats.FIRST, recu=today, accuse=today, auteur_a_ecrit=today,
    )  # fmt: skip
    with transaction.atomic():
        report.save(force_insert=True)
        for box in Enveloppe:
            _make_envelope(report, box, readers, author.public)
        coffre.put(report, Enveloppe.FAITS, "faits", {**received.faits, "recu": now.isoformat(timespec="minutes")})
        state = etats.ETATS[etats.FIRST]
        coffre.put(
            report, Enveloppe.FAITS, "etat",
            {"etat": state.code, "jour": today.isoformat(), "explication": state.explication, "acteur": "Cellule"},
        )  # fmt: skip
        if received.identite:
            coffre.put(report, Enveloppe.IDENTITE, "identite", received.identite)
        if received.avis:
            coffre.put(report, Enveloppe.AVIS, "avis", {"courriel": received.avis})
        for file in received.pieces:
            store_file(report, file, by="auteur" if received.saisi_par is None else "cellule")
        who = journal.AUTHOR if received.saisi_par is None else received.saisi_par
        journal.write(received.cellule, who, "dépôt", report, received.origine)
    return Recepisse(report, report.repere, code, author.private)


def _make_envelope(report: Signalement, box: Enveloppe, readers: Iterable[Membre], author: bytes) -> None:
    """Make the key pair of an envelope, and seal its private half to each person who may read it."""
    pair = enveloppe.new_pair()
    CleEnveloppe.objects.create(signalement=report, enveloppe=box, publique=pair.public)
    parts = [
        PartCle(
            signalement=report, enveloppe=box, destinataire="membre", membre=member,
            scellee=enveloppe.seal_key(pair.private, bytes(member.cle_publique or b"")),
        )
        for member in readers
        if box in (coffre.READ_BY_CUSTODIANS if member.garant else coffre.READ_BY_MEMBERS)
    ]  # fmt: skip
    if box in coffre.READ_BY_AUTHOR:
        parts.append(
            PartCle(
                signalement=report, enveloppe=box, destinataire="auteur",
                scellee=enveloppe.seal_key(pair.private, author),
            )
        )  # fmt: skip
    if box in coffre.IN_THE_SAFE:
        sealed = secours.seal_to_recipient(pair.private, report.cellule.cle_secours)
        parts.append(PartCle(signalement=report, enveloppe=box, destinataire="secours", scellee=sealed))
    PartCle.objects.bulk_create(parts)


def store_file(report: Signalement, file: FichierScelle, *, by: str) -> None:
    """Given a report and a file that was sealed while it arrived, store its pieces and seal its key with the facts."""
    row = coffre.put(
        report, Enveloppe.FAITS, "piece",
        {"nom": file.nom, "taille": file.taille, "sha256": file.sha256, "cle": file.cle.hex(), "de": by},
    )  # fmt: skip
    for rank, piece in enumerate(file.morceaux()):
        Morceau.objects.create(piece=row, rang=rank, contenu=piece)
