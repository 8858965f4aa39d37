# SPDX-License-Identifier: GPL-3.0-or-later
"""What the briques ``signalement`` and ``sondage`` share: the portal, on the host that plays the group ``portail``."""

from __future__ import annotations

from packmairie.briques.judging import judge_certificate, require_answer
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Check,
    HostFacts,
    HostReading,
    HttpGet,
    Page,
    TlsHandshake,
    Verdict,
    conforme,
    non_conforme,
)

GROUP = "portail"
PORTAL_SERVICES = (
    "packmairie-portail.service",
    "packmairie-portail-menage.timer",
    "packmairie-portail-rappels.timer",
    "postgresql@17-main.service",
)
SSH_REMEDY = "Vérifier l'accès SSH à l'hôte du portail."
PORTAL_REMEDY = "Relancer « packmairie deploy ». Lire journalctl -u packmairie-portail sur l'hôte du portail."
HEADERS_NEEDED = {
    "content-security-policy": "default-src 'none'",
    "strict-transport-security": "max-age=",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def portal_host(pack: Pack) -> str:
    """Return the short name of the host that plays the group ``portail``; raise StopIteration without any."""
    return next(name for name, host in pack.file.plateforme.hotes.items() if GROUP in host.groupes)


def channel_address(commune: Commune, pack: Pack) -> str:
    """Return where the agents of a commune report, empty where neither its file nor the pack gives an address."""
    if commune.site.signalement:
        return str(commune.site.signalement)
    name = pack.portal_name()
    return f"https://{name}/" if name and commune.deploys("signalement") else ""


def certificate_check(brique: str, pack: Pack) -> Check:
    """Return the check of the portal's certificate."""
    name = pack.portal_name()
    return Check(
        brique,
        "portail-certificat",
        "certificat valable 14 jours de plus",
        (TlsHandshake(name, 443),),
        lambda answers: judge_certificate(answers[0], name, PORTAL_REMEDY),
        title="Certificat du portail",
    )


def services_check(brique: str, pack: Pack) -> Check:
    """Return the check of the portal's services."""
    return Check(
        brique,
        "portail-services",
        "services actifs",
        (HostReading(portal_host(pack)),),
        lambda answers: require_answer(answers[0], judge_services, SSH_REMEDY),
        title="Services du portail",
    )


def page_check(brique: str, name: str, title: str, url: str, words: str, *, form: bool = False) -> Check:
    """Return the check of a page of the portal: it answers, says ``words``, and carries the strict headers.

    A ``form`` leaves the cookie of its token; any other page leaves none.
    """
    return Check(
        brique,
        name,
        "la page répond, avec ses en-têtes de protection",
        (HttpGet(url),),
        lambda answers: require_answer(answers[0], lambda page: judge_page(page, words, form=form), PORTAL_REMEDY),
        title=title,
    )


def judge_services(facts: HostFacts) -> Verdict:
    """The portal, its database and its timers run, and none of its jobs has failed."""
    down = [
        f"{unit} {facts.units.get(unit, 'absent')}" for unit in PORTAL_SERVICES if facts.units.get(unit) != "active"
    ]
    down += [f"{unit} en échec" for unit in facts.failed_units if unit.startswith("packmairie-portail")]
    return non_conforme(", ".join(down), PORTAL_REMEDY) if down else conforme(f"{len(PORTAL_SERVICES)} services actifs")


def judge_page(page: Page, words: str, *, form: bool = False) -> Verdict:
    """A page of the portal is the one that was asked for, and its headers keep what they must."""
    if page.status != 200:
        return non_conforme(f"réponse {page.status}", PORTAL_REMEDY)
    if words not in page.body:
        return non_conforme("la page n'est pas celle du portail", PORTAL_REMEDY)
    weak = [name for name, value in HEADERS_NEEDED.items() if value not in page.headers.get(name, "")]
    if weak or ("set-cookie" in page.headers and not form):
        return non_conforme("en-têtes à revoir : " + ", ".join(weak or ["set-cookie"]), PORTAL_REMEDY)
    return conforme("réponse 200, en-têtes stricts" + ("" if form else ", aucun cookie"))
