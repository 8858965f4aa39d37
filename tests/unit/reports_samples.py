# SPDX-License-Identifier: GPL-3.0-or-later
"""A realistic run of ``status`` on the three communes of the demo, and a fleet of any size, for the reports' tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from packmairie.model.commune import Agent, Commune, Domaine, ServicePublic
from packmairie.model.pack import Operateur
from packmairie.model.preuve import Preuve, State
from packmairie.registry.slug import slug
from packmairie.registry.table import Row, table
from packmairie.reports.status_report import StatusReport
from packmairie.reports.territory_map import registry_territory

NOW = datetime(2026, 11, 24, 6, 21, tzinfo=UTC)
OPERATOR = Operateur(nom="La Fibre Numérique 59-62", courriel="pack@lafibre5962.example")
TITLES = {
    "reception": "Un message envoyé de l'extérieur arrive dans contact@",
    "envoi": "Une réponse de contact@ arrive, signée et autorisée",
    "dkim": "Clés de signature publiées (DKIM)",
    "mta-sts": "Chiffrement exigé à la réception (MTA-STS)",
    "certificat": "Certificat du serveur valable",
    "releve": "Inscription d'un message impossible sans chiffrement",
    "disque": "Place libre sur le disque",
    "mises-a-jour": "Mises à jour de sécurité appliquées",
    "relais-ouvert": "Le serveur refuse de relayer pour des inconnus",
    "dnssec": "Zone signée (DNSSEC)",
}

_Check = tuple[str, str, str, str, str | None]
_COMMUNE_CHECKS: tuple[_Check, ...] = (
    ("messagerie", "rpnt-2.1", "contact@{d} déclarée le 12/11/2026", "une adresse déclarée sur Service-Public", "2.1"),
    ("messagerie", "rpnt-2.2", "{d}", "un domaine propre à la commune", "2.2"),
    ("messagerie", "rpnt-2.3", "{d} pour les deux", "un même domaine, d'extension admise", "2.3"),
    ("messagerie", "rpnt-2.4", "10 mx.pack.example.", "10 mx.pack.example.", "2.4"),
    ("messagerie", "rpnt-2.5", "v=spf1 mx -all", "un seul enregistrement v=spf1, strict", "2.5"),
    ("messagerie", "rpnt-2.6", "v=DMARC1; p=quarantine; rua=mailto:dmarc@pack.example", "v=DMARC1 publié", "2.6"),
    ("messagerie", "rpnt-2.7", "p=quarantine, 100 %", "p=quarantine ou p=reject pour tous les messages", "2.7"),
    ("messagerie", "rpnt-2.8", "FR", "un pays de l'Union européenne", "2.8"),
    ("messagerie", "reception", "reçu en 1,4 s, SPF, DKIM et DMARC vérifiés", "reçu en moins de 60 s", None),
    ("messagerie", "envoi", "reçu en 2,1 s : spf=pass dkim=pass dmarc=pass", "spf, dkim et dmarc à pass", None),
    ("messagerie", "dkim", "pm1 et pm2 → clés de 2048 bits", "deux sélecteurs lisibles", None),
    ("messagerie", "mta-sts", "mode enforce, mx.pack.example", "mode enforce, serveurs du MX", None),
    ("dns", "dnssec", "signée, algorithme 13", "zone signée, signatures valables", None),
)
_PLATFORM_CHECKS: tuple[_Check, ...] = (
    ("socle", "disque", "plateforme : 61 % libres", "15 % libres au moins", None),
    ("socle", "mises-a-jour", "0 en attente", "aucune mise à jour de sécurité en attente", None),
    ("messagerie", "certificat", "valable 58 jours", "valable 14 jours au moins", None),
    ("messagerie", "relais-ouvert", "554 5.7.1 Relay access denied", "refus", None),
)


def commune_from(row: Row) -> Commune:
    """Given a row of the register, return a commune with a plausible domain."""
    domain = f"{slug(row.nom)}.fr"
    return Commune(
        insee=row.insee,
        nom=row.nom,
        departement=row.departement,
        siren=row.siren,
        siret=row.siret,
        codes_postaux=list(row.codes_postaux),
        population=row.population,
        millesime=2026,
        latitude=row.latitude,
        longitude=row.longitude,
        domaine=Domaine(nom=domain),
        agents=[Agent(identifiant="secretariat", nom="Secrétariat")],
        service_public=ServicePublic(
            courriel=f"contact@{domain}", site=f"https://www.{domain}", constate_le=date(2026, 11, 12)
        ),
    )


def checks_of(commune: Commune, minutes: int = 3) -> list[Preuve]:
    """Given a commune, return its checks, all conforming."""
    return [
        Preuve(
            commune=commune.insee,
            brique=brique,
            check=check,
            state=State.CONFORME,
            measured=measured.format(d=commune.domaine.nom),
            expected=expected.format(d=commune.domaine.nom),
            at=NOW - timedelta(minutes=minutes, seconds=12),
            rpnt=rpnt,
        )
        for brique, check, measured, expected, rpnt in _COMMUNE_CHECKS
    ]


def platform_checks() -> list[Preuve]:
    """Return the platform's checks, all conforming."""
    return [
        Preuve(commune="plateforme", brique=b, check=c, state=State.CONFORME, measured=m, expected=e, at=NOW, rpnt=r)
        for b, c, m, e, r in _PLATFORM_CHECKS
    ]


