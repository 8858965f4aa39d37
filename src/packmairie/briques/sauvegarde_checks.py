# SPDX-License-Identifier: GPL-3.0-or-later
"""How the backups of a commune are proven: pure judges over what its bucket tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from packmairie.briques.judging import require_answer
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Answer,
    Check,
    HostFacts,
    HostReading,
    Verdict,
    conforme,
    non_conforme,
    non_verifie,
)
from packmairie.model.probes_sauvegarde import BackupFacts, BackupReading, Capabilities, StoreTrial
from packmairie.model.sauvegarde import PLATFORM_REPOSITORY, Claim, Repository

BRIQUE = "sauvegarde"
SKEW = timedelta(minutes=10)
"""Fifteen minutes apart, S3 refuses the signature; this is told before."""
REWRITTEN_SHARE, REWRITTEN_FILES = 0.5, 20
"""A mairie never changes half of its files between two backups; a few files may well be half of them."""
SIGNAL_DAYS = 7
"""How long a sudden rewrite stays in sight: until someone has had time to look."""
FREE_SHARE = 0.10
ESSENTIAL = ("versions", "verrou", "suppression cachée")
DRILL = "Lancer « packmairie sauvegarde drill {insee} »."
UPKEEP = "Lancer « packmairie sauvegarde maintain {insee} »."
REACH = "Vérifier l'hôte du stockage (check services-stockage) et la clé d'entretien du coffre."


def commune_checks(commune: Commune, pack: Pack, repositories: Sequence[Repository]) -> tuple[Check, ...]:
    """Return the checks of a commune's backups; all of them read its bucket once."""
    reading = BackupReading(
        commune.insee,
        repositories[0].bucket,
        tuple((repository.name, repository.prefix, repository.key) for repository in repositories),
    )
    policy, insee = pack.file.sauvegarde, commune.insee

    def check(name: str, title: str, expected: str, judge: Callable[[BackupFacts], Verdict]) -> Check:
        return Check(
            BRIQUE,
            name,
            expected,
            (reading,),
            lambda answers: require_answer(answers[0], judge, REACH),
            title=title,
        )

    found = [
        check(
            source_check_name(repository, source),
            f"{title} : sauvegarde récente et déjà restaurée",
            f"moins de {repository.max_age_hours} h, restauration prouvée",
            partial(judge_source, repository=repository, source=source, insee=insee),
        )
        for repository in repositories
        for source, title in repository.sources.items()
    ]
    wanted = [(repository.name, source) for repository in repositories for source in repository.sources]
    names = [repository.name for repository in repositories]
    found += [
        check(
            "restauration-prouvee",
            "Les sauvegardes ont été restaurées pour de vrai",
            f"chaque source restaurée et comparée depuis moins de {policy.essai_max_jours} jours",
            partial(judge_drills, wanted=wanted, days=policy.essai_max_jours, insee=insee),
        ),
        check(
            "depots-controles",
            "Les dépôts de sauvegarde sont contrôlés",
            f"contrôle sans erreur depuis moins de {policy.entretien_max_jours} jours",
            partial(judge_upkeep, wanted=names, days=policy.entretien_max_jours, insee=insee),
        ),
        check(
            "verrou",
            "Personne ne peut détruire les sauvegardes",
            f"une version verrouillée résiste ; rétention de {policy.retention_jours} jours",
            partial(judge_lock, days=policy.retention_jours, wished=policy.verrou, insee=insee),
        ),
        check(
            "croissance",
            "Aucune réécriture soudaine des fichiers",
            f"moins de {REWRITTEN_SHARE:.0%} des fichiers réécrits d'une fois depuis {SIGNAL_DAYS} jours",
            partial(judge_growth, wanted=wanted),
        ),
        check("cles", "Les clés de sauvegarde fonctionnent", "chaque clé lit son dépôt", judge_keys),
    ]
    return tuple(found)


def source_check_name(repository: Repository, source: str) -> str:
    """Return the name of the check of one source."""
    return source if repository.name == PLATFORM_REPOSITORY else f"{repository.name}-{source}"


