# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie dns`: what a human has to carry to a registrar or another DNS host."""

from __future__ import annotations

from typing import Annotated

import typer

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.model.record import zone_text
from packmairie.operations.registrar import delegation_signers, records_to_enter

app = typer.Typer(help="Noms de domaine : enregistrements et signatures à reporter ailleurs.", no_args_is_help=True)


@app.command()
def records(
    commune: Annotated[str, typer.Argument(metavar="COMMUNE", help="Code INSEE.")],
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Afficher les enregistrements d'une commune, à saisir tels quels quand sa zone est tenue ailleurs."""
    zone = records_to_enter(pack, commune)
    console = environment()
    if as_json:
        console.json(
            [
                {
                    "name": record.owner(zone.name),
                    "type": record.type,
                    "ttl": record.ttl,
                    "values": list(record.values),
                    "why": record.why,
                }
                for record in zone.records
            ]
        )
        return
    if zone.managed:
        console.note(f"La zone {zone.name} est publiée par la plateforme : rien n'est à saisir.")
    lines = iter(zone_text(zone).splitlines())
    console.say(next(lines))
    for record in sorted(zone.records):
        console.say(f"; {record.why}")
        for _value in record.values:
            console.say(next(lines))


@app.command()
def ds(
    domaine: Annotated[str, typer.Argument(metavar="DOMAINE", help="Domaine géré par la plateforme.")],
    pack: PackOption = DEFAULT_PACK,
    as_json: JsonOption = False,
) -> None:
    """Afficher le DS à déposer chez le bureau d'enregistrement, pour que la signature de la zone soit reconnue."""
    signers = delegation_signers(pack, domaine)
    console = environment()
    if as_json:
        console.json({"domain": domaine, "ds": list(signers)})
        return
    for signer in signers:
        console.say(f"{domaine}. IN DS {signer}")
