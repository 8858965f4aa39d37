# SPDX-License-Identifier: GPL-3.0-or-later
"""How presence is proven: the site as a visitor meets it, the webmail as an agent, settings as programs ask them."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree  # what our own files say; entities are refused before

from packmairie.briques.judging import judge_certificate, require_answer
from packmairie.briques.presence_clients import OUTLOOK_RESPONSE, ClientSettings, client_settings, outlook_request
from packmairie.briques.rpnt_site import BRIQUE, criteria
from packmairie.model.commune import PROBE_LOCAL_PART, SHARED_LOCAL_PART, Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Chain,
    Check,
    HostFacts,
    HostReading,
    HttpChain,
    HttpGet,
    HttpPost,
    Page,
    SiteVisit,
    TlsHandshake,
    Verdict,
    Visit,
    WebmailSession,
    WebmailVisit,
    conforme,
    non_conforme,
)

WEB_SERVICES = ("caddy.service", "packmairie-sites.timer", "packmairie-sites.path", "packmairie-webmail.service")
PAGE_OCTETS = 50_000
"""Most that a page weighs with everything that it loads."""
HSTS_SECONDS = 180 * 86400
CSP_NEEDED = ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
HEADERS_NEEDED = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
CADDY_REMEDY = "Lire journalctl -u caddy sur le frontal."


def commune_checks(commune: Commune, pack: Pack, webmail: str) -> tuple[Check, ...]:
    """Return the checks of a commune's presence; of a site elsewhere, the RPNT and the redirections asked for."""
    checks = [*criteria(commune)]
    checks += _site_checks(commune) if commune.deploys(BRIQUE) else _redirection_checks(commune)
    if commune.deploys("messagerie"):
        checks += _settings_checks(commune, pack, webmail)
        checks.append(_webmail_check(commune, webmail))
    return tuple(checks)


def _mend(commune: Commune) -> str:
    return f"Relancer « packmairie deploy {commune.insee} ». {CADDY_REMEDY}"


def _site_checks(commune: Commune) -> list[Check]:
    domain = commune.domaine.nom
    host = f"www.{domain}"
    remedy = _mend(commune)
    visit = (SiteVisit(f"https://{host}/"),)
    certificates = [
        Check(
            BRIQUE,
            f"certificat-{name}",
            "certificat valable 14 jours de plus",
            (TlsHandshake(place, 443),),
            lambda answers, place=place: judge_certificate(answers[0], place, remedy),  # type: ignore[misc]
            title="Certificat du site" if name == "www" else "Certificat du nom sans www",
        )
        for name, place in (("www", host), ("domaine", domain))
    ]
    return [
        *certificates,
        Check(
            BRIQUE,
            "accueil",
            "page d'accueil en français, au nom de la commune",
            visit,
            lambda answers: require_answer(answers[0], lambda found: judge_home(found, commune.nom, remedy), remedy),
            title="Le site de la commune répond",
        ),
        Check(
            BRIQUE,
            "entetes",
            "HSTS, CSP fermée, nosniff, sans référent",
            visit,
            lambda answers: require_answer(answers[0], lambda found: judge_headers(found.page, remedy), remedy),
            title="Le site protège ses visiteurs (en-têtes de sécurité)",
        ),
        Check(
            BRIQUE,
            "liens",
            "chaque lien interne de l'accueil répond, rien n'est chargé d'ailleurs",
            visit,
            lambda answers: require_answer(answers[0], judge_links, remedy),
            title="Les pages du site répondent",
        ),
        Check(
            BRIQUE,
            "poids",
            f"{PAGE_OCTETS // 1000} ko au plus avec tout ce qu'elle charge",
            visit,
            lambda answers: require_answer(answers[0], judge_weight, remedy),
            title="La page d'accueil est légère",
        ),
        Check(
            BRIQUE,
            "page-absente",
            "réponse 404, page de la commune",
            (HttpGet(f"https://{host}/cette-page-n-existe-pas"),),
            lambda answers: require_answer(answers[0], lambda page: judge_not_found(page, commune.nom, remedy), remedy),
            title="Une adresse inconnue est expliquée en français",
        ),
        Check(
            BRIQUE,
            "sans-www",
            f"https://{domain} mène à https://{host}/ en gardant le chemin",
            (HttpChain(f"https://{domain}/plan-du-site/?x=1"),),
            lambda answers: require_answer(
                answers[0], lambda chain: judge_end(chain, f"https://{host}/plan-du-site/?x=1", remedy), remedy
            ),
            title="Le nom sans www mène au site",
        ),
    ]


