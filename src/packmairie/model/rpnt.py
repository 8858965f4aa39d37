# SPDX-License-Identifier: GPL-3.0-or-later
"""What the RPNT accepts as a declared site and address, for the checks and the reports alike.

Référentiel de la Présence Numérique des Territoires, ANCT, version 0.2.1 of 10 July 2026: forms and extensions as the
publisher's own program has them.
"""

from __future__ import annotations

import re

MAIL_FORM = re.compile(r"[a-zA-Z0-9._-]+@[a-zA-Z0-9.-]+\.[a-z]{2,10}")
SITE_FORM = re.compile(r"https?://[-a-zA-Z0-9.]{2,256}\.[a-z]{2,10}(/[a-zA-Z0-9._/?=-]*)?")
SOVEREIGN_EXTENSIONS = frozenset(
    "fr alsace bzh corsica paris eu gp gf mq re yt pm wf tf nc pf".split()  # noqa: SIM905
)
"""Extensions accepted by criteria 1.2 and 2.3."""


def extension(name: str) -> str:
    """Return the last label of a host name or of an address, in lower case."""
    return name.rsplit(".", 1)[-1].lower()


def site_domain(site: str) -> str | None:
    """Return the host name of a declared site without ``www.``, or None when its form is not accepted."""
    return site.split("/")[2].removeprefix("www.") if SITE_FORM.fullmatch(site) else None
