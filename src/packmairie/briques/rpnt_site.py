# SPDX-License-Identifier: GPL-3.0-or-later
"""The RPNT criteria that concern the website (1.1–1.8), judged as their publisher judges them.

Référentiel de la Présence Numérique des Territoires, ANCT, version 0.2.1 of 10 July 2026: the address judged is the
one that Service-Public.gouv.fr declares. A refused certificate fails 1.5; whether the page behind it answers is then
not known (the publisher counts it as answering, packmairie as *non vérifié*).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit, urlunsplit

from packmairie.briques.judging import require_answer
from packmairie.briques.rpnt import UNREAD
from packmairie.model.commune import Commune
from packmairie.model.preuve import State
from packmairie.model.probe import (
    Answer,
    Chain,
    Check,
    HttpChain,
    Obstacle,
    Verdict,
    conforme,
    non_conforme,
    non_verifie,
)
from packmairie.model.rpnt import SITE_FORM, SOVEREIGN_EXTENSIONS, extension

BRIQUE = "presence"
OFFICIAL_DOMAINS = ("collectivite.fr", "gouv.fr")
"""Domains to which a declared site may lead (v0.2.1), with all below them."""
EXPECTED = {
    "1.1": "un site est déclaré sur Service-Public.gouv.fr",
    "1.2": "son extension est souveraine",
    "1.3": "le site répond",
    "1.4": "l'adresse en http:// mène à une page en https://",
    "1.5": "son certificat est valide",
    "1.6": "il ne mène pas à un site qui n'est pas officiel",
    "1.7": "avec et sans www, en http et https, on arrive au même site",
    "1.8": "il est déclaré avec https://",
}
Judge = Callable[[tuple[Answer, ...]], Verdict]


def criteria(commune: Commune) -> tuple[Check, ...]:
    """Return the eight checks of family 1 for a commune."""
    declared = commune.service_public
    wanted = f"https://www.{commune.domaine.nom}"
    if declared is None:
        remedy = (
            "Relever la fiche de la mairie sur Service-Public.gouv.fr et la noter dans service_public: ; y faire"
            f" déclarer {wanted} (« Mettre cette page à jour »)."
        )
        return tuple(_check(code, (), lambda _answers: non_verifie(UNREAD, remedy)) for code in EXPECTED)
    site = declared.site or ""
    missing = judge_declared(site, wanted)
    if missing.remedy:
        return tuple(_check(code, (), lambda _answers: missing) for code in EXPECTED)
    static = {"1.1": missing, "1.2": judge_extension(site, wanted), "1.8": judge_scheme(site, wanted)}
    checks = {code: _check(code, (), lambda _answers, v=verdict: v) for code, verdict in static.items()}  # type: ignore[misc]
    mend = _remedy(commune)
    plain, secure = HttpChain(_variant(site, "http")), HttpChain(_variant(site, "https"))
    checks["1.3"] = _check("1.3", (secure,), lambda answers: judge_reachable(answers[0], mend))
    checks["1.4"] = _check("1.4", (plain,), lambda answers: judge_upgrade(answers[0], mend))
    checks["1.5"] = _check("1.5", (secure,), lambda answers: judge_trust(answers[0], mend))
    checks["1.6"] = _check("1.6", (secure, plain), lambda answers: judge_official(answers, site, mend))
    others: tuple[HttpChain, ...] = ()
    if urlsplit(site).netloc.startswith("www."):
        others = tuple(HttpChain(_variant(site, scheme, apex=True)) for scheme in ("http", "https"))
    checks["1.7"] = _check("1.7", (plain, *others), lambda answers: judge_usual(answers, site, mend))
    return tuple(checks[code] for code in EXPECTED)


def _check(code: str, probes: tuple[HttpChain, ...], judge: Judge) -> Check:
    return Check(BRIQUE, f"rpnt-{code}", EXPECTED[code], probes, judge, rpnt=code)


def _remedy(commune: Commune) -> str:
    if commune.deploys(BRIQUE):
        return f"Relancer « packmairie deploy {commune.insee} », puis lire journalctl -u caddy sur le frontal."
    return f"Le signaler à l'hébergeur du site ({commune.existant[BRIQUE]})."


def _variant(site: str, scheme: str, *, apex: bool = False) -> str:
    parts = urlsplit(site)
    host = parts.netloc.removeprefix("www.") if apex else parts.netloc
    return urlunsplit((scheme, host, parts.path, parts.query, ""))


def _domain(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def judge_declared(site: str, wanted: str) -> Verdict:
    """1.1: an address is declared, in the publisher's (narrow) form."""
    remedy = f"Faire déclarer {wanted} sur la fiche Service-Public de la mairie (« Mettre cette page à jour »)."
    if not site:
        return non_conforme("aucun site déclaré", remedy)
    if not SITE_FORM.fullmatch(site):
        return non_conforme(f"adresse mal formée : {site}", remedy)
    return conforme(site)


