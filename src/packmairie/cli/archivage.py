# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie archivage`: files transferred to the archival system, step by step."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.cli.envois import content_of, make_round, relayed
from packmairie.cli.findings import SchemasOption, as_data, end, show
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import ExitCode, fail
from packmairie.operations import archivage as operations
from packmairie.operations import archivage_depot as depot
from packmairie.operations.envois import states
from packmairie.operations.envois_places import spool_of

app = typer.Typer(
    help="Archivage : préparer un versement, le vérifier, le déposer, suivre la réponse, purger.", no_args_is_help=True
)
InseeArgument = Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")]
TransferArgument = Annotated[str, typer.Argument(metavar="VERSEMENT", help="Identifiant donné par « prepare ».")]


@app.command()
def prepare(  # noqa: PLR0917 - Typer gives its parameters by position
    insee: InseeArgument,
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="DOSSIER",
            help="Dossier de l'espace de fichiers : a-archiver, un sous-dossier par profil.",
        ),
    ] = Path("a-archiver"),
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="PROFIL", help="Un seul profil pour tout le dossier.")
    ] = None,
    schemas: SchemasOption = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Préparer un versement SEDA des fichiers d'un dossier, et le vérifier. Rien n'est envoyé."""
    words = ["archivage", "prepare", insee, "--from", str(source)]
    relayed(pack, [*words, *(["--profile", profile] if profile else [])], as_json=as_json)
    console = environment()
    with console.progress("Identification des formats") as progress:
        done = operations.prepare(
            pack,
            insee,
            source,
            datetime.now().astimezone(),
            profile=profile,
            schemas=schemas,
            on_progress=progress,
        )
    if as_json:
        console.json(
            {
                "transfer": done.transfer,
                "package": str(done.package),
                "files": done.files,
                "octets": done.octets,
                "aside": [asdict(item) for item in done.aside],
                "already": done.already,
                **as_data(done.report),
            }
        )
    else:
        for item in done.aside:
            console.note(f"écarté : {item.path} ({item.reason})")
        again = " (déjà préparé)" if done.already else ""
        console.say(f"{done.transfer}{again} : {done.files} fichiers, {done.octets} octets, {done.package}")
        show(console, str(done.package), done.report, "paquet SEDA")
    end(done.report)


@app.command()
def verify(  # noqa: PLR0917
    insee: Annotated[str | None, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")] = None,
    transfer: Annotated[
        str | None, typer.Argument(metavar="VERSEMENT", help="Identifiant donné par « prepare ».")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="PAQUET", help="Vérifier ce paquet SEDA, de qui que ce soit.")
    ] = None,
    rng: Annotated[Path | None, typer.Option("--rng", metavar="FICHIER", help="Profil RELAX NG, avec --file.")] = None,
    schemas: SchemasOption = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Vérifier un versement : schéma, profil, disposition, empreintes et tailles dans les deux sens."""
    if file is not None and insee is None:
        found, place = operations.verify_file(file, schemas, rng), str(file)
    elif file is None and insee is not None and transfer is not None:
        relayed(pack, ["archivage", "verify", insee, transfer], as_json=as_json)
        found, place = operations.verify(pack, insee, transfer, schemas), transfer
    else:
        raise fail("packmairie archivage verify", "INSEE et VERSEMENT, ou --file", "donner l'un ou l'autre")
    console = environment()
    if as_json:
        console.json(as_data(found))
    else:
        show(console, place, found, "paquet SEDA")
    end(found)


@app.command()
def deposit(  # noqa: PLR0917
    insee: InseeArgument,
    transfer: TransferArgument,
    trial: Annotated[bool, typer.Option("--trial", help="Essai à blanc chez Vitam : rien n'y est gardé.")] = False,
    resend: Annotated[
        bool, typer.Option("--resend", help="Après une remise interrompue : la plateforme confirme n'avoir rien reçu.")
    ] = False,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Déposer un versement vérifié au système d'archivage, une seule fois."""
    flags = [flag for flag, asked in (("--trial", trial), ("--resend", resend)) if asked]
    relayed(pack, ["archivage", "deposit", insee, transfer, *flags], as_json=as_json)
    done = depot.deposit(pack, insee, transfer, trial=trial, resend=resend)
    console = environment()
    if as_json:
        console.json({"transfer": transfer, "receipt": done.receipt, "now": done.now, "trial": done.trial})
    elif done.trial:
        console.say(f"{transfer} : essai à blanc envoyé ; relancer sans --trial quand il est accepté")
    else:
        console.say(f"{transfer} : {'déposé' if done.now else 'déjà déposé'} → packmairie archivage follow {insee}")


@app.command()
def follow(
    insee: Annotated[str | None, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Toutes les communes : la ronde que l'hôte des fichiers fait chaque heure.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FICHIER", help="Accusé ou réponse reçu autrement (courriel).")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Lire les accusés de réception et les réponses du système d'archivage."""
    if (insee is None) != everyone:
        raise fail("packmairie archivage follow", "un code INSEE ou --all, l'un des deux", "en donner un seul")
    if insee is None:
        make_round(pack, operations.BRIQUE)
        return
    relayed(pack, ["archivage", "follow", insee], file=file, as_json=as_json)
    message = None if file is None else (str(file), content_of(file))
    found = depot.follow(pack, insee, message=message)
    console = environment()
    if as_json:
        console.json(
            [
                {
                    "transfer": item.transfer,
                    "kind": item.reply.kind.value,
                    "code": item.reply.code,
                    "granted": item.reply.granted,
                    "reasons": list(item.reply.reasons),
                }
                for item in found
            ]
        )
        return
    if not found:
        console.say("Rien de nouveau.")
    for item in found:
        verdict = "accepté" if item.reply.granted else item.reply.code or "reçu"
        console.say(f"{item.transfer} : {item.reply.kind.value}, {verdict}")
        for reason in item.reply.reasons:
            console.note(f"  {reason}")
    if any(item.reply.code and not item.reply.granted and "réponse" in item.reply.kind.value for item in found):
        raise typer.Exit(int(ExitCode.NOT_CONFORM))


@app.command()
def purge(
    insee: InseeArgument,
    transfer: TransferArgument,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="VERSEMENT", help="Le même identifiant, pour confirmer.")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Effacer les originaux d'un versement accepté, chacun s'il n'a pas changé depuis."""
    words = ["archivage", "purge", insee, transfer, *(["--confirm", confirm] if confirm else [])]
    relayed(pack, words, as_json=as_json)
    done = depot.purge(pack, insee, transfer, confirm)
    console = environment()
    if as_json:
        console.json({"removed": done.removed, "left": [list(item) for item in done.left]})
        return
    console.say(f"{transfer} : {done.removed} originaux effacés")
    for path, reason in done.left:
        console.note(f"laissé : {path} ({reason})")


@app.command("list")
def list_transfers(insee: InseeArgument, pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False) -> None:
    """Montrer les versements d'une commune et l'étape de chacun."""
    operations.archiving(load_pack(pack), insee)
    relayed(pack, ["archivage", "list", insee], as_json=as_json)
    found = states(spool_of(pack, operations.BRIQUE, insee))
    console = environment()
    if as_json:
        console.json([{"transfer": item.transfer, "step": item.step, "at": item.at} for item in found])
        return
    for item in found:
        console.say(f"{item.transfer}  {item.step}  {item.at}")
    if not found:
        console.say("Aucun versement.")
