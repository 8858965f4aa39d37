# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie sauvegarde`: see, restore, prove, maintain and escrow the communes' backups."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.model.preuve import State, worst
from packmairie.model.problem import ExitCode
from packmairie.operations import sauvegarde_escrow as escrow_operations
from packmairie.operations.sauvegarde_drill import drill_pack, record
from packmairie.operations.sauvegarde_maintain import maintain_pack
from packmairie.operations.sauvegarde_proof import Evidence
from packmairie.operations.sauvegarde_restore import restore as restore_backup
from packmairie.operations.sauvegarde_run import run_backups
from packmairie.operations.status import status_pack
from packmairie.reports.drill_html import drill_html

app = typer.Typer(help="Sauvegarde : état, restauration, essais prouvés, entretien, séquestre.", no_args_is_help=True)
CommunesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[INSEE]...", help="Codes INSEE (défaut : toutes les communes du pack).")
]
EVIDENCE_FOLDER = Path("preuves")
SIGNS = {State.CONFORME: "✓", State.NON_CONFORME: "✗", State.NON_VERIFIE: "?"}


@app.command()
def status(communes: CommunesArgument = None, pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False) -> None:
    """Dire où en sont les sauvegardes : âge, dernière restauration prouvée, verrou, clés."""
    console = environment()
    with console.progress("Vérification des sauvegardes") as advance:
        result = status_pack(pack, communes or (), briques=("sauvegarde",), on_progress=advance)
    if as_json:
        console.json([preuve.as_dict() for preuve in result.preuves])
    else:
        for preuve in result.preuves:
            console.say(
                f"{SIGNS[preuve.state]} {preuve.commune} {preuve.check} : {preuve.state.label}, {preuve.measured}"
            )
            if preuve.remedy:
                console.say(f"    → {preuve.remedy}")
    state = worst(preuve.state for preuve in result.preuves)
    if state is not State.CONFORME:
        raise typer.Exit(int(ExitCode.NOT_CONFORM if state is State.NON_CONFORME else ExitCode.NOT_VERIFIED))


@app.command()
def run(communes: CommunesArgument = None, pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False) -> None:
    """Sauvegarder maintenant la plateforme et les postes, sans attendre l'heure."""
    console = environment()
    console.note("Sauvegarde en cours…")
    done = run_backups(pack, communes or ())
    if as_json:
        console.json([{"hote": host.host, "reussi": host.succeeded, "dit": host.said} for host in done])
    else:
        for host in done:
            console.say(f"{'✓' if host.succeeded else '✗'} {host.host} : {host.said}")
    if any(not host.succeeded for host in done):
        raise typer.Exit(int(ExitCode.FAILURE))