def ago(duration: timedelta) -> str:
    """Return how long ago, in the unit that a reader would use."""
    seconds = duration.total_seconds()
    if seconds < 5400:
        return f"{max(0, round(seconds / 60))} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} jours"


def judge_source(facts: BackupFacts, *, repository: Repository, source: str, insee: str) -> Verdict:
    """A source has a recent, whole backup, from a host on time; it is green only once it has been restored."""
    host = "la plateforme" if repository.name == PLATFORM_REPOSITORY else repository.name
    remedy = f"Sur {host} : systemctl start packmairie-sauvegarde, puis journalctl -u packmairie-sauvegarde."
    claim = next((c for c in facts.claims if (c.repository, c.source) == (repository.name, source)), None)
    if claim is None:
        return non_conforme("jamais sauvegardé", remedy)
    age = facts.now - claim.received
    if claim.said is not None and abs(claim.received - claim.said) > SKEW:
        gap = ago(abs(claim.received - claim.said))
        return non_conforme(f"horloge de l'hôte décalée de {gap}", f"Sur {host} : remettre à l'heure (timedatectl).")
    if claim.state != "reussie":
        last = f" ; dernière réussite il y a {ago(facts.now - claim.last_success)}" if claim.last_success else ""
        word = "incomplète" if claim.state == "partielle" else "en échec"
        return non_conforme(f"sauvegarde {word} : {claim.cause or 'sans explication'}{last}", remedy)
    if age.total_seconds() > repository.max_age_hours * 3600:
        return non_conforme(f"dernière sauvegarde il y a {ago(age)}", remedy)
    if claim.files == 0:
        return non_conforme("la sauvegarde ne contient aucun fichier", remedy)
    shown = f"il y a {ago(age)}, {claim.files} fichiers, {claim.octets / 1e6:.1f} Mo".replace(".", ",")
    drill = facts.drills.get((repository.name, source))
    if not drill or not drill.get("prouve"):
        return non_verifie(f"{shown}, jamais restauré", DRILL.format(insee=insee))
    return conforme(f"{shown} ; restauré le {day(drill)}")


def day(record: Mapping[str, Any]) -> str:
    """Return the date of a record as a French reader writes it."""
    moment = when(record)
    return f"{moment:%d/%m/%Y}" if moment else "?"


def when(record: Mapping[str, Any]) -> datetime | None:
    """Return the date of a record by the store's clock, None when it has none that can be read."""
    value = record.get("recu")
    return value if isinstance(value, datetime) else None


def judge_drills(facts: BackupFacts, *, wanted: Sequence[tuple[str, str]], days: int, insee: str) -> Verdict:
    """Every source was restored lately, and came back as it was."""
    remedy = DRILL.format(insee=insee)
    missing, oldest = [], timedelta(0)
    for name, source in wanted:
        record = facts.drills.get((name, source))
        moment = when(record) if record else None
        if record is None or moment is None:
            missing.append(f"{source} ({name})")
        elif not record.get("prouve"):
            return non_conforme(f"{source} ({name}) : {record.get('cause') or 'restauration non conforme'}", remedy)
        else:
            oldest = max(oldest, facts.now - moment)
    if missing:
        return non_verifie(f"jamais restauré : {', '.join(missing)}", remedy)
    if oldest.total_seconds() > days * 86400:
        return non_conforme(f"dernière restauration prouvée il y a {ago(oldest)}", remedy)
    return conforme(f"{len(wanted)} sources, la plus ancienne il y a {ago(oldest)}")


def judge_upkeep(facts: BackupFacts, *, wanted: Sequence[str], days: int, insee: str) -> Verdict:
    """Every repository was checked lately, without error."""
    remedy = UPKEEP.format(insee=insee)
    missing, oldest = [], timedelta(0)
    for name in wanted:
        record = facts.upkeep.get(name)
        moment = when(record) if record else None
        if record is None or moment is None:
            missing.append(name)
        elif not record.get("reussi"):
            return non_conforme(f"{name} : {record.get('cause') or 'contrôle en échec'}", remedy)
        else:
            oldest = max(oldest, facts.now - moment)
    if missing:
        return non_verifie(f"jamais contrôlé : {', '.join(missing)}", remedy)
    if oldest.total_seconds() > days * 86400:
        return non_conforme(f"dernier contrôle il y a {ago(oldest)}", remedy)
    return conforme(f"sans erreur il y a {ago(oldest)}")


