# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives transferred to the mutualised system: where each transfer is, and what waits for too long."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from packmairie.briques.contract import Paper
from packmairie.briques.envois import certificate_check, counted, rounds_check
from packmairie.briques.envois_brique import SendingBrique
from packmairie.briques.judging import require_answer
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Check, SentItem, SpoolReading, Verdict, conforme, non_conforme

BRIQUE = "archivage"
REPLY_DAYS = 30
"""A system of archives answers in minutes; an archivist who validates by hand, in weeks."""
DEPOSIT_DAYS = 15


class Archivage(SendingBrique):
    """Transfers to the archival system, followed each hour; what is proven is that none is forgotten."""

    name = BRIQUE
    title = "Archivage électronique"
    secret_names = ("archivage.mot_de_passe", "archivage.cle_sftp")
    attached = ("schemas-officiels/seda/", "archivage/", "profils/", "cles/sae-")
    spool_title = "Versements"

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove that no transfer waits for too long, and that none was refused and left so."""
        if commune.archivage is None or not commune.deploys(BRIQUE):
            return ()
        remedy = f"packmairie archivage list {commune.insee}, puis follow."
        return (
            Check(
                BRIQUE,
                "versements",
                f"déposés sous {DEPOSIT_DAYS} jours, répondus sous {REPLY_DAYS}, aucun refus sans suite",
                (SpoolReading(BRIQUE, commune.insee),),
                lambda answers: require_answer(
                    answers[0], lambda items: judge_transfers(items, remedy), "Reprendre le journal d'une sauvegarde."
                ),
                title="Les versements aux archives aboutissent",
            ),
        )

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove that the machine's certificate at the archival system lasts."""
        sae = pack.file.sae
        found = rounds_check(BRIQUE, pack)
        if sae is not None and sae.certificat is not None:
            found += (certificate_check(BRIQUE, "certificat-sae", sae.certificat, "Certificat du système d'archivage"),)
        return found

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return what a transfer needs beside files."""
        if commune.archivage is None:
            return ()
        return (
            Paper(
                "système d'archivage désigné",
                pack.file.sae is not None,
                "Écrire la section sae de pack.yml, d'après le contrat de service d'archivage.",
            ),
        )


def judge_transfers(items: tuple[SentItem, ...], remedy: str, now: datetime | None = None) -> Verdict:
    """No transfer is late, no refusal is left without another transfer of the same files."""
    moment = now or datetime.now(UTC)
    counts: Counter[str] = Counter()
    late: list[str] = []
    contents: Counter[str] = Counter()
    for item in items:
        prepared = item.step("prepare")
        if prepared:
            contents[str(prepared[1].get("contenu"))] += 1
    for item in items:
        prepared, deposited, reply = item.step("prepare"), item.step("depose"), item.step("reponse")
        verified = item.step("verifie")
        if reply:
            granted = bool(reply[1].get("accepte"))
            counts["acceptés" if granted else "refusés"] += 1
            # The same files prepared anew are a second item with the same content.
            if not granted and (not prepared or contents[str(prepared[1].get("contenu"))] < 2):
                late.append(f"{item.name} refusé")
        elif deposited:
            counts["en attente de réponse"] += 1
            if moment - deposited[0] > timedelta(days=REPLY_DAYS):
                late.append(f"{item.name} sans réponse depuis le {deposited[0]:%d/%m/%Y}")
        elif prepared:
            counts["à déposer"] += 1
            if verified and verified[1].get("etat") == "non_conforme":
                late.append(f"{item.name} non conforme")
            elif moment - prepared[0] > timedelta(days=DEPOSIT_DAYS):
                late.append(f"{item.name} à déposer depuis le {prepared[0]:%d/%m/%Y}")
    shown = counted(dict(counts))
    return non_conforme(f"{shown} ; {', '.join(late[:3])}", remedy) if late else conforme(shown)