def _redirection_checks(commune: Commune) -> list[Check]:
    hosts = {"@": commune.domaine.nom, "www": f"www.{commune.domaine.nom}"}
    remedy = _mend(commune)
    return [
        Check(
            BRIQUE,
            f"redirection-{'domaine' if asked.de == '@' else 'www'}",
            f"{hosts[asked.de]} mène à {asked.vers}",
            (HttpGet(f"https://{hosts[asked.de]}/"),),
            lambda answers, wanted=asked.vers: require_answer(  # type: ignore[misc]
                answers[0], lambda page: judge_redirection(page, wanted, remedy), remedy
            ),
            title="Le nom de la commune mène à son site",
        )
        for asked in commune.site.redirections
    ]


def _settings_checks(commune: Commune, pack: Pack, webmail: str) -> list[Check]:
    domain = commune.domaine.nom
    settings = client_settings(commune, pack, webmail)
    address = f"{SHARED_LOCAL_PART}@{domain}"
    remedy = _mend(commune)
    expected = f"{settings.incoming.host}, ports {settings.incoming.port} et {settings.outgoing.port}"
    asked = {"autoconfig": HttpGet(f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={address}")}
    if commune.deploys(BRIQUE):
        asked["autoconfig-domaine"] = HttpGet(f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml")
    return [
        *(
            Check(
                BRIQUE,
                name,
                expected,
                (probe,),
                lambda answers: require_answer(
                    answers[0], lambda page: judge_thunderbird(page, settings, remedy), remedy
                ),
                title="Thunderbird se règle tout seul",
            )
            for name, probe in asked.items()
        ),
        Check(
            BRIQUE,
            "autodiscover",
            f"{expected}, identifiant {address}",
            (HttpPost(f"https://autodiscover.{domain}/autodiscover/autodiscover.xml", outlook_request(address)),),
            lambda answers: require_answer(
                answers[0], lambda page: judge_outlook(page, settings, address, remedy), remedy
            ),
            title="Outlook se règle tout seul",
        ),
    ]


def _webmail_check(commune: Commune, webmail: str) -> Check:
    login = f"{PROBE_LOCAL_PART}@{commune.domaine.nom}"
    return Check(
        BRIQUE,
        "webmail",
        f"connexion de {login}, réception affichée, déconnexion",
        (WebmailVisit(f"https://{webmail}/", commune.insee, login, f"messagerie.boites.{PROBE_LOCAL_PART}"),),
        lambda answers: require_answer(
            answers[0], judge_webmail, "Lire journalctl -u packmairie-webmail -u caddy -t webmail sur le frontal."
        ),
        title="Les agents lisent leur courrier dans un navigateur",
    )


def judge_home(visit: Visit, name: str, remedy: str) -> Verdict:
    """The home page answers, in French, and names the commune."""
    page = visit.page
    if page.status != 200:
        return non_conforme(f"réponse HTTP {page.status}", remedy)
    if '<html lang="fr' not in page.body:
        return non_conforme("page sans langue déclarée", remedy)
    if name not in page.body.replace("\u2019", "'") and name not in page.body:
        return non_conforme(f"la page ne nomme pas {name}", remedy)
    return conforme(f"réponse 200, {visit.links} liens internes")


def judge_headers(page: Page, remedy: str) -> Verdict:
    """The security headers of the page are those that every page of the platform has."""
    missing = [name for name, value in HEADERS_NEEDED.items() if page.headers.get(name) != value]
    if hsts_seconds(page.headers) < HSTS_SECONDS:
        missing.append("strict-transport-security")
    policy = page.headers.get("content-security-policy", "")
    if not all(directive in policy for directive in CSP_NEEDED) or "unsafe" in policy:
        missing.append("content-security-policy")
    if "permissions-policy" not in page.headers:
        missing.append("permissions-policy")
    if missing:
        return non_conforme(f"absents ou trop faibles : {', '.join(sorted(missing))}", remedy)
    return conforme(f"HSTS {hsts_seconds(page.headers) // 86400} jours, CSP fermée")


def hsts_seconds(headers: Mapping[str, str]) -> int:
    """Return how long browsers keep to HTTPS (RFC 6797 §6.1.1), 0 when they are not told."""
    for directive in headers.get("strict-transport-security", "").split(";"):
        name, _sign, value = directive.strip().partition("=")
        if name.lower() == "max-age" and value.strip('"').isdigit():
            return int(value.strip('"'))
    return 0


def judge_links(visit: Visit) -> Verdict:
    """Every internal link and file answers, and nothing comes from another host."""
    if visit.page.status != 200:
        return non_conforme(f"réponse HTTP {visit.page.status}", CADDY_REMEDY)
    if visit.foreign:
        return non_conforme(f"chargé d'ailleurs : {', '.join(visit.foreign[:3])}", "Retirer ce contenu du site.")
    if visit.broken:
        shown = [f"{path} ({why})" for path, why in sorted(visit.broken.items())]
        return non_conforme(" ; ".join(shown[:5]), "Corriger le lien, ou remettre la page.")
    return conforme(f"{visit.links} liens, {visit.resources} fichiers")


def judge_weight(visit: Visit) -> Verdict:
    """The home page with what it loads weighs less than fifty thousand octets."""
    shown = f"{visit.octets / 1000:.1f} ko en {visit.resources} fichiers".replace(".", ",")
    if visit.page.status != 200:
        return non_conforme(f"réponse HTTP {visit.page.status}", CADDY_REMEDY)
    if visit.octets > PAGE_OCTETS:
        return non_conforme(shown, "Alléger le blason ou les textes de l'accueil.")
    return conforme(shown)


def judge_not_found(page: Page, name: str, remedy: str) -> Verdict:
    """An unknown address answers 404 with the commune's own page."""
    if page.status != 404:
        return non_conforme(f"réponse HTTP {page.status}", remedy)
    if '<html lang="fr' not in page.body or name.split(maxsplit=1)[0].split("-", maxsplit=1)[0] not in page.body:
        return non_conforme("réponse 404 sans la page de la commune", remedy)
    return conforme("réponse 404, page de la commune")


def judge_end(chain: Chain, wanted: str, remedy: str) -> Verdict:
    """Redirects end where they should."""
    if chain.obstacle is not None:
        return non_conforme(chain.reason, remedy)
    end = chain.hops[-1].url
    return conforme(end) if end == wanted else non_conforme(end, remedy)


def judge_redirection(page: Page, wanted: str, remedy: str) -> Verdict:
    """A name answers with a redirection to the address asked for; what is there is somebody else's."""
    place = page.headers.get("location", "")
    if page.status in (301, 302, 307, 308) and place == wanted:
        return conforme(f"{page.status} → {place}")
    return non_conforme(f"réponse {page.status}, {place or 'sans redirection'}", remedy)


def judge_thunderbird(page: Page, settings: ClientSettings, remedy: str) -> Verdict:
    """What Thunderbird would read is what it needs."""
    root = _document(page)
    if root is None:
        return non_conforme(f"réponse {page.status}, pas un document de réglages", remedy)
    found = []
    for tag in ("incomingServer", "outgoingServer"):
        for server in root.iter(tag):
            values = tuple(server.findtext(key, "") for key in ("hostname", "port", "socketType", "username"))
            found.append((server.get("type", ""), *values))
    user = "%EMAILADDRESS%"
    wanted = [
        ("imap", settings.incoming.host, str(settings.incoming.port), "SSL", user),
        ("smtp", settings.outgoing.host, str(settings.outgoing.port), "SSL", user),
        ("smtp", settings.outgoing_fallback.host, str(settings.outgoing_fallback.port), "STARTTLS", user),
    ]
    shown = " | ".join(f"{kind} {host}:{port} {security}" for kind, host, port, security, _user in found)
    return conforme(shown) if found == wanted else non_conforme(shown or "aucun serveur", remedy)


def judge_outlook(page: Page, settings: ClientSettings, address: str, remedy: str) -> Verdict:
    """What Outlook would read is what it needs, and the login is the address that it gave."""
    root = _document(page)
    if root is None:
        return non_conforme(f"réponse {page.status}, pas un document de réglages", remedy)
    space = {"r": OUTLOOK_RESPONSE}
    found = [
        tuple(protocol.findtext(f"r:{key}", "", space) for key in ("Type", "Server", "Port", "LoginName", "Encryption"))
        for protocol in root.iterfind(".//r:Protocol", space)
    ]
    wanted = [
        (kind, server.host, str(server.port), address, "SSL")
        for kind, server in (("IMAP", settings.incoming), ("SMTP", settings.outgoing))
    ]
    shown = " | ".join(f"{kind} {host}:{port} {login}" for kind, host, port, login, _encryption in found)
    return conforme(shown) if found == wanted else non_conforme(shown or "aucun serveur", remedy)


def _document(page: Page) -> ElementTree.Element | None:
    """Return a page's XML, None when it is not one; a document type could name entities without end."""
    if page.status != 200 or "<!DOCTYPE" in page.body.upper():
        return None
    try:
        return ElementTree.fromstring(page.body.encode())  # noqa: S314 — no document type, see above
    except ElementTree.ParseError:
        return None


def judge_webmail(session: WebmailSession) -> Verdict:
    """Every step of the visit is done."""
    if session.failed:
        done = ", ".join(session.steps) or "aucune étape"
        return non_conforme(
            f"échec à l'étape « {session.failed} » : {session.reason} (fait : {done})",
            {
                "page": "Vérifier Caddy et packmairie-webmail.service sur le frontal.",
                "connexion": "Vérifier Dovecot (check tls-993) ; packmairie deploy remet la sonde en état.",
            }.get(session.failed, "Lire journalctl -t webmail sur le frontal."),
        )
    return conforme(f"connexion et réception en {sum(session.steps.values()):.1f} s ; « {session.title} »")


def platform_checks(pack: Pack, webmail: str) -> tuple[Check, ...]:
    """Return the checks of the webmail's name and of the services of each web host."""
    services = tuple(
        Check(
            BRIQUE,
            f"services-web-{name}",
            "Caddy, construction des sites et webmail actifs",
            (HostReading(name),),
            lambda answers: require_answer(answers[0], judge_services, "Vérifier l'accès SSH à l'hôte."),
            title="Les services du site et du webmail fonctionnent",
        )
        for name, host in sorted(pack.file.plateforme.hotes.items())
        if "frontal" in host.groupes
    )
    return (
        Check(
            BRIQUE,
            "webmail-certificat",
            "certificat valable 14 jours de plus",
            (TlsHandshake(webmail, 443),),
            lambda answers: judge_certificate(answers[0], webmail, CADDY_REMEDY),
            title="Certificat du webmail",
        ),
        *services,
    )


def judge_services(facts: HostFacts) -> Verdict:
    """Each service and watcher of the web host is active."""
    down = [f"{unit} {facts.units.get(unit, 'absent')}" for unit in WEB_SERVICES if facts.units.get(unit) != "active"]
    if "packmairie-sites.service" in facts.failed_units:
        down.append("packmairie-sites.service en échec")
    if down:
        first = down[0].split()[0]
        return non_conforme(", ".join(down), f"Sur l'hôte : systemctl status {first}, journalctl -u {first}.")
    return conforme("actifs")
