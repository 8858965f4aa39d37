# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie inventory`: the communes of a pack, from the official register to their files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from packmairie.cli.environment import DEFAULT_PACK, JsonOption, PackOption, environment
from packmairie.inventory.loader import PACK_FILE, load_pack
from packmairie.inventory.schema import write_schemas
from packmairie.model.commune import Commune, DnsMode
from packmairie.operations import inventory as operations
from packmairie.registry.eligibility import Refused, thousands

app = typer.Typer(help="Inventaire : les communes du pack, depuis le registre officiel.", no_args_is_help=True)
_Pack = PackOption
_Json = JsonOption


@app.command()
def search(
    text: Annotated[
        list[str], typer.Argument(metavar="TEXTE", help="Partie du nom, code INSEE, SIREN ou code postal.")
    ],
    pack: _Pack = DEFAULT_PACK,
    as_json: _Json = False,
) -> None:
    """Chercher une commune dans le registre officiel."""
    found = operations.find(" ".join(text), pack if (pack / PACK_FILE).exists() else None)
    console = environment()
    if as_json:
        console.json([_found_as_data(item) for item in found])
        return
    table = Table("INSEE", "Commune", "Dép.", "Code postal", "Habitants", "SIREN", "Éligible")
    table.columns[4].justify = "right"
    for item in found:
        row = item.row
        cells = (row.insee, row.nom, row.departement, " ".join(row.codes_postaux), thousands(row.population), row.siren)
        table.add_row(*(escape(cell) for cell in (*cells, _eligible(item))))
    table.columns[-1].overflow = "fold"
    console.out.print(table)


@app.command()
def add(  # noqa: PLR0917 - Typer gives its parameters by position
    codes: Annotated[list[str] | None, typer.Argument(metavar="INSEE", help="Codes INSEE des communes.")] = None,
    all_eligible: Annotated[
        bool, typer.Option("--all-eligible", help="Toutes les communes éligibles du registre.")
    ] = False,
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="NOM", help="Nom de domaine, si la commune en a déjà un.")
    ] = None,
    waiver: Annotated[
        str | None, typer.Option("--waiver", metavar="MOTIF", help="Admettre par dérogation, pour ce motif.")
    ] = None,
    dns: Annotated[DnsMode, typer.Option("--dns", help="Qui publie la zone.")] = DnsMode.GEREE,
    pack: _Pack = DEFAULT_PACK,
    as_json: _Json = False,
) -> None:
    """Ajouter des communes au pack : toutes celles demandées, ou aucune."""
    console = environment()
    wish = operations.Wish(tuple(codes or ()), all_eligible, domain, dns, waiver)
    with console.progress("Préparation des communes") as progress:
        added = operations.add(pack, wish, progress)
    if as_json:
        files = [{"insee": insee, "file": str(path)} for insee, path in added.files.items()]
        console.json({"added": files, "already": list(added.already)})
        return
    if len(added.files) <= 20:
        for path in added.files.values():
            console.say(str(path))
    else:
        console.say(f"{len(added.files)} communes ajoutées dans {pack / 'communes'}")
    if added.already:
        console.say(f"Déjà dans le pack, inchangées : {len(added.already)}")
    if added.files and domain is None:
        console.note(
            "Les noms de domaine sont proposés : les vérifier au bureau d'enregistrement, puis « confirme: true »."
        )


@app.command()
def validate(pack: _Pack = DEFAULT_PACK, as_json: _Json = False) -> None:
    """Vérifier tous les fichiers du pack, et dire tout ce qui ne va pas."""
    loaded = load_pack(pack)
    unconfirmed = [commune.insee for commune in loaded.communes if not commune.domaine.confirme]
    console = environment()
    if as_json:
        console.json({"pack": str(pack), "communes": len(loaded.communes), "domains_unconfirmed": unconfirmed})
        return
    console.say(f"{pack} : rien à corriger (communes : {len(loaded.communes)})")
    if unconfirmed:
        console.note(f"Noms de domaine à confirmer (domaine.confirme: false) : {len(unconfirmed)}")


