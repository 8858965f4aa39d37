# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts sent to the control of legality through the transmission operator: where each is, and what waits."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from packmairie.briques.contract import Paper
from packmairie.briques.envois import certificate_check, counted, rounds_check
from packmairie.briques.envois_brique import SendingBrique
from packmairie.briques.judging import require_answer
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Check, SentItem, SpoolReading, Verdict, conforme, non_conforme, non_verifie

BRIQUE = "teletransmission"
WAIT_DAYS = 5
"""Acts are sent to the State within fifteen days at most (CGCT L2131-1); a third of it is left to the agent."""
FRESH_DAYS = 30


class Teletransmission(SendingBrique):
    """Acts deposited for their agent to confirm; what is proven is that none is forgotten on the way."""

    name = BRIQUE
    title = "Télétransmission des actes"
    secret_names = ("teletransmission.mot_de_passe",)
    attached = ("schemas-officiels/actes/", "cles/tdt-")
    spool_title = "Actes transmis"

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove that no act waits for too long, that none was refused, and that the classification is fresh."""
        if commune.teletransmission is None or not commune.deploys(BRIQUE):
            return ()
        reading = (SpoolReading(BRIQUE, commune.insee),)
        remedy = f"packmairie teletransmission follow {commune.insee}, puis list."
        lost = "Reprendre le journal d'une sauvegarde."
        return (
            Check(
                BRIQUE,
                "actes",
                f"confirmés et acquittés sous {WAIT_DAYS} jours, aucun en erreur",
                reading,
                lambda answers: require_answer(answers[0], lambda items: judge_acts(items, remedy), lost),
                title="Les actes transmis sont acquittés",
            ),
            Check(
                BRIQUE,
                "classification",
                f"demandée il y a moins de {FRESH_DAYS} jours",
                reading,
                lambda answers: require_answer(
                    answers[0], lambda items: judge_classification(items, commune.insee), lost
                ),
                title="La classification de la préfecture est à jour",
            ),
        )

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove that the machine's certificate at the operator lasts."""
        tdt = pack.file.tdt
        found = rounds_check(BRIQUE, pack)
        if tdt is not None:
            found += (certificate_check(BRIQUE, "certificat-tdt", tdt.certificat, "Certificat de télétransmission"),)
        return found

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return what sending acts needs beside files: the convention is required by the file itself."""
        if commune.teletransmission is None:
            return ()
        return (
            Paper(
                "tiers de télétransmission désigné",
                pack.file.tdt is not None,
                "Écrire la section tdt de pack.yml, d'après le contrat avec l'opérateur.",
            ),
        )


def judge_acts(items: tuple[SentItem, ...], remedy: str, now: datetime | None = None) -> Verdict:
    """No act is late, none is in error."""
    moment = now or datetime.now(UTC)
    counts: Counter[str] = Counter()
    late: list[str] = []
    for item in items:
        prepared, deposited, status = item.step("prepare"), item.step("depose"), item.step("statut")
        if not prepared:
            continue
        refused = item.step("refuse")
        if item.step("acquitte"):
            counts["acquittés"] += 1
        elif refused:
            counts["refusés"] += 1
            late.append(f"{item.name} refusé ({str(refused[1].get('motif'))[:80]})")
        elif deposited:
            label = str(status[1].get("libelle")) if status else "déposé"
            counts["en cours"] += 1
            if moment - deposited[0] > timedelta(days=WAIT_DAYS):
                late.append(f"{item.name} : {label} depuis le {deposited[0]:%d/%m/%Y}")
        else:
            counts["à déposer"] += 1
            if moment - prepared[0] > timedelta(days=WAIT_DAYS):
                late.append(f"{item.name} à déposer depuis le {prepared[0]:%d/%m/%Y}")
    shown = counted(dict(counts))
    return non_conforme(f"{shown} ; {', '.join(late[:3])}", remedy) if late else conforme(shown)


def judge_classification(items: tuple[SentItem, ...], insee: str, now: datetime | None = None) -> Verdict:
    """The classification was asked for recently: an outdated one has acts refused (AnomalieActe 002)."""
    remedy = f"packmairie teletransmission classification {insee}"
    asked = next((found for item in items if (found := item.step("classification"))), None)
    if asked is None:
        return non_verifie("jamais demandée", remedy)
    shown = f"du {asked[1].get('date')}, demandée le {asked[0]:%d/%m/%Y}"
    recent = (now or datetime.now(UTC)) - asked[0] < timedelta(days=FRESH_DAYS)
    return conforme(shown) if recent else non_conforme(shown, remedy)
