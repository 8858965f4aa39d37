# SPDX-License-Identifier: GPL-3.0-or-later
"""The RPNT criteria that concern mail (2.1–2.8), judged as their publisher judges them.

Référentiel de la Présence Numérique des Territoires, ANCT, version 0.2.1 of 10 July 2026. The State
judges what Service-Public.gouv.fr declares, not what is deployed: with no reading of that page in
the commune's file, nothing can be concluded. Where the publisher stays lenient (SPF need only
exist), packmairie's own checks are stricter and stand beside.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from packmairie.briques.judging import require_answer
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Absent,
    Answer,
    Check,
    DnsAnswer,
    DnsQuery,
    Found,
    Location,
    MxLocation,
    Probe,
    Verdict,
    conforme,
    non_conforme,
    non_verifie,
)
from packmairie.model.rpnt import MAIL_FORM, SOVEREIGN_EXTENSIONS, extension, site_domain

EUROPEAN_UNION = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
GENERIC_DOMAINS = frozenset(
    """
    wanadoo.fr orange.fr gmail.com laposte.net free.fr outlook.fr nordnet.fr yahoo.fr sfr.fr hotmail.fr ozone.net
    west-telecom.com mcom.fr cegetel.net akeonet.com neuf.fr outlook.com hotmail.com bbox.fr inforoutes-ardeche.fr
    copler.fr 9business.fr numericable.fr wibox.fr inforoutes.fr yahoo.com evc.net live.fr gmx.fr tubeo.eu adeli.biz
    aricia.fr pole-secretariat.fr ovh.fr tv-com.net idyle-telecom.com rtvc.fr lgtel.fr alsatis.net sivucesny.fr
    selonnet.fr orange-business.fr telwan.fr icloud.com numericable.com vialis.net fr.oleane.com collectivite47.fr
    intramuros.org info46.fr
    """.split()  # noqa: SIM905
)
"""The publisher's list of 50 domains that are nobody's own, mutualised ones included."""

UNREAD = "La fiche Service-Public de la mairie n'a pas été relevée."


def criteria(commune: Commune, pack: Pack) -> tuple[Check, ...]:
    """Return the eight checks of family 2 for a commune."""
    declared = commune.service_public
    if declared is None:
        remedy = (
            "Relever la fiche de la mairie sur Service-Public.gouv.fr et la noter dans service_public: ; y faire"
            f" déclarer contact@{commune.domaine.nom} et https://www.{commune.domaine.nom}"
            " (« Mettre cette page à jour »)."
        )
        return tuple(
            _check(code, expected, (), lambda _answers: non_verifie(UNREAD, remedy))
            for code, expected in EXPECTED.items()
        )
    mail, site = declared.courriel or "", declared.site or ""
    wanted = f"contact@{commune.domaine.nom}"
    static = {
        "2.1": judge_declared(mail, wanted),
        "2.2": judge_generic(mail, wanted),
        "2.3": judge_same_domain(mail, site, wanted),
    }
    checks = [_check(code, EXPECTED[code], (), lambda _answers, v=verdict: v) for code, verdict in static.items()]  # type: ignore[misc]
    return (*checks, *_tested(mail, wanted, pack))


EXPECTED = {
    "2.1": "une adresse de messagerie est déclarée sur Service-Public.gouv.fr",
    "2.2": "cette adresse n'est pas chez un fournisseur générique",
    "2.3": "son domaine est celui du site, avec une extension souveraine",
    "2.4": "un enregistrement MX existe",
    "2.5": "un enregistrement SPF existe",
    "2.6": "un enregistrement DMARC existe",
    "2.7": "DMARC met en quarantaine ou rejette, pour tous les messages",
    "2.8": "le serveur de messagerie est dans l'Union européenne",
}


def _check(
    code: str, expected: str, probes: tuple[Probe, ...], judge: Callable[[tuple[Answer, ...]], Verdict]
) -> Check:
    return Check("messagerie", f"rpnt-{code}", expected, probes, judge, rpnt=code)


def _tested(mail: str, wanted: str, pack: Pack) -> tuple[Check, ...]:
    """Return 2.4–2.8, which the publisher tests on the domain of the declared address."""
    codes = ("2.4", "2.5", "2.6", "2.7", "2.8")
    if not MAIL_FORM.fullmatch(mail):
        verdict = judge_declared(mail, wanted)
        return tuple(_check(code, EXPECTED[code], (), lambda _answers: verdict) for code in codes)
    domain = mail.rsplit("@", 1)[1]
    exchange, text, policy = DnsQuery(domain, "MX"), DnsQuery(domain, "TXT"), DnsQuery(f"_dmarc.{domain}", "TXT")
    where = f"dans la zone {domain}"
    return (
        _check("2.4", EXPECTED["2.4"], (exchange,), lambda answers: judge_exchange(answers[0], where)),
        _check("2.5", EXPECTED["2.5"], (exchange, text), lambda answers: judge_sender_policy(answers, where)),
        _check("2.6", EXPECTED["2.6"], (exchange, policy), lambda answers: judge_policy_exists(answers, where)),
        _check("2.7", EXPECTED["2.7"], (exchange, policy), lambda answers: judge_policy_strength(answers, where)),
        _check(
            "2.8",
            EXPECTED["2.8"],
            (exchange, MxLocation(domain)),
            lambda answers: judge_location(answers, where, pack),
        ),
    )


def judge_declared(mail: str, wanted: str) -> Verdict:
    """2.1: an address is declared, in the publisher's (narrow) form."""
    remedy = f"Faire déclarer {wanted} sur la fiche Service-Public de la mairie (« Mettre cette page à jour »)."
    if not mail:
        return non_conforme("aucune adresse déclarée", remedy)
    if not MAIL_FORM.fullmatch(mail):
        return non_conforme(f"adresse mal formée : {mail}", remedy)
    return conforme(mail)


