# SPDX-License-Identifier: GPL-3.0-or-later
"""How the file spaces are proven: a file that goes and comes back, links that end, room, deposits that are scanned."""

from __future__ import annotations

from packmairie.briques.judging import judge_certificate, require_answer
from packmairie.briques.partage_tenant import host_of
from packmairie.model.commune import PROBE_LOCAL_PART, Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Answer,
    Check,
    HostFacts,
    HostReading,
    HttpGet,
    Page,
    TlsHandshake,
    Verdict,
    conforme,
    non_conforme,
    non_verifie,
)
from packmairie.model.probes_partage import FileRoundTrip, FilesHostFacts, FilesHostReading, FileTrip

BRIQUE = "partage"
PARTAGE_SERVICES = (
    "packmairie-antivirus.service",
    "packmairie-partage-depots.path",
    "packmairie-partage-depots.timer",
    "packmairie-partage-menage.timer",
)
SIGNATURE_DAYS = 3
"""The official signatures come each day; three days without any is a fault."""
HELD_SECONDS = 900
FREE_SHARE = 0.10
QUOTA_SHARE = 0.90
SSH_REMEDY = "Vérifier l'accès SSH à l'hôte des fichiers."


def sharing_host(pack: Pack) -> str:
    """Return the short name of the host that plays the group ``partage``."""
    return next(name for name, host in pack.file.plateforme.hotes.items() if "partage" in host.groupes)


def commune_checks(commune: Commune, pack: Pack) -> tuple[Check, ...]:
    """Return the checks of a commune's file space."""
    host, insee = host_of(commune), commune.insee
    remedy = f"Relancer « packmairie deploy {insee} ». Lire journalctl -u 'packmairie-partage@*' sur l'hôte."
    trip = FileRoundTrip(
        f"https://{host}/{insee}/sonde/",
        insee,
        f"{PROBE_LOCAL_PART}@{commune.domaine.nom}",
        f"messagerie.boites.{PROBE_LOCAL_PART}",
    )
    links = (HttpGet(f"https://{host}/p/{insee}-sonde-valable/"), HttpGet(f"https://{host}/p/{insee}-sonde-perime/"))
    reading = (FilesHostReading(sharing_host(pack)),)
    return (
        Check(
            BRIQUE,
            "fichiers-certificat",
            "certificat valable 14 jours de plus",
            (TlsHandshake(host, 443),),
            lambda answers: judge_certificate(answers[0], host, remedy),
            title="Certificat de l'espace de fichiers",
        ),
        Check(
            BRIQUE,
            "fichiers-aller-retour",
            "un fichier déposé par WebDAV est relu à l'identique, puis supprimé",
            (trip,),
            lambda answers: require_answer(answers[0], lambda found: judge_trip(found, remedy), remedy),
            title="L'espace de fichiers enregistre et rend les fichiers",
        ),
        Check(
            BRIQUE,
            "lien-perime",
            "un lien échu refuse, un lien valable répond",
            links,
            lambda answers: judge_links(answers, remedy),
            title="Les liens donnés à l'extérieur prennent fin",
        ),
        Check(
            BRIQUE,
            "quota",
            f"moins de {QUOTA_SHARE:.0%} du quota utilisé".replace("%", " %"),
            reading,
            lambda answers: require_answer(answers[0], lambda facts: judge_quota(facts, insee), SSH_REMEDY),
            title="Il reste de la place dans l'espace de fichiers",
        ),
    )


def platform_checks(pack: Pack) -> tuple[Check, ...]:
    """Return the checks of the host of the file spaces."""
    name = sharing_host(pack)
    reading = (FilesHostReading(name),)
    stand_in = pack.file.partage.signatures == "laboratoire"
    return (
        Check(
            BRIQUE,
            "partage-services",
            "services actifs",
            (HostReading(name),),
            lambda answers: require_answer(answers[0], judge_services, SSH_REMEDY),
            title="Services de l'espace de fichiers",
        ),
        Check(
            BRIQUE,
            "partage-disque",
            f"au moins {FREE_SHARE:.0%} libres sur le volume des fichiers".replace("%", " %"),
            reading,
            lambda answers: require_answer(answers[0], judge_disk, SSH_REMEDY),
            title="Disque de l'espace de fichiers",
        ),
        Check(
            BRIQUE,
            "depots",
            f"aucun dépôt n'attend l'antivirus depuis plus de {HELD_SECONDS // 60} minutes",
            reading,
            lambda answers: require_answer(answers[0], judge_deposits, SSH_REMEDY),
            title="Les dépôts de l'extérieur sont examinés",
        ),
        Check(
            BRIQUE,
            "signatures",
            "signatures de laboratoire (EICAR)" if stand_in else f"signatures de {SIGNATURE_DAYS} jours au plus",
            reading,
            lambda answers: require_answer(answers[0], lambda facts: judge_signatures(facts, stand_in), SSH_REMEDY),
            title="L'antivirus est à jour",
        ),
    )


