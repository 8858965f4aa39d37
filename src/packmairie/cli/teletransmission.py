# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie teletransmission`: acts prepared, deposited for their agent to confirm, followed to the end."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.archivage import InseeArgument
from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.cli.envois import content_of, here_only, make_round, relayed
from packmairie.cli.findings import SchemasOption, as_data, end, show
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import ExitCode, fail
from packmairie.operations import teletransmission as operations
from packmairie.operations import teletransmission_depot as depot
from packmairie.operations.envois import states
from packmairie.operations.envois_places import spool_host, spool_of

app = typer.Typer(
    help="Télétransmission : préparer un acte, le déposer chez S²LOW, suivre son acquittement.", no_args_is_help=True
)
ActArgument = Annotated[str, typer.Argument(metavar="ACTE", help="Identifiant donné par « prepare ».")]


@app.command()
def prepare(
    insee: InseeArgument,
    source: Annotated[
        Path,
        typer.Option(
            "--from", metavar="DOSSIER", help="Dossier de l'acte (a-transmettre/…) : acte.yml et ses fichiers."
        ),
    ],
    schemas: SchemasOption = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Vérifier un acte et le mettre en attente de dépôt. Rien n'est envoyé."""
    relayed(pack, ["teletransmission", "prepare", insee, "--from", str(source)], as_json=as_json)
    done = operations.prepare(pack, insee, source, datetime.now().astimezone().date(), schemas)
    console = environment()
    if as_json:
        console.json({"transfer": done.transfer, "already": done.already, **as_data(done.report)})
    else:
        again = " (déjà préparé)" if done.already else ""
        what = f"acte {done.transfer}{again}" if done.transfer else f"acte {done.act.number}, qui reste ici"
        show(console, str(source / operations.ACT_FILE), done.report, what)
    end(done.report)


@app.command()
def classification(
    insee: InseeArgument,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FICHIER", help="Classification reçue autrement (XML).")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Demander à S²LOW la classification de la préfecture, la garder et la montrer."""
    relayed(pack, ["teletransmission", "classification", insee], file=file, as_json=as_json)
    found, newer = depot.fetch_classification(pack, insee, None if file is None else content_of(file))
    console = environment()
    if as_json:
        natures = {str(code): {"label": item.label, "types": item.types} for code, item in found.natures.items()}
        console.json({"date": found.day.isoformat(), "newer": newer, "natures": natures, "matieres": found.matieres})
        return
    console.say(f"Classification du {found.day:%d/%m/%Y}{' (nouvelle)' if newer else ' (inchangée)'}")
    for number, item in sorted(found.natures.items()):
        console.say(f"  nature {number}  {item.label} : {', '.join(sorted(item.types))}")
    for code, label in found.matieres.items():
        console.say(f"  matière {code}  {label}")


@app.command()
def deposit(  # noqa: PLR0917 - Typer gives its parameters by position
    insee: InseeArgument,
    transfer: ActArgument,
    resend: Annotated[
        bool, typer.Option("--resend", help="Après un dépôt interrompu : S²LOW confirme n'avoir rien reçu.")
    ] = False,
    transaction: Annotated[
        str | None,
        typer.Option("--transaction", metavar="NUMÉRO", help="S²LOW l'a déjà sous ce numéro : comparer et reprendre."),
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Déposer un acte chez S²LOW, une seule fois, où il attend la confirmation de l'agent."""
    words = ["teletransmission", "deposit", insee, transfer, *(["--resend"] if resend else [])]
    relayed(pack, [*words, *(["--transaction", transaction] if transaction else [])], as_json=as_json)
    done = depot.deposit(pack, insee, transfer, resend=resend, transaction=transaction)
    console = environment()
    if as_json:
        console.json({"transfer": transfer, "transaction": done.transaction, "now": done.now})
        return
    console.say(f"{transfer} : {'déposé' if done.now else 'déjà déposé'}, transaction {done.transaction}")
    console.say(
        "L'agent le confirme dans S²LOW avec son certificat, puis : packmairie teletransmission follow " + insee
    )


@app.command()
def follow(
    insee: Annotated[str | None, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Toutes les communes : la ronde que l'hôte des fichiers fait chaque heure.")
    ] = False,
    content: Annotated[
        Path | None,
        typer.Option("--content", metavar="DOSSIER", help="Contenu du site (défaut : contenu/INSEE du pack)."),
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Suivre les actes déposés : garder l'acquittement, préparer l'archivage, publier."""
    if (insee is None) != everyone:
        raise fail("packmairie teletransmission follow", "un code INSEE ou --all, l'un des deux", "en donner un seul")
    if insee is None:
        make_round(pack, operations.BRIQUE)
        return
    here_only(spool_host(load_pack(pack)), "--content", content)
    relayed(pack, ["teletransmission", "follow", insee], as_json=as_json)
    found = depot.follow(pack, insee, datetime.now().astimezone(), content)
    console = environment()
    if as_json:
        console.json(
            [
                {"transfer": item.transfer, "label": item.label, "done": item.done, "notes": list(item.notes)}
                for item in found
            ]
        )
    else:
        for item in found:
            console.say(f"{item.transfer} : {item.label}")
            for note in item.notes:
                console.note(f"  {note}")
        if not found:
            console.say("Rien de nouveau.")
    if any(item.refused for item in found):
        raise typer.Exit(int(ExitCode.NOT_CONFORM))


@app.command("list")
def list_acts(insee: InseeArgument, pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False) -> None:
    """Montrer les actes d'une commune et l'étape de chacun."""
    operations.transmitting(load_pack(pack), insee)
    relayed(pack, ["teletransmission", "list", insee], as_json=as_json)
    found = [item for item in states(spool_of(pack, operations.BRIQUE, insee)) if item.transfer != operations.FETCHED]
    console = environment()
    if as_json:
        console.json([{"transfer": item.transfer, "step": item.step, "at": item.at} for item in found])
        return
    for item in found:
        console.say(f"{item.transfer}  {item.step}  {item.at}")
    if not found:
        console.say("Aucun acte.")