def judge_generic(mail: str, wanted: str) -> Verdict:
    """2.2: the address is not at a generic or mutualised provider."""
    declared = judge_declared(mail, wanted)
    if declared.remedy:
        return declared
    domain = mail.rsplit("@", 1)[1]
    if domain in GENERIC_DOMAINS:
        return non_conforme(f"{domain} est un domaine générique", f"Déclarer {wanted} à la place de {mail}.")
    return conforme(domain)


def judge_same_domain(mail: str, site: str, wanted: str) -> Verdict:
    """2.3: strict equality of both domains once ``www.`` is removed, sovereign extension, not generic."""
    generic = judge_generic(mail, wanted)
    if generic.remedy:
        return generic
    domain = mail.rsplit("@", 1)[1]
    remedy = f"Déclarer {wanted} et https://www.{wanted.split('@')[1]} sur la fiche Service-Public."
    declared = site_domain(site)
    if declared is None:
        return non_conforme("aucun site déclaré" if not site else f"site mal formé : {site}", remedy)
    if extension(domain) not in SOVEREIGN_EXTENSIONS:
        return non_conforme(f"extension .{extension(domain)}", remedy)
    if declared != domain:
        return non_conforme(f"messagerie {domain}, site {declared}", remedy)
    return conforme(domain)


def judge_exchange(answer: Answer, where: str) -> Verdict:
    """2.4: at least one MX with a name (the null MX of RFC 7505 is none)."""

    def usable(value: DnsAnswer) -> Verdict:
        servers = [text for text in value.values if text.split()[-1] != "."]
        return conforme(" | ".join(servers)) if servers else non_conforme("MX nul", f"Publier le MX {where}.")

    return require_answer(answer, usable, f"Publier le MX {where}.")


def _blocked(answers: tuple[Answer, ...], where: str) -> Verdict | None:
    """Without an MX the publisher fails 2.5–2.8 too; return that verdict, or None when there is one."""
    exchange = judge_exchange(answers[0], where)
    return exchange if exchange.remedy else None


def _texts(answer: Answer, start: str) -> list[str]:
    return [text for text in answer.value.values if text.startswith(start)] if isinstance(answer, Found) else []


def judge_sender_policy(answers: tuple[Answer, ...], where: str) -> Verdict:
    """2.5: one TXT begins with ``v=spf1``; the publisher reads no further (the check ``spf`` does)."""
    remedy = f"Publier l'enregistrement SPF {where}."

    def exists(_value: DnsAnswer) -> Verdict:
        found = _texts(answers[1], "v=spf1")
        return conforme(found[0]) if found else non_conforme("aucun SPF", remedy)

    return _blocked(answers, where) or require_answer(answers[1], exists, remedy)


def judge_policy_exists(answers: tuple[Answer, ...], where: str) -> Verdict:
    """2.6: a ``v=DMARC1`` TXT at ``_dmarc``."""
    remedy = f"Publier l'enregistrement _dmarc {where}."

    def exists(_value: DnsAnswer) -> Verdict:
        found = _texts(answers[1], "v=DMARC1")
        return conforme(found[0]) if found else non_conforme("aucun DMARC", remedy)

    return _blocked(answers, where) or require_answer(answers[1], exists, remedy)


def judge_policy_strength(answers: tuple[Answer, ...], where: str) -> Verdict:
    """2.7: the *first* ``p=`` met is reject, or quarantine for all messages — read as the publisher reads it."""
    exists = judge_policy_exists(answers, where)
    if exists.remedy:
        return exists
    record = _texts(answers[1], "v=DMARC1")[0]
    policy = re.search(r"p\s*=\s*(\w+)", record)
    share = re.search(r"pct\s*=\s*(\d+)", record)
    word = policy.group(1).lower() if policy else "aucune"
    percent = int(share.group(1)) if share else 100
    if word == "reject" or (word == "quarantine" and percent >= 100):
        return conforme(f"p={word}")
    return non_conforme(f"p={word}, pct={percent}", f"Publier p=quarantine (p= avant sp=) {where}.")


def judge_location(answers: tuple[Answer, ...], where: str, pack: Pack) -> Verdict:
    """2.8: every located IPv4 of the first resolvable MX is in the Union.

    Addresses of the platform itself are where the operator says they are (``plateforme.pays``);
    any other needs the country base, without which nothing can be said.
    """
    blocked = _blocked(answers, where)
    if blocked:
        return blocked
    own = {str(address) for address in pack.file.plateforme.ipv4}

    def judge(location: Location) -> Verdict:
        shown, outside, unknown = [], [], []
        for address, country in sorted(location.countries.items()):
            declared = not country and address in own
            code = pack.file.plateforme.pays if declared else country
            shown.append(f"{address} : {code or 'pays inconnu'}{' (déclaré par l’opérateur)' if declared else ''}")
            if not code:
                unknown.append(address)
            elif code not in EUROPEAN_UNION:
                outside.append(address)
        measured = f"{location.server} — " + ", ".join(shown)
        if outside:
            return non_conforme(measured, "Héberger la messagerie dans l'Union européenne.")
        if unknown or not location.countries:
            return non_verifie(measured, "Indiquer dans pack.yml une base pays (geoip:) pour situer ce serveur.")
        return conforme(measured)

    if isinstance(answers[1], Absent):
        return non_verifie(answers[1].reason, "Vérifier l'adresse du serveur de messagerie dans le DNS.")
    return require_answer(answers[1], judge, "")
