# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie postes`: hand over, install, list and revoke the communes' workstations."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.inventory.atomic import write_file
from packmairie.model.problem import ExitCode, fail
from packmairie.operations.postes_bundle import write_bundles
from packmairie.operations.postes_inventory import read_machines
from packmairie.operations.postes_known_hosts import write_known_hosts
from packmairie.operations.postes_preseed import write_media
from packmairie.operations.postes_revoke import revoke as revoke_poste
from packmairie.operations.postes_sheet import write_sheet
from packmairie.reports.postes_csv import machines_csv

app = typer.Typer(help="Postes de travail : remise, installation, inventaire, révocation.", no_args_is_help=True)
InseeArgument = Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")]


@app.callback()
def postes() -> None:
    """Keep the group a group."""


@app.command()
def sheet(
    insee: InseeArgument,
    agents: Annotated[
        list[str] | None, typer.Argument(metavar="[AGENT]...", help="Identifiants (défaut : tous les agents).")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FICHIER", help="PDF à écrire (défaut : fiche-INSEE.pdf).")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Imprimer la fiche de remise : une page par agent, mots de passe dans une partie à détacher."""
    target = to or Path(f"fiche-{insee}.pdf")
    pages = write_sheet(pack, insee, target, datetime.now().astimezone().date(), tuple(agents or ()))
    console = environment()
    if as_json:
        console.json({"fichier": str(target), "pages": pages})
        return
    console.say(f"{target} : {pages} page{'s' if pages > 1 else ''}, une par agent")
    console.note("Ce fichier contient des mots de passe : l'imprimer, puis l'effacer.")


@app.command()
def preseed(  # noqa: PLR0917 - Typer gives its parameters by position
    insee: InseeArgument,
    poste: Annotated[
        str | None, typer.Argument(metavar="[POSTE]", help="Nom d'un poste (défaut : tous ceux de la commune).")
    ] = None,
    to: Annotated[Path, typer.Option("--to", metavar="DOSSIER", help="Où écrire un dossier par poste.")] = Path(
        "installation"
    ),
    iso: Annotated[
        Path | None,
        typer.Option("--iso", metavar="ISO", help="Image d'installation de Debian 13 : en faire une par poste."),
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Écrire de quoi installer un poste sans personne : disque chiffré, clés des techniciens, nom, tunnel."""
    media = write_media(pack, insee, poste, to, iso)
    console = environment()
    if as_json:
        console.json([{"poste": medium.poste, "fichiers": [str(path) for path in medium.files]} for medium in media])
        return
    for medium in media:
        for path in medium.files:
            console.say(str(path))
    console.note("Ces fichiers ouvrent le poste : les effacer, support compris, une fois l'installation faite.")


@app.command()
def bundle(
    insee: InseeArgument,
    poste: Annotated[
        str | None, typer.Argument(metavar="[POSTE]", help="Nom d'un poste (défaut : tous ceux de la commune).")
    ] = None,
    to: Annotated[Path, typer.Option("--to", metavar="DOSSIER", help="Où écrire un dossier par poste.")] = Path(
        "paquets"
    ),
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Faire le paquet signé et chiffré d'un poste en tirage ; « deploy » publie les mêmes sur la plateforme."""
    made = write_bundles(pack, insee, poste, to)
    console = environment()
    if as_json:
        console.json(
            [
                {"poste": one.poste, "sequence": one.sequence, "expire": one.expires, "dossier": str(to / one.poste)}
                for one in made
            ]
        )
        return
    for one in made:
        day = datetime.fromtimestamp(one.expires).astimezone()
        size = f"{len(one.archive) / 1000:.0f} ko"
        console.say(f"{to / one.poste} : paquet n° {one.sequence}, {size}, valable jusqu'au {day:%d/%m/%Y}")
    console.note("Sur le poste : poste-tirage --depuis DOSSIER. Sans ce poste, personne ne lit ces fichiers.")


@app.command()
def inventory(
    communes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INSEE]...", help="Codes INSEE (défaut : toutes les communes du pack)."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FICHIER", help="Écrire le tableau, pour l'annexe de la convention.")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Lister les machines : déclarées et lues, garantie, disques, chiffrement, fin de support."""
    console = environment()
    with console.progress("Lecture des postes") as advance:
        machines = [machine.as_dict() for machine in read_machines(pack, communes or (), advance)]
    if table is not None:
        try:
            write_file(table, machines_csv(machines))
        except OSError as error:
            raise fail(str(table), f"écriture impossible ({error.strerror})", "donner un autre fichier") from None
    if as_json:
        console.json(machines)
        return
    for machine in machines:
        console.say(
            f"{machine['insee']} {machine['poste']} : {machine['etat']}, {machine['modele'] or 'modèle non déclaré'},"
            f" n° {machine['numero_serie'] or 'non déclaré'}, garantie {machine['garantie']},"
            f" disques {machine['sante_disques']}, chiffrement {machine['chiffrement']},"
            f" {machine['systeme']}, support {machine['fin_de_support']}"
        )
    if table is not None:
        console.note(f"{table} : {len(machines)} postes")


@app.command()
def known_hosts(pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False) -> None:
    """Écrire les clés d'hôte des postes à tunnel, connues du coffre avant tout contact (postes.known_hosts)."""
    path, count = write_known_hosts(pack)
    console = environment()
    if as_json:
        console.json({"fichier": str(path), "postes": count})
        return
    console.say(f"{path} : {count} postes")


@app.command()
def revoke(  # noqa: PLR0917 - Typer gives its parameters by position
    insee: InseeArgument,
    poste: Annotated[str, typer.Argument(metavar="POSTE", help="Nom du poste perdu, volé ou rendu.")],
    runs: Annotated[
        Path | None, typer.Option("--runs", metavar="DOSSIER", help="Où garder la trace de l'exécution.")
    ] = None,
    deploy: Annotated[
        bool, typer.Option("--deploy/--no-deploy", help="Appliquer aussitôt à la plateforme.", show_default=True)
    ] = True,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Couper un poste perdu ou volé : tunnel, sauvegardes, courrier et fichiers de ses agents."""
    console = environment()
    with console.steps("Révocation") as step:
        done = revoke_poste(
            pack, insee, poste, datetime.now().astimezone().date(), runs=runs, deploy=deploy, on_step=step
        )
    if as_json:
        console.json(
            {
                "poste": done.poste,
                "depuis": done.since.isoformat(),
                "deja": done.already,
                "secrets": list(done.replaced),
                "agents": list(done.agents),
                "echecs": [f"{failure.host} {failure.task} : {failure.reason}" for failure in done.failures],
                "secondes": round(done.seconds, 1),
            }
        )
    else:
        console.say(f"{done.poste} : révoqué depuis le {done.since:%d/%m/%Y}, {len(done.replaced)} secrets remplacés")
        for failure in done.failures:
            console.note(f"✗ {failure.host} : {failure.task} : {failure.reason}")
        if deploy and not done.failures:
            console.say(f"La plateforme ne le connaît plus ({done.seconds:.0f} s).")
        console.note(
            f"À remettre à {', '.join(done.agents)} : packmairie postes sheet {insee}, après packmairie deploy {insee}."
        )
    if done.failures or not deploy:
        raise typer.Exit(int(ExitCode.FAILURE if done.failures else ExitCode.CHANGES))
