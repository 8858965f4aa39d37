# SPDX-License-Identifier: GPL-3.0-or-later
"""What every answer carries, and what every request leaves at the door."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Next = Callable[[HttpRequest], HttpResponse]

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# « same-origin » and not « no-referrer »: under the latter browsers send « Origin: null » with a form, and the
# protection against forged requests refuses it.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


class _DailyKey:
    """A key that lives in memory, for one day: what it hashed cannot be recognised the next day."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._key = b""

    def bucket(self, address: str) -> str:
        """Given the address of a visitor, return the name of the bucket that counts its requests today."""
        today = datetime.now(UTC).date()
        if today != self._day:
            self._day, self._key = today, secrets.token_bytes(32)
        return hashlib.blake2b(address.encode(), key=self._key, digest_size=12).hexdigest()


class ForgetOrigin:
    """Replace the visitor's address by a bucket of the day, and drop its browser's name.

    ``request.META["packmairie.seau"]`` is what the throttle counts. Only the proxies that the configuration names
    are believed when they tell an address.
    """

    def __init__(self, following: Next) -> None:
        self.following = following
        self.key = _DailyKey()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Given a request, forget where it comes from and pass it on."""
        meta = request.META
        address = str(meta.pop("REMOTE_ADDR", ""))
        told = str(meta.pop("HTTP_X_FORWARDED_FOR", ""))
        # A socket has no address: what is behind it is the front end.
        if told and (not address or address in settings.CONFIGURATION.mandataires):
            address = told.rpartition(",")[2].strip()
        meta["packmairie.seau"] = self.key.bucket(address)
        for name in ("HTTP_USER_AGENT", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "REMOTE_HOST", "REMOTE_PORT"):
            meta.pop(name, None)
        return self.following(request)


class ConfidentialHeaders:
    """Put the strict headers on every answer; pages are kept by no cache, files of the design by all."""

    def __init__(self, following: Next) -> None:
        self.following = following

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Given a request, return its answer with the headers."""
        response = self.following(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.path.startswith(str(settings.STATIC_URL)):
            response.headers["Cache-Control"] = "no-store"
        if settings.SECURE_HSTS_SECONDS:
            response.headers.setdefault("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}")
        return response
