# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that a thief of the database cannot use: the private key they need is sealed under the browser's cookie."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from packmairie.portail.signalement.models import Membre, SessionScellee, Signalement
from packmairie.portail.signalement.scellement.derivation import branch
from packmairie.portail.signalement.scellement.enveloppe import Unreadable, decrypt, encrypt

MEMBER_COOKIE = "cellule"
AUTHOR_COOKIE = "suivi"
IDLE = timedelta(minutes=20)
LONGEST = timedelta(hours=8)


@dataclass(frozen=True)
class Acces:
    """A member or an author who is here: the row of the session and the private key."""

    session: SessionScellee
    private: bytes

    def __repr__(self) -> str:
        """Show no key."""
        return f"Acces({self.session.pk})"

    @property
    def membre(self) -> Membre:
        """Return the member. Raise ``Unreadable`` when this is an author."""
        if self.session.membre is None:
            raise Unreadable
        return self.session.membre

    @property
    def signalement(self) -> Signalement:
        """Return the author's report. Raise ``Unreadable`` when this is a member."""
        if self.session.signalement is None:
            raise Unreadable
        return self.session.signalement


def _digest(token: str) -> str:
    return hashlib.blake2b(token.encode(), digest_size=32, person=b"session").hexdigest()


def _key(token: str) -> bytes:
    return branch(hashlib.blake2b(token.encode(), digest_size=32).digest(), "session")


def start(
    response: HttpResponse, private: bytes, *, member: Membre | None = None, report: Signalement | None = None,
    activation: bool = False,
) -> None:  # fmt: skip
    """Given a private key and whose it is, open a session and put its cookie into the response."""
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    SessionScellee.objects.filter(vue__lt=now - IDLE).delete()
    SessionScellee.objects.create(
        empreinte=_digest(token), membre=member, signalement=report, activation=activation,
        secret=encrypt(private, _key(token), "session"), ouverte=now, vue=now,
    )  # fmt: skip
    response.set_cookie(
        MEMBER_COOKIE if member else AUTHOR_COOKIE, token, httponly=True, samesite="Strict",
        secure=settings.CONFIGURATION.https,
    )  # fmt: skip


def current(request: HttpRequest, cookie: str) -> Acces | None:
    """Given a request and the name of a cookie, return who is here, or None. Renews the idle delay."""
    token = request.COOKIES.get(cookie, "")
    if not token:
        return None
    now = timezone.now()
    session = (
        SessionScellee.objects.select_related("membre__cellule", "signalement__cellule")
        .filter(empreinte=_digest(token), vue__gte=now - IDLE, ouverte__gte=now - LONGEST)
        .first()
    )
    if session is None or (cookie == MEMBER_COOKIE) != (session.membre is not None):
        return None
    if session.membre is not None and not (session.membre.actif or session.activation):
        return None
    try:
        private = decrypt(bytes(session.secret), _key(token), "session")
    except Unreadable:
        return None
    if now - session.vue > timedelta(minutes=1):
        SessionScellee.objects.filter(pk=session.pk).update(vue=now)
    return Acces(session, private)


def end(request: HttpRequest, response: HttpResponse, cookie: str) -> None:
    """Close the session of a cookie, in the database and in the browser."""
    token = request.COOKIES.get(cookie, "")
    if token:
        SessionScellee.objects.filter(empreinte=_digest(token)).delete()
    response.delete_cookie(cookie, samesite="Strict")