def judge_lock(facts: BackupFacts, *, days: int, wished: bool, insee: str) -> Verdict:
    """A locked version resisted to the strongest key, and new ones are locked for the days of the policy."""
    if not wished:
        return non_conforme(
            "verrou absent de la politique du pack : une clé volée détruit tout",
            "Choisir un stockage qui verrouille (object lock), puis sauvegarde.verrou: true.",
        )
    if facts.lock.outcome == "destroyed":
        return non_conforme(
            f"verrou sans effet : {facts.lock.detail}", "Changer de stockage : celui-ci ne tient pas ses verrous."
        )
    if not facts.versioned:
        return non_conforme("le seau ne garde pas les versions", "Lancer « packmairie deploy ».")
    if facts.default_lock < days:
        held = f"{facts.default_lock} jours" if facts.default_lock else "aucun"
        return non_conforme(f"verrou des nouveaux objets : {held}", "Lancer « packmairie deploy ».")
    if facts.lock.outcome != "refused":
        return non_verifie(facts.lock.detail or "aucun objet d'essai", UPKEEP.format(insee=insee))
    until = f" jusqu'au {facts.lock.until:%d/%m/%Y}" if facts.lock.until else ""
    return conforme(f"destruction refusée{until} ; {facts.default_lock} jours")


def judge_growth(facts: BackupFacts, *, wanted: Sequence[tuple[str, str]]) -> Verdict:
    """No backup of the last days rewrote most of the files at once, nor lost most of them: what ransomware does.

    Every source is judged: one that could not be compared leaves the whole unknown.
    """
    compared: dict[tuple[str, str], int] = {}
    for claim in facts.claims:
        signal, number = rewrite_signal(claim, facts.now)
        compared[claim.repository, claim.source] = number
        if signal:
            return non_conforme(
                f"{claim.repository}, {claim.source} : {signal}",
                "Regarder ces fichiers avant toute chose. Si c'est une attaque : isoler le poste, puis « packmairie"
                " sauvegarde restore » à une date d'avant. Sinon, l'alerte s'efface d'elle-même après sept jours.",
            )
    unknown = [f"{source} ({name})" for name, source in wanted if not compared.get((name, source))]
    if unknown:
        return non_verifie(
            f"moins de deux sauvegardes à comparer depuis {SIGNAL_DAYS} jours : {', '.join(unknown)}",
            "Attendre la prochaine sauvegarde, ou « packmairie sauvegarde run ».",
        )
    return conforme(f"{len(wanted)} sources, {sum(compared.values())} sauvegardes comparées")


def rewrite_signal(claim: Claim, now: datetime) -> tuple[str, int]:
    """Given a claim, return what looks like an attack (or an empty text), and how many of its runs were compared.

    Files that are new while as many are gone count as rewritten: encryption often renames.
    """
    runs = [run for run in claim.history if run.get("fichiers") is not None and run.get("etat") != "echec"]
    compared = 0
    for before, after in pairwise(runs):
        moment = moment_of(after.get("le"))
        if moment is None or (now - moment).total_seconds() > SIGNAL_DAYS * 86400:
            continue
        compared += 1
        held, holds = int(before["fichiers"]), int(after["fichiers"])
        replaced = max(0, int(after.get("ajoutes", 0)) - max(0, holds - held))
        rewritten = min(held, int(after.get("modifies", 0)) + replaced)
        if rewritten >= REWRITTEN_FILES and rewritten >= held * REWRITTEN_SHARE:
            return f"{rewritten} fichiers sur {held} réécrits d'un coup le {moment:%d/%m/%Y}", compared
        if held - holds >= REWRITTEN_FILES and holds <= held * (1 - REWRITTEN_SHARE):
            return f"{held - holds} fichiers sur {held} disparus d'un coup le {moment:%d/%m/%Y}", compared
    return "", compared


