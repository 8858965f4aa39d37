# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending a sealed file to who may read it, piece by piece: it is never whole in memory nor in clear on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from django.http import StreamingHttpResponse

from packmairie.portail.signalement.coffre import Ouvert
from packmairie.portail.signalement.scellement.flux import open_pieces


def clear_pieces(opened: Ouvert) -> Iterator[bytes]:
    """Given the unsealed description of a file, give its clear bytes. Raise ``Unreadable`` when it was altered."""
    rows = opened.ligne.morceaux.order_by("rang").iterator(chunk_size=8)
    return open_pieces((bytes(row.contenu) for row in rows), bytes.fromhex(opened.contenu["cle"]))


def download(opened: Ouvert) -> StreamingHttpResponse:
    """Given the unsealed description of a file, return the answer that makes a browser save it, and never show it."""
    response = StreamingHttpResponse(clear_pieces(opened), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(opened.contenu['nom'])}"
    response.headers["Content-Length"] = str(opened.contenu["taille"])
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
