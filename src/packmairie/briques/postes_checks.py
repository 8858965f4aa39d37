# SPDX-License-Identifier: GPL-3.0-or-later
"""How a workstation is proven: its system, its disk, its protections, its machine; one that is off is unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from packmairie.briques.judging import require_answer
from packmairie.briques.postes_tirage import pulls
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste
from packmairie.model.probe import Answer, Check, Verdict, conforme, non_conforme, non_verifie
from packmairie.model.probes_postes import PosteFacts, PosteReading, PullFacts, PullReading

BRIQUE = "postes"
UPDATE_AGE = timedelta(days=10)
"""Mairies close for a week at a time; security updates are looked up each day that the machine is on."""
WARNING = timedelta(days=90)
"""Time to order a machine, or to prepare an upgrade."""
REPORT_AGE = timedelta(hours=26)
"""A workstation that is on tells of itself every hour; one that is off for a day is not judged."""
WEAR_LIMIT = 90
REACH = "Allumer le poste et le relier au réseau, puis relancer."


def commune_checks(commune: Commune, pack: Pack) -> tuple[Check, ...]:
    """Return the checks of each workstation in service."""
    wished = [poste for poste in commune.postes if poste.revoque_le is None]
    pulled = [_pull_check(commune, poste) for poste in wished if pulls(pack, poste)]
    return (*(check for poste in wished for check in _checks(commune, poste)), *pulled)


def _pull_check(commune: Commune, poste: Poste) -> Check:
    return Check(
        BRIQUE,
        f"tirage-{poste.nom}",
        "dernier paquet publié appliqué",
        (PullReading(commune.insee, poste.nom),),
        lambda answers: require_answer(answers[0], judge_pull, REACH),
        title="Le poste applique ce qui est publié pour lui",
    )


def judge_pull(facts: PullFacts, now: datetime | None = None) -> Verdict:
    """The workstation applied the last bundle, which is not over; one that says nothing is off, hence unknown."""
    moment = now or datetime.now(UTC)
    if facts.sequence is None or facts.expires is None or facts.issued is None:
        return non_conforme("rien n'est publié pour lui", "packmairie deploy")
    if facts.expires <= moment:
        return non_conforme(f"paquet périmé depuis le {facts.expires:%d/%m/%Y}", "packmairie deploy")
    if facts.received is None:
        return non_verifie("le poste n'a encore rien dit", REACH)
    said = f"dit le {facts.received.astimezone():%d/%m/%Y à %H:%M}"
    if facts.issue in {"echec", "refus"}:
        return non_conforme(f"{facts.reason} ({said})", "Sur le poste : journalctl -u packmairie-tirage")
    if moment - facts.received > REPORT_AGE:
        return non_verifie(f"plus de nouvelles ({said})", REACH)
    if facts.applied != facts.sequence:
        if facts.received - facts.issued < REPORT_AGE:
            return non_verifie(f"publié le {facts.issued:%d/%m/%Y}, pas encore appliqué ({said})", "Attendre.")
        return non_conforme(f"le dernier paquet n'est pas appliqué ({said})", "journalctl -u packmairie-tirage")
    return conforme(f"paquet du {facts.issued.astimezone():%d/%m/%Y à %H:%M} appliqué ({said})")


def _checks(commune: Commune, poste: Poste) -> tuple[Check, ...]:
    probe = PosteReading(commune.insee, poste.nom)
    kinds = (
        ("systeme", "Debian maintenu, à jour, sans service en échec", judge_system, "Le poste est à jour"),
        ("chiffrement", "disque chiffré (LUKS)", judge_encryption, "Le disque est chiffré"),
        ("disques", "SMART sans défaut, usure sous 90 %", judge_disks, "Le disque est en bonne santé"),
        ("protections", "pare-feu, AppArmor et USBGuard actifs", judge_protections, "Le poste est protégé"),
    )
    found = [
        Check(
            BRIQUE,
            f"{name}-{poste.nom}",
            expected,
            (probe,),
            lambda answers, judge=judge: require_answer(answers[0], judge, REACH),  # type: ignore[misc]
            title=title,
        )
        for name, expected, judge, title in kinds
    ]

    def judge_machine(answers: tuple[Answer, ...]) -> Verdict:
        return machine_verdict(poste, answers[0], datetime.now(UTC).date())

    found.append(
        Check(
            BRIQUE,
            f"materiel-{poste.nom}",
            "machine déclarée, sous garantie",
            (probe,),
            judge_machine,
            title="La machine est connue et sous garantie",
        )
    )
    return tuple(found)


def judge_system(facts: PosteFacts, now: datetime | None = None) -> Verdict:
    """Debian is supported for three months more, updates are looked up and installed, nothing has failed."""
    moment = now or datetime.now(UTC)
    if facts.support is None:
        return non_verifie(f"{facts.system or 'système inconnu'} : fin de support inconnue", "packmairie deploy")
    shown = f"{facts.system}, maintenu jusqu'au {facts.support:%d/%m/%Y}"
    if facts.support - moment.date() < WARNING:
        return non_conforme(shown, "Préparer le passage à la version suivante de Debian.")
    if facts.failed_units:
        unit = facts.failed_units[0]
        return non_conforme(f"{shown} ; en échec : {', '.join(facts.failed_units)}", f"systemctl status {unit}")
    if facts.security is None or facts.updated is None:
        return non_verifie(f"{shown} ; état des mises à jour inconnu", "Sur le poste : apt-get update")
    age = moment - facts.updated
    if age > UPDATE_AGE:
        return non_conforme(
            f"{shown} ; mises à jour non cherchées depuis {age.days} jours", "systemctl status apt-daily.timer"
        )
    if facts.security:
        return non_conforme(
            f"{shown} ; {facts.security} mises à jour de sécurité en attente", "Sur le poste : unattended-upgrade -v"
        )
    return conforme(f"{shown} ; à jour{', redémarrage en attente' if facts.reboot_required else ''}")


def judge_encryption(facts: PosteFacts) -> Verdict:
    """Everything goes through LUKS."""
    if facts.encrypted is None:
        return non_verifie("le disque ne dit pas s'il est chiffré", "Regarder lsblk sur le poste.")
    if facts.encrypted:
        return conforme("LUKS")
    return non_conforme("disque en clair", "Réinstaller le poste (packmairie postes preseed).")


def judge_disks(facts: PosteFacts) -> Verdict:
    """Each disk says that it is well; one that says nothing is unknown."""
    if not facts.disks:
        return non_verifie("aucun disque visible", "Regarder lsblk sur le poste.")
    shown, bad, silent = [], [], []
    for disk in facts.disks:
        text = f"{disk.name} ({disk.model or 'modèle inconnu'}, {disk.octets / 1e9:.0f} Go)"
        if disk.wear is not None:
            text += f", usure {disk.wear} %"
        shown.append(text)
        if disk.healthy is False or (disk.wear is not None and disk.wear >= WEAR_LIMIT):
            bad.append(text)
        elif disk.healthy is None:
            silent.append(disk.name)
    if bad:
        return non_conforme(" ; ".join(bad), "Sauvegarder, puis remplacer le disque.")
    if silent:
        return non_verifie(f"SMART muet : {', '.join(silent)}", "Sur le poste : smartctl -H /dev/…")
    return conforme(" ; ".join(shown))


def judge_protections(facts: PosteFacts) -> Verdict:
    """Each protection is at work."""
    down = [name for name, active in sorted(facts.protections.items()) if not active]
    if not facts.protections:
        return non_verifie("protections inconnues", REACH)
    if not down:
        return conforme(", ".join(sorted(facts.protections)))
    return non_conforme(f"sans {', '.join(down)}", "packmairie deploy, puis regarder ces services sur le poste.")


def machine_verdict(poste: Poste, answer: Answer, today: date) -> Verdict:
    """The machine is the one that the file names, and its warranty runs; the file alone tells the latter."""
    where = f"Écrire modele, numero_serie et garantie de {poste.nom} dans le fichier de la commune."
    if not (poste.modele and poste.numero_serie and poste.garantie):
        return non_verifie("machine non décrite dans le fichier de la commune", where)
    shown = f"{poste.modele}, n° {poste.numero_serie}, garantie jusqu'au {poste.garantie:%d/%m/%Y}"
    facts = getattr(answer, "value", None)
    serial = facts.serial if isinstance(facts, PosteFacts) and not facts.container else ""
    if serial and serial != poste.numero_serie:
        return non_conforme(f"{shown} ; la machine répond n° {serial}", where)
    if poste.garantie < today:
        return non_conforme(f"{shown}, terminée", "Prévoir le remplacement de la machine.")
    if poste.garantie - today < WARNING:
        return non_conforme(f"{shown}, bientôt terminée", "Prévoir le remplacement, ou prolonger la garantie.")
    return conforme(shown)
