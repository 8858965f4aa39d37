# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper: a page of HTML as a tagged PDF (PDF/UA-1, ISO 14289-1), by WeasyPrint."""

from __future__ import annotations

from packmairie.model.problem import ExitCode, fail


def to_pdf(html: str, *, style: str = "", pages: int | None = None) -> bytes:
    """Return a document as PDF, with a stylesheet more if wanted. Nothing is fetched, from the network or the disk.

    Raise PackmairieError where the machine lacks Pango, and when the text does not fit in ``pages`` pages.
    """
    try:
        from weasyprint import CSS, HTML  # noqa: PLC0415 - half a second, and Pango must be there
        from weasyprint.urls import URLFetcher  # noqa: PLC0415
    except OSError:
        raise fail(
            "PDF",
            "la bibliothèque Pango manque sur cette machine",
            "sudo apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
            ExitCode.UNAVAILABLE,
        ) from None

    document = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=()), base_url="").render(
        stylesheets=[CSS(string=style)] if style else None, pdf_variant="pdf/ua-1"
    )
    if pages is not None and len(document.pages) != pages:
        raise fail(
            "PDF", f"{len(document.pages)} pages au lieu de {pages}", "raccourcir les textes, ou retirer des signets"
        )
    return bytes(document.write_pdf(pdf_variant="pdf/ua-1") or b"")