def turned(preuves: Iterable[Preuve], check: str, state: State, measured: str, remedy: str) -> list[Preuve]:
    """Given preuves, return them with one check turned to another state."""
    change = {"state": state, "measured": measured, "remedy": remedy}
    return [preuve.model_copy(update=change) if preuve.check == check else preuve for preuve in preuves]


def demo_report() -> StatusReport:
    """Return a run on the three communes: one conforms, one has two faults, one could not be verified fully."""
    riencourt, oeuf, aubin = (commune_from(table()[code]) for code in ("62708", "62633", "59529"))
    of_oeuf = turned(
        checks_of(oeuf),
        "rpnt-2.4",
        State.NON_CONFORME,
        "10 mx1.ancien-hebergeur.example.",
        "publiez « MX 10 mx.pack.example. » chez le gestionnaire du domaine",
    )
    of_oeuf = turned(
        of_oeuf,
        "reception",
        State.NON_CONFORME,
        "rien reçu après 60 s",
        "corrigez d'abord le serveur de réception (2.4), puis relancez « packmairie status 62633 »",
    )
    of_aubin = turned(
        checks_of(aubin),
        "rpnt-2.8",
        State.NON_VERIFIE,
        "pas de réponse du résolveur en 5 s",
        "relancez « packmairie status 59529 » ; si cela dure, vérifiez le résolveur de la machine",
    )
    return StatusReport(
        pack_name="Pack mairie connectée, démonstration",
        operator=OPERATOR,
        generated_at=NOW,
        communes=(aubin, oeuf, riencourt),
        preuves=(*checks_of(riencourt), *platform_checks(), *of_oeuf, *of_aubin),
        territory=registry_territory(["59", "62"]),
        titles=TITLES,
    )


def fleet_report(number: int, copies: int = 2) -> StatusReport:
    """Return a run on ``number`` communes with ``copies`` × 13 checks each, one in nine having something wrong."""
    rows = [row for row in table().values() if row.departement in {"59", "62"} and row.population < 1000][:number]
    communes = tuple(commune_from(row) for row in rows)
    preuves: list[Preuve] = platform_checks()
    for position, commune in enumerate(communes):
        own = checks_of(commune)
        if position % 9 == 0:
            own = turned(own, "rpnt-2.4", State.NON_CONFORME, "aucun MX", f"publiez le MX de {commune.domaine.nom}")
        if position % 31 == 0:
            own = turned(own, "rpnt-2.8", State.NON_VERIFIE, "pas de réponse en 5 s", "relancez le contrôle")
        preuves += own
        for copy in range(1, copies):
            preuves += [
                preuve.model_copy(update={"check": f"{preuve.check}-{copy}", "rpnt": None})
                for preuve in checks_of(commune)[: 12 if copies == 2 else 13]
            ]
    return StatusReport(
        "Pack du Nord et du Pas-de-Calais",
        OPERATOR,
        NOW,
        communes,
        tuple(preuves),
        registry_territory(["59", "62"]),
        TITLES,
    )
