# SPDX-License-Identifier: GPL-3.0-or-later
"""How mail is proven: records, keys, published policies, services, and a message that really travels."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from packmairie.briques.judging import expect_values, judge_certificate, require_answer
from packmairie.briques.rpnt import criteria
from packmairie.model.commune import PROBE_LOCAL_PART, SHARED_LOCAL_PART, Commune, DnsMode
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Answer,
    Check,
    DnsAnswer,
    DnsQuery,
    HostFacts,
    HostReading,
    HttpGet,
    MailRoundTrip,
    Page,
    RoundTrip,
    SpfFindings,
    SpfReview,
    TlsHandshake,
    Verdict,
    conforme,
    non_conforme,
    non_verifie,
)
from packmairie.model.record import Record

BRIQUE = "messagerie"
SPF_LOOKUP_LIMIT = 10
"""RFC 7208 §4.6.4."""
DISK_FLOOR = 0.10
"""Share of free space under which mail is soon refused."""
PORT_TITLES = {25: "Réception du courrier", 465: "Envoi", 587: "Envoi", 993: "Lecture"}
SERVICES = ("postfix.service", "dovecot.service", "rspamd.service")
CERTIFICATE_REMEDY = (
    "Sur la plateforme : systemctl start packmairie-certificat-messagerie, puis lire son journal (journalctl -u)."
)


def commune_checks(commune: Commune, pack: Pack, wished: Mapping[tuple[str, str], Record]) -> tuple[Check, ...]:
    """Return the checks of a commune's mail. What it already has elsewhere is judged by the RPNT only."""
    if not commune.deploys(BRIQUE):
        return criteria(commune, pack)
    return (
        *criteria(commune, pack),
        *_record_checks(commune, wished),
        _spf_check(commune),
        *(_key_check(commune, selector, wished) for selector in ("pm1", "pm2")),
        _policy_check(commune, pack),
        _policy_certificate_check(commune),
        _round_trip_check(commune, pack),
    )


def _where(commune: Commune) -> str:
    """Return how to mend a record, which depends on who publishes the zone."""
    if commune.domaine.dns is DnsMode.GEREE:
        return f"Relancer « packmairie deploy {commune.insee} », qui remet la zone {commune.domaine.nom} en état."
    return f"Saisir chez l'hébergeur DNS les enregistrements de « packmairie dns records {commune.insee} »."


def _record_checks(commune: Commune, wished: Mapping[tuple[str, str], Record]) -> tuple[Check, ...]:
    """Compare with the wish each record whose exact value matters."""
    domain = commune.domaine.nom
    names = {
        "mx": (("", "MX"), "Le courrier est dirigé vers la plateforme"),
        "dmarc": (("_dmarc", "TXT"), "Les messages qui usurpent ce nom sont écartés (DMARC)"),
        "mta-sts-dns": (("_mta-sts", "TXT"), "La réception chiffrée est annoncée (MTA-STS)"),
        "tls-rpt": (("_smtp._tls", "TXT"), "Les défauts de chiffrement nous sont signalés (TLS-RPT)"),
        "srv-imaps": (("_imaps._tcp", "SRV"), "Les logiciels de courrier trouvent le serveur de lecture"),
        "srv-submissions": (("_submissions._tcp", "SRV"), "Les logiciels de courrier trouvent le serveur d'envoi"),
    }
    return tuple(
        Check(
            BRIQUE,
            check,
            " | ".join(wished[key].values),
            (DnsQuery(f"{key[0]}.{domain}" if key[0] else domain, key[1]),),
            lambda answers, values=wished[key].values: expect_values(answers[0], values, _where(commune)),  # type: ignore[misc]
            title=title,
        )
        for check, (key, title) in names.items()
    )


def _spf_check(commune: Commune) -> Check:
    domain = commune.domaine.nom

    def judge(answers: tuple[Answer, ...]) -> Verdict:
        def count(value: DnsAnswer) -> Verdict:
            policies = [text for text in value.values if text.lower().startswith("v=spf1")]
            if len(policies) != 1:
                found = "aucun enregistrement SPF" if not policies else f"{len(policies)} enregistrements SPF"
                return non_conforme(found, _where(commune))
            return require_answer(answers[1], review, _where(commune))

        def review(findings: SpfFindings) -> Verdict:
            shown = f"{findings.record} ({findings.lookups} requête{'s' if findings.lookups > 1 else ''})"
            if findings.error:
                return non_conforme(f"{shown} : {findings.error}", _where(commune))
            if findings.lookups > SPF_LOOKUP_LIMIT or not re.search(r"(?<!\S)-all$", findings.record.strip()):
                return non_conforme(shown, _where(commune))
            return conforme(shown)

        return require_answer(answers[0], count, _where(commune))

    return Check(
        BRIQUE,
        "spf",
        "un seul enregistrement SPF, évaluable, fermé par -all, 10 requêtes au plus",
        (DnsQuery(domain, "TXT"), SpfReview(domain)),
        judge,
        title="Les serveurs autorisés à envoyer sont publiés (SPF)",
    )


