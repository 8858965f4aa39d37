# SPDX-License-Identifier: GPL-3.0-or-later
"""``postes sheet``: what is handed over with a workstation, on one page of paper for each agent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from packmairie.briques.postes import disk_secret, mailbox_secret, session_secret
from packmairie.briques.postes_services import files_url, has_mail, services_of
from packmairie.briques.sauvegarde_repositories import has_store
from packmairie.formats.pdf import to_pdf
from packmairie.inventory.atomic import write_file
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.commune import SHARED_LOCAL_PART, Agent, Commune
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste
from packmairie.model.problem import fail
from packmairie.operations.inventory import commune_of
from packmairie.reports.poste_sheet import SheetPage, ShownPoste, ShownSecret, ShownService, sheet_html
from packmairie.site_mairie.wording import of_name

MONTHS = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()  # noqa: SIM905
)


def write_sheet(folder: Path, insee: str, to: Path, today: date, agents: tuple[str, ...] = ()) -> int:
    """Given a pack, a commune's code and a PDF to write (mode 0600), write one page for each agent; return how many.

    ``agents`` keeps to these. Raise PackmairieError when the commune has no workstation, or no secret yet.
    """
    pack = load_pack(folder)
    commune = commune_of(pack, insee)
    pages = sheet_pages(commune, pack, Vault(folder).read(insee), today, agents)
    content = to_pdf(sheet_html(pages), pages=len(pages))
    try:
        write_file(to, content, mode=0o600)
    except OSError as error:
        raise fail(str(to), f"écriture impossible ({error.strerror})", "donner un autre fichier avec --to") from None
    return len(pages)


def sheet_pages(
    commune: Commune, pack: Pack, secrets: Mapping[str, Any], today: date, agents: tuple[str, ...] = ()
) -> list[SheetPage]:
    """Return the pages of a commune's agents who have a workstation; none of them says another's password."""
    place = f"commune {commune.insee}"
    standing = [poste for poste in commune.postes if poste.revoque_le is None]
    if not standing:
        raise fail(place, "n'a aucun poste en service", "décrire ses postes dans son fichier (postes:)")
    unknown = [login for login in agents if login not in {agent.identifiant for agent in commune.agents}]
    if unknown:
        raise fail(place, f"« {unknown[0]} » n'est pas un agent", "voir agents: dans son fichier")
    pages = []
    for agent in commune.agents:
        postes = [poste for poste in standing if agent in commune.users_of(poste)]
        if postes and (not agents or agent.identifiant in agents):
            pages.append(_page(commune, pack, today, agent, postes, secrets=secrets))
    if not pages:
        raise fail(place, "aucun de ces agents n'a de poste", "voir postes: dans son fichier")
    return pages


def _page(
    commune: Commune, pack: Pack, today: date, agent: Agent, postes: list[Poste], *, secrets: Mapping[str, Any]
) -> SheetPage:
    operator, domain = pack.file.operateur, commune.domaine.nom
    address = f"{agent.identifiant}@{domain}"
    services = [ShownService(service.title, _bare(service.url)) for service in services_of(commune, pack)]
    if has_mail(commune):
        services.insert(0, ShownService("Adresse de la mairie", f"{SHARED_LOCAL_PART}@{domain}"))
        services.insert(0, ShownService("Votre adresse", address))
    return SheetPage(
        commune.nom,
        f"mairie {of_name(commune.nom)}",
        commune.insee,
        agent.nom,
        in_french(today),
        operator.nom,
        operator.telephone or "",
        operator.courriel,
        pack.file.postes.assistance or "",
        tuple(ShownPoste(poste.nom, described(poste)) for poste in postes),
        tuple(services),
        _first_steps(commune, pack, agent),
        _every_day(pack),
        tuple(_secrets(commune, secrets, agent, postes)),
    )


def _first_steps(commune: Commune, pack: Pack, agent: Agent) -> tuple[str, ...]:
    steps = [
        "Allumez le poste et tapez les six mots de « Disque ».",
        f"Choisissez « {agent.nom} » et tapez les mots de « Session ».",
    ]
    if has_mail(commune):
        steps.append("Ouvrez Thunderbird : il demande une fois le mot de passe « Courrier », puis le retient.")
    if files_url(commune, pack):
        steps.append("Les dossiers de la mairie sont dans « Fichiers de la mairie », sur le bureau.")
    steps.append("Dans Firefox, la barre de marque-pages mène à tout le reste.")
    return tuple(steps)


def _every_day(pack: Pack) -> tuple[str, ...]:
    lock = pack.file.postes.verrouillage_minutes
    hours = pack.file.sauvegarde.heures
    lines = [
        f"En partant, verrouillez : Ctrl + Alt + L. Le poste le fait seul après {lock} minutes.",
        "Éteignez-le le soir ; les mises à jour se font toutes seules.",
    ]
    if has_store(pack):
        often = {1: "une fois", 2: "deux fois", 3: "trois fois"}.get(len(hours), f"{len(hours)} fois")
        lines.append(f"Vos dossiers personnels sont sauvegardés {often} par jour : rien à faire.")
    return (*lines, "Une clé USB trouvée ne se branche pas.")


def _secrets(commune: Commune, secrets: Mapping[str, Any], agent: Agent, postes: list[Poste]) -> list[ShownSecret]:
    wished = [(f"Disque de {poste.nom}", disk_secret(poste), "à chaque allumage") for poste in postes]
    wished.append(("Session", session_secret(agent.identifiant), "à l'ouverture, et quand l'écran est verrouillé"))
    mailbox = mailbox_secret(agent.identifiant, commune)
    if mailbox:
        wished.append(
            ("Courrier et fichiers", mailbox, f"avec votre adresse {agent.identifiant}@{commune.domaine.nom}")
        )
    found = []
    for title, name, note in wished:
        kept = secrets.get(name)
        if kept is None:
            raise fail(
                f"secrets/{commune.insee}.yml",
                f"secret absent : {name}",
                "le générer avec « packmairie inventory secrets »",
            )
        value = kept["mot_de_passe"] if isinstance(kept, dict) else kept
        found.append(ShownSecret(title, str(value), note))
    return found


def described(poste: Poste) -> str:
    """Return what is known of the machine, in words."""
    parts = [poste.modele or "modèle non renseigné"]
    if poste.numero_serie:
        parts.append(f"n° de série {poste.numero_serie}")
    if poste.garantie:
        parts.append(f"garanti jusqu'au {in_french(poste.garantie)}")
    return ", ".join(parts)


def in_french(day: date) -> str:
    """Return a date as it is written on paper."""
    return f"{'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1]} {day.year}"


def _bare(url: str) -> str:
    return url.removeprefix("https://").rstrip("/")