def moment_of(text: Any) -> datetime | None:
    """Return a date written by a host, None when it cannot be read."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def judge_keys(facts: BackupFacts) -> Verdict:
    """Every repository's key opens it."""
    broken = [f"{name} : {why}" for name, why in sorted(facts.keys.items()) if why]
    if broken:
        return non_conforme(" ; ".join(broken), "Renouveler la clé dans le coffre, puis « packmairie deploy ».")
    return conforme(f"{len(facts.keys)} clés")


def platform_checks(pack: Pack, units: Sequence[str], timer: str) -> tuple[Check, ...]:
    """Return the checks of the store, of its hosts, and of what starts the backups."""
    prefix = (pack.file.sauvegarde.prefixe or pack.file.plateforme.domaine.replace(".", "-"))[:50].rstrip("-")
    found = [
        Check(
            BRIQUE,
            "capacites-stockage",
            "versions, verrou, suppression cachée, règles d'accès, cycle de vie",
            (StoreTrial(f"{prefix}-essai"),),
            lambda answers: require_answer(answers[0], judge_abilities, REACH),
            title="Ce que le stockage des sauvegardes sait faire",
        )
    ]
    ours = pack.file.sauvegarde.endpoint is None
    for name, host in sorted(pack.file.plateforme.hotes.items()):
        if "stockage" in host.groupes and ours:
            found.append(
                _host_check(f"services-stockage-{name}", name, partial(judge_units, units=units), "stockage actif")
            )
            found.append(_host_check(f"espace-stockage-{name}", name, judge_room, f"plus de {FREE_SHARE:.0%} libres"))
        elif {"messagerie", "frontal", "partage"} & set(host.groupes):
            found.append(timer_check("sauvegarde", name, timer))
    return tuple(found)


def timer_check(work: str, host: str, timer: str) -> Check:
    """Return the check that a host's timer is active."""
    return _host_check(f"minuterie-{work}-{host}", host, partial(judge_units, units=(timer,)), "minuterie active")


def _host_check(check: str, host: str, judge: Callable[[HostFacts], Verdict], expected: str) -> Check:
    def verdict(answers: tuple[Answer, ...]) -> Verdict:
        return require_answer(answers[0], judge, "Vérifier l'accès SSH à l'hôte.")

    return Check(BRIQUE, check, expected, (HostReading(host),), verdict, title="Stockage et horaire des sauvegardes")


def judge_abilities(seen: Capabilities) -> Verdict:
    """The store does all that protects; one that lacks the essential is weak, and shown as such."""
    lacking = [name for name, able in seen.abilities.items() if not able]
    if not lacking:
        return conforme(", ".join(seen.abilities))
    told = " ; ".join(f"{name} ({seen.details.get(name, 'absent')})" for name in lacking)
    if any(name in ESSENTIAL for name in lacking):
        return non_conforme(
            f"stockage faible, sans {told}", "Choisir un stockage qui verrouille (voir docs/briques/stockage.md)."
        )
    return non_conforme(f"sans {told}", "Faire sans, en sachant ce que cela coûte (voir docs/briques/stockage.md).")


def judge_units(facts: HostFacts, *, units: Sequence[str]) -> Verdict:
    """The units are active."""
    down = [f"{unit} {facts.units.get(unit, 'absent')}" for unit in units if facts.units.get(unit) != "active"]
    if down:
        first = down[0].split()[0]
        return non_conforme(", ".join(down), f"Sur l'hôte : systemctl status {first}, journalctl -u {first}.")
    return conforme("actif")


def judge_room(facts: HostFacts) -> Verdict:
    """Every disk of the store has room left."""
    if not facts.disks:
        return non_verifie("aucun disque lu")
    tight = []
    for mount, (free, total) in sorted(facts.disks.items()):
        if total <= 0 or free / total < FREE_SHARE:
            tight.append(f"{mount} : {free / 1e9:.1f} Go libres sur {total / 1e9:.1f}".replace(".", ","))
    if tight:
        return non_conforme(" ; ".join(tight), "Agrandir le disque du stockage : plein, plus rien n'est sauvegardé.")
    least = min(free / total for free, total in facts.disks.values())
    return conforme(f"{least:.0%} libres au moins")