def _key_check(commune: Commune, selector: str, wished: Mapping[tuple[str, str], Record]) -> Check:
    name = f"{selector}._domainkey"
    target = wished[(name, "CNAME")].values[0]

    def judge(answers: tuple[Answer, ...]) -> Verdict:
        alias = expect_values(answers[0], (target,), _where(commune))
        if alias.remedy:
            return alias

        def published(value: DnsAnswer) -> Verdict:
            size = key_size(value.values[0])
            if size is None:
                return non_conforme("clé vide, révoquée ou illisible", _where(commune))
            return conforme(f"clé RSA de {size} bits, alias {target}")

        return require_answer(
            answers[1], published, "Relancer « packmairie deploy », qui publie les clés de signature."
        )

    owner = f"{name}.{commune.domaine.nom}"
    return Check(
        BRIQUE,
        f"dkim-{selector}",
        f"CNAME {target} menant à une clé",
        (DnsQuery(owner, "CNAME"), DnsQuery(owner, "TXT")),
        judge,
        title="Clé de signature publiée (DKIM)",
    )


def key_size(record: str) -> int | None:
    """Given a DKIM key record (RFC 6376 §3.6.1), return the size of its RSA key in bits; None when there is none."""
    found = re.search(r"\bp=([A-Za-z0-9+/=]+)", record)
    if not found:
        return None
    try:
        key = load_der_public_key(base64.b64decode(found.group(1), validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key.key_size if isinstance(key, RSAPublicKey) else None


def _policy_check(commune: Commune, pack: Pack) -> Check:
    domain = commune.domaine.nom
    server = pack.file.plateforme.host_name("mx")

    def judge(page: Page) -> Verdict:
        if page.status != 200:
            return non_conforme(f"réponse HTTP {page.status}", _where(commune))
        lines = dict(line.split(": ", 1) for line in page.body.splitlines() if ": " in line)
        shown = ", ".join(f"{key}={lines.get(key, '—')}" for key in ("mode", "mx"))
        right = lines.get("version") == "STSv1" and lines.get("mx") == server
        return (
            conforme(shown)
            if right and lines.get("mode") == pack.file.messagerie.mta_sts
            else non_conforme(shown, f"Relancer « packmairie deploy {commune.insee} ».")
        )

    return Check(
        BRIQUE,
        "mta-sts",
        f"politique {pack.file.messagerie.mta_sts} pour {server}",
        (HttpGet(f"https://mta-sts.{domain}/.well-known/mta-sts.txt"),),
        lambda answers: require_answer(answers[0], judge, _where(commune)),
        title="La réception chiffrée est exigée (MTA-STS)",
    )


def _policy_certificate_check(commune: Commune) -> Check:
    host = f"mta-sts.{commune.domaine.nom}"
    return Check(
        BRIQUE,
        "mta-sts-certificat",
        "certificat valable 14 jours de plus",
        (TlsHandshake(host, 443),),
        lambda answers: judge_certificate(
            answers[0], host, f"Vérifier que {host} mène au frontal, puis lire journalctl -u caddy."
        ),
        title="Certificat de la politique de réception",
    )


def _round_trip_check(commune: Commune, pack: Pack) -> Check:
    domain = commune.domaine.nom
    expected = "message reçu de l'extérieur, lu, réponse partie avec SPF, DKIM et DMARC acceptés"
    title = "Un message de l'extérieur arrive dans contact@, et la réponse repart"
    if pack.file.temoin is None:
        return Check(
            BRIQUE,
            "aller-retour",
            expected,
            (),
            lambda _answers: non_verifie(
                "aucune boîte témoin", "Indiquer une boîte extérieure dans pack.yml (temoin:)."
            ),
            title=title,
        )
    return Check(
        BRIQUE,
        "aller-retour",
        expected,
        (
            MailRoundTrip(
                commune.insee,
                f"{SHARED_LOCAL_PART}@{domain}",
                f"{PROBE_LOCAL_PART}@{domain}",
                f"messagerie.boites.{PROBE_LOCAL_PART}",
            ),
        ),
        lambda answers: require_answer(
            answers[0], judge_round_trip, "Lire journalctl -u postfix et -u rspamd sur la plateforme."
        ),
        title=title,
    )


def judge_round_trip(trip: RoundTrip) -> Verdict:
    """Every step done, and the three verdicts of the outside are *pass*."""
    total = f"{sum(trip.steps.values()):.1f} s"
    if trip.failed:
        done = ", ".join(trip.steps) or "aucune étape"
        return non_conforme(
            f"échec à l'étape « {trip.failed} » : {trip.reason} (fait : {done})", step_remedy(trip.failed)
        )
    verdicts = trip.authentication or {}
    shown = ", ".join(f"{method.upper()} {verdicts.get(method, 'absent')}" for method in ("spf", "dkim", "dmarc"))
    if all(verdicts.get(method) == "pass" for method in ("spf", "dkim", "dmarc")):
        return conforme(f"aller et retour en {total} ; {shown}")
    return non_conforme(
        shown,
        "Comparer les enregistrements SPF, DKIM et DMARC publiés à ceux attendus (vérifications spf, dkim, dmarc).",
    )


def step_remedy(step: str) -> str:
    """Return where to look first when a step of the round trip fails."""
    return {
        "envoi": "Vérifier la boîte témoin de pack.yml (temoin:) et son mot de passe.",
        "réception": "Lire journalctl -u postfix sur la plateforme : le message y est-il arrivé et remis ?",
        "connexion": "Vérifier Dovecot (systemctl status dovecot) ; packmairie deploy remet la sonde en état.",
        "réponse": "Vérifier le port 587 et les droits d'envoi de la sonde (/etc/postfix/communes/expediteurs).",
        "retour": "Lire journalctl -u postfix sur la plateforme : la réponse est-elle partie ?",
    }.get(step, "Lire les journaux de la plateforme.")


def platform_checks(pack: Pack) -> tuple[Check, ...]:
    """Return the checks of the mail services themselves and of the host that plays them."""
    receiving, reading = pack.file.plateforme.host_name("mx"), pack.file.plateforme.host_name("mail")
    ports = ((receiving, 25, "smtp"), (reading, 993, ""), (reading, 587, "smtp"), (reading, 465, ""))
    tls = tuple(
        Check(
            BRIQUE,
            f"tls-{port}",
            f"{host}:{port} répond avec un certificat valable 14 jours de plus",
            (TlsHandshake(host, port, starttls),),  # type: ignore[arg-type]
            lambda answers, host=host: judge_certificate(answers[0], host, CERTIFICATE_REMEDY),  # type: ignore[misc]
            title=f"{PORT_TITLES[port]} : connexion chiffrée, certificat valable",
        )
        for host, port, starttls in ports
    )
    hosts = tuple(
        check
        for name, host in sorted(pack.file.plateforme.hotes.items())
        if "messagerie" in host.groupes
        for check in (
            Check(
                BRIQUE,
                f"services-{name}",
                "Postfix, Dovecot et Rspamd actifs",
                (HostReading(name),),
                lambda answers: require_answer(answers[0], judge_services, "Vérifier l'accès SSH à l'hôte."),
                title="Les services de messagerie fonctionnent",
            ),
            Check(
                BRIQUE,
                f"disque-{name}",
                "10 % d'espace libre au moins",
                (HostReading(name),),
                lambda answers: require_answer(answers[0], judge_disks, "Vérifier l'accès SSH à l'hôte."),
                title="Il reste de la place sur les disques",
            ),
        )
    )
    return (*tls, *hosts)


def judge_services(facts: HostFacts) -> Verdict:
    """Each mail service is active, and no unit of the host has failed."""
    down = [f"{unit} {facts.units.get(unit, 'absent')}" for unit in SERVICES if facts.units.get(unit) != "active"]
    down += [f"{unit} en échec" for unit in facts.failed_units if unit not in SERVICES]
    if down:
        first = down[0].split()[0]
        return non_conforme(", ".join(down), f"Sur l'hôte : systemctl status {first}, puis systemctl restart {first}.")
    return conforme("actifs")


def judge_disks(facts: HostFacts) -> Verdict:
    """Each file system keeps a tenth of its space."""
    shown, short = [], []
    for mount, (free, total) in sorted(facts.disks.items()):
        text = f"{mount} : {free / 1e9:.1f} Go libres sur {total / 1e9:.0f}"
        shown.append(text)
        if total and free / total < DISK_FLOOR:
            short.append(text)
    if not shown:
        return non_verifie("aucun système de fichiers lu")
    if short:
        return non_conforme(
            " ; ".join(short), "Libérer de la place ou agrandir le disque avant que le courrier soit refusé."
        )
    return conforme(" ; ".join(shown))
