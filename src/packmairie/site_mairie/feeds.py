# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs read of a site: the Atom feed, the site map, the rules for robots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from xml.sax.saxutils import escape, quoteattr

from .content import Text
from .markdown import summary
from .wording import typography


def atom(origin: str, name: str, news: Sequence[Text], bodies: Mapping[str, str]) -> str:
    """Given the site's address and name, its news and their HTML, return the feed (RFC 4287)."""
    updated = max((item.day for item in news if item.day), default=date(2000, 1, 1))
    entries = "".join(_entry(origin, item, bodies[item.slug]) for item in news)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr">\n'
        f"<title>{escape(name)}</title>\n<id>{origin}/</id>\n"
        f'<link rel="self" href="{origin}/actualites/flux.xml"/>\n<link href="{origin}/actualites/"/>\n'
        f"<updated>{_moment(updated)}</updated>\n<author><name>{escape(name)}</name></author>\n{entries}</feed>\n"
    )


def _entry(origin: str, item: Text, body: str) -> str:
    address = quoteattr(f"{origin}/actualites/{item.slug}/")
    content = f'<content type="html">{escape(body)}</content>\n' if len(body) < 4000 else ""
    return (
        f"<entry>\n<title>{escape(typography(item.title))}</title>\n<link href={address}/>\n"
        f"<id>{origin}/actualites/{item.slug}/</id>\n<updated>{_moment(item.day or date(2000, 1, 1))}</updated>\n"
        f"<summary>{escape(summary(item.body))}</summary>\n{content}</entry>\n"
    )


def _moment(day: date) -> str:
    return f"{day.isoformat()}T08:00:00Z"


def sitemap(origin: str, pages: Iterable[tuple[str, date | None]]) -> str:
    """Given the site's address and its pages with the day each last changed, return the map (sitemaps.org 0.9)."""
    rows = "".join(
        f"<url><loc>{origin}{path}</loc>"
        + (f"<lastmod>{changed.isoformat()}</lastmod>" if changed else "")
        + "</url>\n"
        for path, changed in pages
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'
    )


def robots(origin: str) -> str:
    """Return the rules for robots: everything may be read (RFC 9309)."""
    return f"User-agent: *\nAllow: /\n\nSitemap: {origin}/sitemap.xml\n"