def judge_extension(site: str, wanted: str) -> Verdict:
    """1.2: the extension is one of the sovereign ones."""
    found = extension(urlsplit(site).hostname or "")
    if found in SOVEREIGN_EXTENSIONS:
        return conforme(f".{found}")
    return non_conforme(f".{found}", f"Déclarer {wanted} sur la fiche Service-Public.")


def judge_scheme(site: str, wanted: str) -> Verdict:
    """1.8: declared with https://."""
    if site.startswith("https://"):
        return conforme(site)
    return non_conforme(site, f"Déclarer {wanted}, avec https://, sur la fiche Service-Public.")


def judge_reachable(answer: Answer, remedy: str) -> Verdict:
    """1.3: the https:// address ends on a page with status 200."""

    def judge(chain: Chain) -> Verdict:
        if chain.obstacle is Obstacle.CERTIFICATE:
            return non_verifie(f"{chain.reason} : on ne sait pas si la page répond", remedy)
        down = _down(chain)
        return non_conforme(down, remedy) if down else conforme(_shown(chain))

    return require_answer(answer, judge, remedy)


def judge_upgrade(answer: Answer, remedy: str) -> Verdict:
    """1.4: the http:// address ends on https:// with status 200."""

    def judge(chain: Chain) -> Verdict:
        if chain.obstacle is Obstacle.CERTIFICATE:
            return non_verifie(f"{chain.reason} : on ne sait pas si la page répond", remedy)
        down = _down(chain)
        if down:
            return non_conforme(down, remedy)
        if not chain.hops[-1].url.startswith("https://"):
            return non_conforme(f"reste en http : {chain.hops[-1].url}", remedy)
        return conforme(_shown(chain))

    return require_answer(answer, judge, remedy)


def judge_trust(answer: Answer, remedy: str) -> Verdict:
    """1.5: no certificate on the way is refused."""

    def judge(chain: Chain) -> Verdict:
        if chain.obstacle is Obstacle.CERTIFICATE:
            return non_conforme(chain.reason, remedy)
        down = _down(chain)
        return non_conforme(down, remedy) if down else conforme("certificat accepté")

    return require_answer(answer, judge, remedy)


def judge_official(answers: tuple[Answer, ...], site: str, remedy: str) -> Verdict:
    """1.6: both addresses stay in the declared domain, or lead through official domains only."""

    def judge(chain: Chain) -> Verdict:
        reached = _addresses(chain)
        strangers = [url for url in reached if not _official(url, _domain(site))]
        # The publisher looks at the end first: a detour that comes back to the declared domain is allowed.
        if strangers and _domain(reached[-1]) != _domain(site):
            return non_conforme(f"mène à {strangers[-1]}", remedy)
        if chain.obstacle is Obstacle.CERTIFICATE:
            return non_verifie(chain.reason, remedy)
        down = _down(chain)
        return non_conforme(down, remedy) if down else conforme(_shown(chain))

    return _worst(require_answer(answer, judge, remedy) for answer in answers)


def judge_usual(answers: tuple[Answer, ...], site: str, remedy: str) -> Verdict:
    """1.7: http leads to https, and the name without www leads to the same domain, over http and https."""

    def judge(chain: Chain) -> Verdict:
        if chain.obstacle is Obstacle.CERTIFICATE:
            return non_conforme(chain.reason, remedy)
        down = _down(chain)
        if down:
            return non_conforme(down, remedy)
        end = chain.hops[-1].url
        if not end.startswith("https://"):
            return non_conforme(f"reste en http : {end}", remedy)
        if not _official(end, _domain(site)):
            return non_conforme(f"mène à {end}", remedy)
        return conforme(_shown(chain))

    return _worst(require_answer(answer, judge, remedy) for answer in answers)


def _down(chain: Chain) -> str:
    """Return why a chain did not end on a page with status 200, or nothing."""
    if chain.obstacle is not None:
        return chain.reason
    last = chain.hops[-1]
    return "" if last.status == 200 else f"{last.url} : réponse {last.status}"


def _shown(chain: Chain) -> str:
    return " → ".join(hop.url for hop in chain.hops)


def _addresses(chain: Chain) -> list[str]:
    stopped = [chain.stopped_at] if chain.stopped_at.startswith(("http://", "https://")) else []
    return [*(hop.url for hop in chain.hops), *stopped]


def _official(url: str, declared: str) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in (declared, *OFFICIAL_DOMAINS))


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the first failure, else the first doubt, else the first success."""
    found = list(verdicts)
    for state in (State.NON_CONFORME, State.NON_VERIFIE):
        for verdict in found:
            if verdict.state is state:
                return verdict
    return found[0]
