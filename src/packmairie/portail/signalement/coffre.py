# SPDX-License-Identifier: GPL-3.0-or-later
"""The vault of one report: putting things into its envelopes, and reading them with a private key that opens a part."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max

from packmairie.portail.signalement.models import CleEnveloppe, Enveloppe, Membre, PartCle, Scelle, Signalement
from packmairie.portail.signalement.scellement import enveloppe as sealing
from packmairie.portail.signalement.scellement.enveloppe import Unreadable

READ_BY_MEMBERS = (Enveloppe.FAITS, Enveloppe.INTERNE)
READ_BY_CUSTODIANS = (Enveloppe.FAITS, Enveloppe.INTERNE, Enveloppe.IDENTITE, Enveloppe.AVIS)
READ_BY_AUTHOR = (Enveloppe.FAITS, Enveloppe.IDENTITE, Enveloppe.AVIS)
IN_THE_SAFE = (Enveloppe.FAITS, Enveloppe.INTERNE, Enveloppe.IDENTITE)


def place(report: Signalement, box: str, kind: str, number: int) -> str:
    """Return the place that an envelope is bound to."""
    return f"{report.pk}|{box}|{kind}|{number}"


def put(report: Signalement, box: Enveloppe, kind: str, content: dict[str, Any]) -> Scelle:
    """Given a report, one of its envelopes, a kind and a JSON object, seal it there and return its row."""
    with transaction.atomic():
        Signalement.objects.select_for_update().get(pk=report.pk)
        last = report.scelles.aggregate(Max("numero"))["numero__max"]
        number = (last or 0) + 1
        public = CleEnveloppe.objects.get(signalement=report, enveloppe=box).publique
        text = json.dumps(content, ensure_ascii=False).encode()
        sealed = sealing.seal(text, bytes(public), place(report, box, kind, number))
        return Scelle.objects.create(signalement=report, enveloppe=box, genre=kind, numero=number, contenu=sealed)


@dataclass(frozen=True)
class Ouvert:
    """Something that was unsealed."""

    numero: int
    genre: str
    contenu: dict[str, Any]
    ligne: Scelle


class Coffre:
    """A report as one person can open it: ``keys`` holds the private key of each envelope that this person may read."""

    def __init__(self, report: Signalement, keys: dict[str, bytes]) -> None:
        self.report, self._keys = report, keys

    def __repr__(self) -> str:
        """Show which envelopes open, and no key."""
        return f"Coffre({self.report.pk}, {sorted(self._keys)})"

    def opens(self, box: str) -> bool:
        """Tell whether this person may read an envelope."""
        return box in self._keys

    def key(self, box: str) -> bytes:
        """Return the private key of an envelope. Raise ``Unreadable`` for who may not read it."""
        try:
            return self._keys[box]
        except KeyError:
            raise Unreadable from None

    def read(self, row: Scelle) -> dict[str, Any]:
        """Given a row, return what it holds. Raise ``Unreadable``."""
        text = sealing.unseal(
            bytes(row.contenu), self.key(row.enveloppe), place(self.report, row.enveloppe, row.genre, row.numero)
        )
        content = json.loads(text)
        if not isinstance(content, dict):
            raise Unreadable
        return content

    def all(self, *kinds: str, boxes: Iterable[str] = READ_BY_MEMBERS) -> list[Ouvert]:
        """Given kinds (none: all of them), return what this person can read of them, in order."""
        rows = self.report.scelles.filter(enveloppe__in=[box for box in boxes if self.opens(box)])
        if kinds:
            rows = rows.filter(genre__in=kinds)
        return [Ouvert(row.numero, row.genre, self.read(row), row) for row in rows]

    def last(self, kind: str, box: str = Enveloppe.FAITS) -> dict[str, Any] | None:
        """Return the newest content of a kind, or None."""
        found = self.all(kind, boxes=(box,))
        return found[-1].contenu if found else None


def open_for_member(report: Signalement, member: Membre, private: bytes) -> Coffre | None:
    """Given a report, a member and his private key, return the vault as he can open it; None when he cannot at all."""
    return _open(report, PartCle.objects.filter(signalement=report, destinataire="membre", membre=member), private)


def open_for_author(report: Signalement, private: bytes) -> Coffre | None:
    """Given a report and the private key that its code gives, return the vault; None when the code is not the one."""
    return _open(report, PartCle.objects.filter(signalement=report, destinataire="auteur"), private)


def _open(report: Signalement, parts: Iterable[PartCle], private: bytes) -> Coffre | None:
    keys: dict[str, bytes] = {}
    for part in parts:
        try:
            keys[part.enveloppe] = sealing.open_key(bytes(part.scellee), private)
        except Unreadable:
            return None
    return Coffre(report, keys) if keys else None


def summaries(
    reports: Iterable[Signalement], member: Membre, private: bytes
) -> dict[uuid.UUID, tuple[dict[str, Any], dict[str, Any] | None]]:
    """Given reports, return the newest facts and qualification of each one that the member opens, in two queries."""
    wanted = {report.pk: report for report in reports}
    keys: dict[uuid.UUID, dict[str, bytes]] = {}
    mine = PartCle.objects.filter(signalement__in=wanted, destinataire="membre", membre=member)
    for part in mine.filter(enveloppe__in=READ_BY_MEMBERS):
        try:
            key = sealing.open_key(bytes(part.scellee), private)
        except Unreadable:
            continue
        keys.setdefault(part.signalement_id, {})[part.enveloppe] = key
    read: dict[uuid.UUID, dict[str, dict[str, Any]]] = {name: {} for name in keys}
    newest = {
        (row.signalement_id, row.genre): row
        for row in Scelle.objects.filter(signalement__in=keys, genre__in=("faits", "qualification")).order_by("numero")
    }
    for (name, kind), row in newest.items():
        vault = Coffre(wanted[name], keys[name])
        if vault.opens(row.enveloppe):
            read[name][kind] = vault.read(row)
    return {name: (found.get("faits", {}), found.get("qualification")) for name, found in read.items()}


def grant(vault: Coffre, member: Membre, public: bytes) -> None:
    """Given an open vault, give a member the parts that he may have and that the vault can open.

    A vault without the key of identities cannot give it: only a custodian makes another one.
    """
    boxes = READ_BY_CUSTODIANS if member.garant else READ_BY_MEMBERS
    for box in boxes:
        if vault.opens(box):
            PartCle.objects.update_or_create(
                signalement=vault.report, enveloppe=box, destinataire="membre", membre=member,
                defaults={"scellee": sealing.seal_key(vault.key(box), public)},
            )  # fmt: skip


def withdraw(report: Signalement, member: Membre) -> None:
    """Take every part of a report away from a member."""
    PartCle.objects.filter(signalement=report, membre=member).delete()
