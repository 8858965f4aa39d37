# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie sondage`: size, frame and draw of a survey, its results from files, and who may run it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packmairie.cli.environment import JsonOption, environment
from packmairie.model.problem import fail
from packmairie.portail.sondage.base import read_deviations, read_frame, write_deviations, write_draw, write_frame
from packmairie.portail.sondage.statistique.draw import draw as draw_sample
from packmairie.portail.sondage.statistique.frame import Unit, frame_from_register
from packmairie.portail.sondage.statistique.size import sample_size

if TYPE_CHECKING:
    from packmairie.portail.sondage.models import Campagne

app = typer.Typer(help="Sondage : taille, base et tirage d'une enquête, ses résultats.", no_args_is_help=True)

DepartementOption = Annotated[
    list[str], typer.Option("--departement", metavar="CODE", help="Département du registre ; à répéter.")
]

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DOSSIER", help="Données du portail (défaut : ./portail-donnees).")
]


@app.command()
def size(  # noqa: PLR0917 - Typer gives its parameters by position
    population: Annotated[int, typer.Option("--population", min=1, help="Collectivités de la base.")],
    margin: Annotated[float, typer.Option("--margin", help="Marge voulue, en points (5 pour ± 5 points).")] = 5,
    share: Annotated[float, typer.Option("--share", help="Part attendue, en %% ; 50 est le pire cas.")] = 50,
    rate: Annotated[float, typer.Option("--rate", help="Taux de réponse attendu, en %%.")] = 100,
    confidence: Annotated[float, typer.Option("--confidence", help="Confiance, en %%.")] = 95,
    deff: Annotated[float, typer.Option("--deff", help="Effet de plan attendu.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Calculer et expliquer le nombre de collectivités à inviter."""
    found = sample_size(
        population, margin / 100, confidence=confidence / 100, share=share / 100, design_effect=deff,
        response_rate=rate / 100,
    )  # fmt: skip
    if as_json:
        environment().json({"reponses": found.reponses, "envois": found.envois, "population": population})
    else:
        environment().say(found.explanation())


@app.command()
def frame(
    departement: DepartementOption,
    to: Annotated[Path, typer.Option("--to", metavar="FICHIER", help="Où écrire la base (CSV).")],
) -> None:
    """Préparer une base de sondage depuis le registre officiel, à compléter d'adresses et d'adhésions."""
    units = frame_from_register(departement)
    if not units:
        raise fail("--departement", f"aucune commune pour {', '.join(departement)}", "donner 02, 59, 60, 62 ou 80")
    _write(to, write_frame(units))
    environment().say(f"{to} : {len(units)} communes")


@app.command()
def draw(  # noqa: PLR0917 - likewise
    base: Annotated[Path, typer.Option("--frame", metavar="FICHIER", help="Base de sondage (CSV).")],
    size: Annotated[int, typer.Option("--size", min=1, help="Collectivités à inviter.")],
    seed: Annotated[str, typer.Option("--seed", help="Graine : un texte public.")],
    to: Annotated[Path, typer.Option("--to", metavar="FICHIER", help="Où écrire le tirage (CSV).")],
    minimum: Annotated[int, typer.Option("--minimum", min=0, help="Au moins tant par strate.")] = 2,
    neyman: Annotated[
        Path | None,
        typer.Option("--neyman", metavar="FICHIER", help="Écarts d'une enquête passée : répartition de Neyman."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tirer un échantillon stratifié, que quiconque peut refaire avec la même base et la même graine."""
    deviations = read_deviations(_text(neyman), str(neyman)) if neyman else None
    drawn = draw_sample(_read(base), size, seed, minimum=minimum, deviations=deviations)
    _write(to, write_draw(drawn))
    if as_json:
        environment().json(
            {
                "graine": drawn.graine, "empreinte": drawn.empreinte, "algorithme": drawn.algorithme,
                "repartition": "neyman" if neyman else "proportionnelle",
                "strates": [
                    {"strate": list(key), "population": number, "tirees": drawn.allocation[key]}
                    for key, number in drawn.effectifs.items()
                ],
            }
        )  # fmt: skip
    else:
        environment().say(
            f"{to} : {len(drawn.sample)} collectivités tirées parmi {sum(drawn.effectifs.values())}, "
            f"{len(drawn.effectifs)} strates, "
            f"répartition {'de Neyman' if neyman else 'proportionnelle'} ; "
            f"base {drawn.empreinte[:16]}…, graine « {drawn.graine} »"
        )


@app.command()
def deviations(
    campagne: Annotated[int, typer.Argument(metavar="NUMERO", help="Numéro d'une enquête dépouillée.")],
    to: Annotated[Path, typer.Option("--to", metavar="FICHIER", help="Où écrire les écarts (CSV).")],
    data: DataOption = None,
) -> None:
    """Écrire ce dont varient les avis par groupe de strates, pour la répartition de Neyman du prochain tirage."""
    _django(data)
    from packmairie.portail.sondage.depouillement import deviations_in

    found = deviations_in(_campaign(campagne))
    _write(to, write_deviations(found))
    environment().say(f"{to} : {len(found)} groupes")


@app.command()
def results(
    campagne: Annotated[int, typer.Argument(metavar="NUMERO", help="Numéro de l'enquête, celui de son adresse.")],
    to: Annotated[Path, typer.Option("--to", metavar="DOSSIER", help="Où écrire PDF, ODS, CSV et dictionnaire.")],
    raking: Annotated[
        bool | None,
        typer.Option("--raking/--no-raking", help="Caler sur les marges, ou non ; défaut : le choix de l'enquête."),
    ] = None,
    data: DataOption = None,
) -> None:
    """Écrire les résultats d'une enquête dépouillée, comme la page les propose."""
    _django(data)
    from packmairie.portail.sondage.depouillement import results_of
    from packmairie.portail.sondage.vues.resultats import FILES

    found = _campaign(campagne)
    computed = results_of(found, calage=raking)
    to.mkdir(parents=True, exist_ok=True)
    for name, maker in FILES.items():
        _kind, content = maker(found, computed)
        (to / name).write_bytes(content.encode() if isinstance(content, str) else content)
        environment().say(str(to / name))


@app.command()
def manager(
    name: Annotated[str, typer.Argument(metavar="NOM", help="Nom de connexion, par exemple prenom.nom.")],
    data: DataOption = None,
) -> None:
    """Donner à une personne le droit de conduire les enquêtes ; son mot de passe est affiché une fois."""
    _django(data)
    import io

    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    told = io.StringIO()
    call_command("sondage_gestionnaire", name, stdout=told)
    environment().say(told.getvalue().strip())
    environment().note("Ce mot de passe ne sera plus affiché ; relancer la commande en donne un autre.")


def _django(data: Path | None) -> None:
    """Name the settings, and the folder of the data, to Django."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "packmairie.portail.projet.settings")
    if data is not None:
        os.environ["PACKMAIRIE_PORTAIL_DONNEES"] = str(data.absolute())
    import django

    django.setup()


def _campaign(number: int) -> Campagne:
    from packmairie.portail.sondage.models import Campagne

    found = Campagne.objects.filter(pk=number).first()
    if found is None:
        raise fail(f"enquête {number}", "elle n'existe pas", "lire son numéro dans l'adresse de sa page")
    return found


def _read(path: Path) -> tuple[Unit, ...]:
    return read_frame(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(str(path), f"illisible ({error.__class__.__name__})", "donner un CSV en UTF-8") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise fail(str(path), f"écriture impossible ({error.strerror})", "choisir un autre --to") from None