@app.command()
def drill(
    communes: CommunesArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="Restaurer tout, et non un échantillon tournant.")] = False,
    to: Annotated[Path, typer.Option("--to", metavar="DOSSIER", help="Où écrire les preuves.")] = EVIDENCE_FOLDER,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Restaurer pour de vrai, comparer avec les originaux, et en laisser une preuve datée."""
    console = environment()
    with console.progress("Restauration et comparaison") as advance:
        loaded, evidences = drill_pack(pack, communes or (), everything=everything, on_progress=advance)
    written = [*record(evidences, to), *drill_html(loaded, evidences, to)]
    if as_json:
        console.json([evidence.as_dict() for evidence in evidences])
    else:
        for evidence in evidences:
            console.say(evidence_line(evidence))
        for path in written:
            console.note(f"preuve : {path}")
    if not evidences or any(not evidence.prouve for evidence in evidences):
        raise typer.Exit(int(ExitCode.NOT_CONFORM))


def evidence_line(evidence: Evidence) -> str:
    """Return one evidence on a line."""
    place = f"{evidence.commune} {evidence.depot} {evidence.source}"
    if not evidence.prouve:
        more = f" ({evidence.fautes[0]})" if evidence.fautes else ""
        return f"✗ {place} : {evidence.cause}{more}"
    how = "en entier" if evidence.complet else f"tour {evidence.tour + 1}"
    return (
        f"✓ {place} : {evidence.compares} fichiers restaurés et identiques sur {evidence.fichiers} ({how}),"
        f" {evidence.octets / 1e6:.1f} Mo, sauvegarde du {evidence.pris_le}"
    )


@app.command()
def restore(  # noqa: PLR0917 - Typer gives its parameters by position
    insee: Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE de la commune.")],
    what: Annotated[
        str,
        typer.Argument(metavar="QUOI", help="Chemin absolu, adresse de courriel, ou dépôt (plateforme, poste-…)."),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DOSSIER", help="Dossier vide où restaurer.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help="Telle que c'était à cette date (défaut : la dernière).")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Restaurer un fichier, une boîte aux lettres ou un poste entier, et le comparer à ce qui avait été sauvegardé."""
    console = environment()
    done = restore_backup(pack, insee, what, to, at)
    if as_json:
        console.json(
            {
                "dossier": str(done.folder),
                "instantanes": list(done.snapshots),
                "fichiers": done.files,
                "compares": done.compared,
                "fautes": list(done.faults),
                "seau_au": done.as_of.isoformat() if done.as_of else None,
            }
        )
    else:
        same = done.compared - len(done.faults)
        console.say(f"{done.folder} : {done.files} fichiers restaurés, {same} identiques à l'original")
        for moment in done.taken:
            console.say(f"sauvegarde du {moment.astimezone():%d/%m/%Y à %H:%M}")
        for fault in done.faults[:20]:
            console.say(f"✗ {fault}")
    if done.faults:
        raise typer.Exit(int(ExitCode.NOT_CONFORM))


@app.command()
def maintain(communes: CommunesArgument = None, pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False) -> None:
    """Contrôler les dépôts, oublier ce qui est trop vieux, prolonger les verrous de ce qui sert encore."""
    console = environment()
    with console.progress("Entretien des dépôts") as advance:
        done = maintain_pack(pack, communes or (), on_progress=advance)
    if as_json:
        console.json([upkeep.as_dict() for upkeep in done])
    else:
        for upkeep in done:
            if upkeep.reussi:
                forgotten = "oubli remis (une sauvegarde est en cours)" if upkeep.remis else f"{upkeep.oublies} oubliés"
                console.say(
                    f"✓ {upkeep.commune} {upkeep.depot} : {upkeep.instantanes} instantanés, {forgotten},"
                    f" partie {upkeep.partie} relue, {upkeep.prolonges} verrous prolongés,"
                    f" {upkeep.retires} versions retirées"
                )
            else:
                console.say(f"✗ {upkeep.commune} {upkeep.depot} : {upkeep.cause}")
    if not done or any(not upkeep.reussi for upkeep in done):
        raise typer.Exit(int(ExitCode.NOT_CONFORM))


@app.command()
def escrow(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FICHIER", help="Fichier scellé (défaut : sequestre/ du pack).")
    ] = None,
    paper: Annotated[
        Path | None,
        typer.Option("--paper", metavar="FICHIER", help="Page à imprimer, en clair : l'effacer une fois imprimée."),
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Sceller ce qui ouvre les sauvegardes pour la clé hors ligne de l'opérateur, et l'imprimer si l'on veut."""
    console = environment()
    today = datetime.now().astimezone().date()
    path, count = escrow_operations.seal(pack, today, to)
    if paper is not None:
        escrow_operations.paper(pack, today, paper)
    if as_json:
        console.json({"fichier": str(path), "depots": count, "papier": str(paper) if paper else None})
        return
    console.say(f"{path} : {count} dépôts, lisible par la seule clé de secours (age --decrypt -i cle-secours.txt)")
    if paper is not None:
        console.say(f"{paper} : en clair. L'imprimer, la mettre au coffre, puis l'effacer.")