@app.command("list")
def list_communes(pack: _Pack = DEFAULT_PACK, as_json: _Json = False) -> None:
    """Lister les communes du pack."""
    loaded = load_pack(pack)
    console = environment()
    if as_json:
        console.json([commune.model_dump(mode="json") for commune in loaded.communes])
        return
    table = Table("INSEE", "Commune", "Habitants", "Domaine", "Zone", "Agents", "Admise")
    for index in (2, 5):
        table.columns[index].justify = "right"
    for commune in loaded.communes:
        name = commune.domaine.nom + ("" if commune.domaine.confirme else " (à confirmer)")
        cells = (commune.insee, commune.nom, thousands(commune.population), name, commune.domaine.dns.value)
        table.add_row(*(escape(cell) for cell in (*cells, str(len(commune.agents)), _admitted(commune))))
    console.out.print(table)


@app.command()
def show(
    insee: Annotated[str, typer.Argument(metavar="INSEE", help="Code INSEE d'une commune du pack.")],
    pack: _Pack = DEFAULT_PACK,
    as_json: _Json = False,
) -> None:
    """Montrer une commune du pack, valeurs par défaut comprises."""
    commune = operations.commune_of(load_pack(pack), insee)
    console = environment()
    data = commune.model_dump(mode="json")
    if as_json:
        console.json(data)
        return
    table = Table(title=f"{commune.insee} {escape(commune.nom)}", show_header=False, title_justify="left")
    for path, value in _flat(data):
        table.add_row(escape(path), escape(value))
    console.out.print(table)


@app.command()
def schema(
    to: Annotated[Path, typer.Option("--to", metavar="DOSSIER", help="Où écrire les schémas.")] = Path("docs/schemas"),
    as_json: _Json = False,
) -> None:
    """Écrire les schémas JSON qui aident les éditeurs de texte à compléter et vérifier les fichiers."""
    paths = write_schemas(to)
    console = environment()
    if as_json:
        console.json([str(path) for path in paths])
        return
    for path in paths:
        console.say(str(path))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DOSSIER", help="Dossier du nouveau pack.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NOM", help="Nom du pack (défaut : celui du dossier).")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Commencer un nouveau pack : pack.yml à compléter, et le mot de passe de son coffre."""
    paths = operations.init(folder, name or folder.resolve().name)
    console = environment()
    if as_json:
        console.json([str(path) for path in paths])
        return
    for path in paths:
        console.say(str(path))
    console.note(f"À suivre : compléter {folder / PACK_FILE}, puis packmairie inventory add CODE --pack {folder}")


@app.command()
def secrets(pack: _Pack = DEFAULT_PACK, as_json: _Json = False) -> None:
    """Générer les secrets qui manquent, chiffrés ; ceux qui existent ne changent jamais."""
    console = environment()
    # The briques are loaded for this command alone: the others must answer at once.
    from packmairie.operations.secrets import generate_secrets  # noqa: PLC0415

    loaded = load_pack(pack)
    with console.progress("Génération des secrets") as progress:
        created = len(generate_secrets(loaded, pack, progress))
    if as_json:
        console.json({"pack": str(pack), "communes": len(loaded.communes), "created": created})
        return
    console.say(f"Secrets générés : {created}" if created else "Aucun secret à générer")


def _eligible(item: operations.Found) -> str:
    if item.in_pack:
        return "déjà dans le pack"
    return f"non : {item.verdict.reason}" if isinstance(item.verdict, Refused) else "oui"


def _found_as_data(item: operations.Found) -> dict[str, Any]:
    return {
        **item.row._asdict(),
        "eligible": not isinstance(item.verdict, Refused),
        "reason": item.verdict.reason,
        "in_pack": item.in_pack,
    }


def _admitted(commune: Commune) -> str:
    if commune.derogation:
        return f"dérogation : {commune.derogation}"
    return f"convention du {commune.convention.depuis:%d/%m/%Y}" if commune.convention else "éligible"


def _flat(data: Any, path: str = "") -> list[tuple[str, str]]:
    """Return nested data as lines of path and value, as a technician writes them; what is absent is left out."""
    if isinstance(data, dict):
        return [line for key, value in data.items() for line in _flat(value, f"{path}.{key}" if path else str(key))]
    if isinstance(data, list) and any(isinstance(item, dict) for item in data):
        return [line for index, item in enumerate(data, 1) for line in _flat(item, f"{path}[{index}]")]
    if data is None or data == []:
        return []
    if isinstance(data, list):
        return [(path, ", ".join(str(item) for item in data))]
    return [(path, {True: "oui", False: "non"}[data] if isinstance(data, bool) else str(data))]
