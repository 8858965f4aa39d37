# SPDX-License-Identifier: GPL-3.0-or-later
"""How the reporting channel is proven, in counts alone: channel, cell, oldest report, clocks, notice on the site."""

from __future__ import annotations

from packmairie.briques.judging import require_answer
from packmairie.briques.portail import SSH_REMEDY
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Check, HttpGet, Page, Verdict, conforme, non_conforme
from packmairie.model.probes_portail import CellFacts, PortalFacts, PortalReading

BRIQUE = "signalement"
LEAST_MEMBERS = 2
"""One alone falls ill, goes on leave, or is the one accused."""
UNREAD_DAYS = 14
"""Ten working days, the internal aim for a first examination (portail, regles/delais.py), in days of the calendar."""
NOTICE_PATH = "/demarches/"
VERDICTS = {
    "sans_deport": "aucune cellule de déport",
    "non_adherent": "adhésion terminée ou pas encore commencée",
    "indisponible": "aucun membre confirmé : la cellule ne peut rien recevoir",
}


def commune_checks(commune: Commune, address: str, host: str, pack: Pack) -> tuple[Check, ...]:
    """Return the checks of a commune: of its channel when ``host`` serves it, of its notice when it has an address."""
    insee = commune.insee
    checks = []
    if host:
        reading = (PortalReading(host),)
        checks += [
            Check(
                BRIQUE,
                "canal",
                "un signalement d'un agent de cette commune serait reçu",
                reading,
                lambda answers: require_answer(answers[0], lambda facts: judge_channel(facts, insee), SSH_REMEDY),
                title="Le dispositif de signalement reçoit pour cette commune",
            ),
            Check(
                BRIQUE,
                "cellule",
                f"au moins {LEAST_MEMBERS} membres actifs",
                reading,
                lambda answers: require_answer(answers[0], lambda facts: judge_cell(facts, insee), SSH_REMEDY),
                title="Sa cellule compte assez de membres",
            ),
        ]
    if address and commune.deploys("presence"):
        url = f"https://www.{commune.domaine.nom}{NOTICE_PATH}"
        checks.append(
            Check(
                BRIQUE,
                "information",
                f"le site de la commune mène à {address}",
                (HttpGet(url),),
                lambda answers: require_answer(
                    answers[0], lambda page: judge_notice(page, address, insee), f"packmairie deploy {insee}"
                ),
                title="Les agents sont informés du dispositif",
            )
        )
    return tuple(checks)


def platform_checks(host: str) -> tuple[Check, ...]:
    """Return the checks of the cells, in counts and never in content."""
    reading = (PortalReading(host),)
    return (
        Check(
            BRIQUE,
            "non-accuses",
            f"aucun sans accusé de réception, aucun à examiner depuis plus de {UNREAD_DAYS} jours",
            reading,
            lambda answers: require_answer(answers[0], judge_oldest, SSH_REMEDY),
            title="Âge du plus ancien signalement en attente",
        ),
        Check(
            BRIQUE,
            "echeances",
            "aucune échéance dépassée",
            reading,
            lambda answers: require_answer(answers[0], judge_clocks, SSH_REMEDY),
            title="Échéances des signalements",
        ),
        Check(
            BRIQUE,
            "journal",
            "chaîne intacte",
            reading,
            lambda answers: require_answer(answers[0], judge_log, SSH_REMEDY),
            title="Journal des cellules",
        ),
    )


def judge_channel(facts: PortalFacts, insee: str) -> Verdict:
    """A report of this commune would be sealed to somebody today."""
    verdict, cell = facts.communes.get(insee, ("", ""))
    if not verdict:
        return non_conforme("la commune n'a pas d'adhésion", "portail-gerer adhesions_importer, sur l'hôte du portail.")
    if verdict != "ordinaire":
        return non_conforme(VERDICTS.get(verdict, verdict), "Demander au Centre de gestion de compléter la cellule.")
    return conforme(f"reçu par « {cell} »")


def judge_cell(facts: PortalFacts, insee: str) -> Verdict:
    """The commune's cell has two active members, one of whom may open identities."""
    cell = facts.cell_of(insee)
    if cell is None:
        return non_conforme("aucune cellule", "portail-gerer cellule_creer, puis adhesions_importer.")
    shown = f"« {cell.name} » : {cell.members} membre(s) actif(s), dont {cell.custodians} garant(s)"
    if cell.members < LEAST_MEMBERS or not cell.custodians:
        return non_conforme(shown, "Un garant invite et confirme un membre (page « Équipe » de la cellule).")
    return conforme(shown)


def judge_oldest(facts: PortalFacts) -> Verdict:
    """No report is without its receipt, and none has waited for long to be examined."""
    silent = max((cell.unacknowledged_days for cell in facts.cells), default=0)
    waiting = max((cell.unread_days for cell in facts.cells), default=0)
    count = sum(cell.unacknowledged for cell in facts.cells)
    shown = f"{count} sans accusé, {_sum(facts.cells, 'unread')} à examiner, le plus ancien depuis {waiting} j"
    if count:
        return non_conforme(f"{shown} (sans accusé depuis {silent} j)", "Prévenir la cellule, par téléphone.")
    return non_conforme(shown, "Prévenir la cellule.") if waiting > UNREAD_DAYS else conforme(shown)


def judge_clocks(facts: PortalFacts) -> Verdict:
    """No clock, of the law or of the cell's own aims, has run over."""
    legal, late = _sum(facts.cells, "late_legal"), _sum(facts.cells, "late")
    shown = f"{legal} échéance(s) légale(s) et {late - legal} objectif(s) interne(s) dépassés"
    return (
        non_conforme(shown, "Prévenir les garants : la file de la cellule montre lesquelles.")
        if late
        else conforme(shown)
    )


def judge_log(facts: PortalFacts) -> Verdict:
    """Nobody has changed the log of a cell behind its back."""
    broken = [cell.name for cell in facts.cells if not cell.sound]
    if broken:
        return non_conforme(
            "chaîne rompue : " + ", ".join(broken),
            "Garder l'hôte en l'état et prévenir les garants : page « Journal ».",
        )
    return conforme(f"{len(facts.cells)} journal(aux) vérifié(s)")


def judge_notice(page: Page, address: str, insee: str) -> Verdict:
    """The commune's page of démarches leads to its channel."""
    if page.status == 200 and f'href="{address}"' in page.body:
        return conforme(f"annoncé sur {NOTICE_PATH}")
    return non_conforme(f"rien sur {NOTICE_PATH} (réponse {page.status})", f"packmairie deploy {insee}")


def _sum(cells: tuple[CellFacts, ...], name: str) -> int:
    return sum(getattr(cell, name) for cell in cells)
