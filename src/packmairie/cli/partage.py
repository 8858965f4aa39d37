# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie partage`: links, drop boxes, bins and leavers' folders of a commune's file space."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.operations import partage as operations

app = typer.Typer(help="Partage : liens, boîtes de dépôt, corbeille.", no_args_is_help=True)

Insee = Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")]


@app.command("list")
def list_(insee: Insee, pack: PackOption = DEFAULT_PACK, as_json: JsonOption = False) -> None:
    """Lister les liens donnés à l'extérieur : ce qu'ils ouvrent, jusqu'à quand, par qui."""
    found = operations.links(pack, insee)
    console = environment()
    if as_json:
        console.json([vars(link) | {"made": _iso(link.made), "end": _iso(link.end)} for link in found])
        return
    for link in found:
        end = f"jusqu'au {link.end.astimezone():%d/%m/%Y %H:%M}" if link.end else "sans fin"
        kind = "dépôt" if link.deposits else "lecture"
        password = ", mot de passe" if link.has_password else ""
        console.say(f"{link.key}  {kind} de {link.path}, {end}{password}, par {link.owner}")
    if not found:
        console.note(f"{insee} : aucun lien")


@app.command()
def revoke(
    insee: Insee,
    key: Annotated[str, typer.Argument(metavar="CLÉ", help="Clé du lien, telle que « list » la montre.")],
    pack: PackOption = DEFAULT_PACK,
) -> None:
    """Révoquer un lien : il refuse aussitôt."""
    operations.revoke(pack, insee, key)
    environment().say(f"{key} : révoqué")


@app.command()
def depot(  # noqa: PLR0917 - Typer gives its parameters by position
    insee: Insee,
    name: Annotated[str, typer.Argument(metavar="NOM", help="Nom de la boîte, que le déposant voit.")],
    days: Annotated[int, typer.Option("--days", metavar="JOURS", min=1, help="Durée de vie du lien.")] = 14,
    size: Annotated[
        int | None, typer.Option("--size", metavar="MO", min=1, help="Ce qu'elle reçoit en tout (défaut : le pack).")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Ouvrir une boîte de dépôt et donner son lien : on y dépose sans compte, on n'y voit rien."""
    url = operations.open_box(pack, insee, name, days, size)
    console = environment()
    if as_json:
        console.json({"url": url})
    else:
        console.say(url)


@app.command()
def restore(
    insee: Insee,
    path: Annotated[
        str | None, typer.Argument(metavar="CHEMIN", help="Fichier à rendre ; sans lui : ce que garde la corbeille.")
    ] = None,
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Rendre un fichier supprimé ou remplacé, ou lister ce que garde la corbeille."""
    console = environment()
    if path is not None:
        place = operations.restore(pack, insee, path)
        if as_json:
            console.json({"to": place})
        else:
            console.say(f"rendu : {place}")
        return
    kept = operations.bins(pack, insee)
    if as_json:
        console.json([vars(file) for file in kept])
        return
    for file in kept:
        console.say(f"{file.octets:>12}  {file.path}")
    if not kept:
        console.note(f"{insee} : corbeille vide")


@app.command()
def handover(
    insee: Insee,
    leaver: Annotated[str, typer.Argument(metavar="ANCIEN", help="Identifiant de la personne partie.")],
    heir: Annotated[str, typer.Argument(metavar="NOUVEAU", help="Identifiant de qui reçoit son dossier.")],
    pack: PackOption = DEFAULT_PACK,
) -> None:
    """Transmettre le dossier personnel d'une personne partie à une personne présente."""
    environment().say(f"transmis : {operations.hand_on(pack, insee, leaver, heir)}")


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
