# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of everything that is sent share: certificates that end, items that wait too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from packmairie.briques.envois_tenant import anybody_sends
from packmairie.briques.judging import require_answer
from packmairie.briques.partage_checks import sharing_host
from packmairie.model.pack import Pack
from packmairie.model.probe import CertificateFile, Check, Verdict, conforme, non_conforme, non_verifie
from packmairie.model.probes_envois import Rounds, RoundsReading

ROUND_HOURS = 3
CERTIFICATE_DAYS = 60
"""A machine's certificate takes weeks to renew: the request, the identity check, the platform's registration."""


def certificate_check(brique: str, name: str, path: str, title: str) -> Check:
    """Return the check that a machine's certificate lasts long enough to be renewed in time."""
    remedy = "Demander dès maintenant un nouveau certificat, et le déclarer à la plateforme."
    return Check(
        brique,
        name,
        f"certificat valable {CERTIFICATE_DAYS} jours de plus",
        (CertificateFile(path),),
        lambda answers: require_answer(answers[0], lambda end: judge_end(end, remedy), remedy),
        title=title,
    )


def judge_end(end: datetime, remedy: str, now: datetime | None = None) -> Verdict:
    """A certificate lasts two months more."""
    left = end - (now or datetime.now(UTC))
    if left <= timedelta(0):
        return non_conforme(f"certificat expiré depuis le {end:%d/%m/%Y}", remedy)
    shown = f"expire le {end:%d/%m/%Y}, dans {left.days} jours"
    return conforme(shown) if left >= timedelta(days=CERTIFICATE_DAYS) else non_conforme(shown, remedy)


def counted(words: dict[str, int]) -> str:
    """Return counts in words, those of zero left out: ``2 acceptés, 1 refusé``."""

    def agreed(word: str, count: int) -> str:
        return word.removesuffix("s") if count == 1 and word.endswith("és") else word

    return ", ".join(f"{count} {agreed(word, count)}" for word, count in words.items() if count) or "rien"


def rounds_check(brique: str, pack: Pack) -> tuple[Check, ...]:
    """Return the check that the host makes its hourly round and that it succeeds; none where it sends for nobody."""
    if not anybody_sends(brique, pack):
        return ()
    remedy = f"Sur l'hôte des fichiers : journalctl -u packmairie-{brique} ; sinon « packmairie deploy »."
    return (
        Check(
            brique,
            "ronde",
            f"faite il y a moins de {ROUND_HOURS} h, sans échec",
            (RoundsReading(brique, sharing_host(pack)),),
            lambda answers: require_answer(answers[0], lambda rounds: judge_rounds(rounds, remedy), remedy),
            title="Ce qui est envoyé est suivi chaque heure",
        ),
    )


def judge_rounds(
    rounds: Rounds, remedy: str, now: datetime | None = None, *, hours: int = ROUND_HOURS, word: str = "ronde"
) -> Verdict:
    """The last round is recent, the next one is awaited, and no commune's failed."""
    if not rounds.timer:
        return non_conforme(f"la {word} n'est pas programmée", remedy)
    if rounds.ended is None:
        return non_verifie(f"aucune {word} encore", remedy)
    shown = f"{word} du {rounds.ended.astimezone():%d/%m/%Y à %H:%M}"
    wrong = rounds.failures or rounds.doubts
    if wrong:
        told = " ; ".join(f"{place} : {reason}" for place, reason in list(wrong.items())[:3])
        said = f"{shown}, {len(wrong)} en échec : {told}"
        return non_conforme(said, remedy) if rounds.failures else non_verifie(said, remedy)
    late = (now or datetime.now(UTC)) - rounds.ended > timedelta(hours=hours)
    return non_conforme(shown, remedy) if late else conforme(shown)