def judge_trip(trip: FileTrip, remedy: str) -> Verdict:
    """Every step of a file's round trip succeeded."""
    shown = ", ".join(f"{step} {seconds:.1f} s".replace(".", ",") for step, seconds in trip.steps.items())
    if trip.failed:
        return non_conforme(f"{trip.failed} : {trip.reason}" + (f" (après {shown})" if shown else ""), remedy)
    return conforme(shown)


def judge_links(answers: tuple[Answer, ...], remedy: str) -> Verdict:
    """The link that lasts answers, hence the refusal of the one that ended means something."""

    def judge(lasting: Page) -> Verdict:
        if lasting.status != 200:
            return non_conforme(f"le lien valable répond {lasting.status}", remedy)

        def ended(page: Page) -> Verdict:
            if page.status in (401, 403, 404) and "temoin.txt" not in page.body:
                return conforme(f"lien échu : {page.status} ; lien valable : 200")
            return non_conforme(f"le lien échu répond {page.status}", remedy)

        return require_answer(answers[1], ended, remedy)

    return require_answer(answers[0], judge, remedy)


def judge_quota(facts: FilesHostFacts, insee: str) -> Verdict:
    """A commune has room left."""
    space = facts.spaces.get(insee)
    if space is None:
        return non_conforme("la commune n'est pas sur l'hôte des fichiers", f"packmairie deploy {insee}")
    shown = f"{_mo(space.used)} sur {_mo(space.quota)}, corbeille {_mo(space.bin)}"
    if space.used > space.quota * QUOTA_SHARE:
        return non_conforme(shown, "Faire du tri avec la commune, ou augmenter partage.quota_mo.")
    if space.used + space.bin > space.quota * 2 * QUOTA_SHARE:
        return non_conforme(shown, "La corbeille est presque pleine : attendre qu'elle se vide, ou augmenter le quota.")
    return conforme(shown)


def judge_services(facts: HostFacts) -> Verdict:
    """The antivirus and the timers run, and no process of the file spaces has failed."""
    down = [
        f"{unit} {facts.units.get(unit, 'absent')}" for unit in PARTAGE_SERVICES if facts.units.get(unit) != "active"
    ]
    down += [f"{unit} en échec" for unit in facts.failed_units if unit.startswith("packmairie-partage")]
    if down:
        return non_conforme(", ".join(down), "Lire journalctl -u UNITÉ sur l'hôte des fichiers.")
    return conforme(f"{len(PARTAGE_SERVICES)} services actifs")


def judge_disk(facts: FilesHostFacts) -> Verdict:
    """The volume of the files has room."""
    share = facts.free / facts.total if facts.total else 0.0
    shown = f"{facts.free / 1e9:.0f} Go libres sur {facts.total / 1e9:.0f}"
    if share < FREE_SHARE:
        return non_conforme(shown, "Agrandir le volume de /srv/partage.")
    return conforme(shown)


def judge_deposits(facts: FilesHostFacts) -> Verdict:
    """No deposit waits for long: while the antivirus is silent, nothing that was deposited is visible."""
    shown = f"{facts.held} en attente, {facts.quarantined} en quarantaine"
    if facts.held and facts.held_seconds > HELD_SECONDS:
        return non_conforme(
            f"{shown}, le plus ancien depuis {facts.held_seconds / 60:.0f} min",
            "Lire journalctl -u packmairie-antivirus -u packmairie-partage-depots sur l'hôte des fichiers.",
        )
    return conforme(shown)


def judge_signatures(facts: FilesHostFacts, stand_in: bool) -> Verdict:
    """The signatures are recent; those of the laboratory are admitted only where the pack says so."""
    remedy = "Lire journalctl -u clamav-freshclam sur l'hôte des fichiers."
    if facts.signature_days is None:
        if facts.stand_in and stand_in:
            return conforme("signatures de laboratoire : seul le fichier d'essai EICAR est reconnu")
        return non_conforme("aucune signature officielle", remedy)
    shown = f"signatures de {facts.signature_days:.0f} jours"
    if facts.signature_days < 0:
        return non_verifie(f"{shown} : l'horloge de l'hôte est fausse", "Vérifier l'heure de l'hôte.")
    return conforme(shown) if facts.signature_days <= SIGNATURE_DAYS else non_conforme(shown, remedy)


def _mo(octets: int) -> str:
    return f"{octets / 1e6:.0f} Mo"
