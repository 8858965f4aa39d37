# SPDX-License-Identifier: GPL-3.0-or-later
"""`packmairie lab`: real Debian hosts on this machine, to rehearse on."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from packmairie.cli.environment import DEFAULT_PACK, PackOption
from packmairie.lab import DEFAULT_HOSTS, Delegation, Lab
from packmairie.model.problem import ExitCode, PackmairieError, fail

app = typer.Typer(help="Labo : de vraies machines Debian sur ce poste, pour répéter sans risque.", no_args_is_help=True)
_output = Console()
_errors = Console(stderr=True)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what is wrong, one line per problem, and end with the error's exit code."""
    try:
        yield
    except PackmairieError as error:
        for problem in error.problems:
            _errors.print(escape(str(problem)), style="red", soft_wrap=True)
        raise typer.Exit(int(error.exit_code)) from error


def _timed() -> Callable[[str], None]:
    """Return a progress callback that writes each line with the seconds gone by."""
    started = time.monotonic()

    def tell(text: str) -> None:
        _errors.print(f"[dim]{time.monotonic() - started:6.1f} s[/dim]  {escape(text)}", soft_wrap=True)

    return tell


@app.command()
def up(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HÔTE]…", help="plateforme, stockage, monde ou poste-<INSEE>-<n°>."),
    ] = None,
) -> None:
    """Démarrer des hôtes (par défaut plateforme, stockage et monde) et attendre qu'ils soient prêts."""
    with _told():
        tell = _timed()
        Lab.open().up(hosts or DEFAULT_HOSTS, progress=tell)
        tell("labo prêt")


@app.command()
def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Effacer aussi les images, les paquets gardés et les clés.")
    ] = False,
) -> None:
    """Arrêter tous les hôtes et ne rien laisser : ni pont, ni montage, ni processus."""
    with _told():
        tell = _timed()
        Lab.open().down(purge=purge, progress=tell)
        tell("labo arrêté")


@app.command()
def reset(host: Annotated[str, typer.Argument(metavar="HÔTE", help="L'hôte à remettre à neuf.")]) -> None:
    """Redémarrer un hôte sur un disque neuf, à la même adresse."""
    with _told():
        Lab.open().reset(host, progress=_timed())


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Écrire une liste d'objets JSON.")] = False,
) -> None:
    """Montrer les hôtes : adresse, état, processus, mémoire."""
    with _told():
        rows = Lab.open().status()
    if as_json:
        objects = [{**dataclasses.asdict(row), "since": row.since.isoformat() if row.since else None} for row in rows]
        typer.echo(json.dumps(objects, indent=2))
        return
    if not rows:
        typer.echo("Aucun hôte. Pour en démarrer : packmairie lab up")
        return
    table = Table(box=None)
    for title in ("Hôte", "Adresse", "État", "Depuis", "Processus", "Mémoire"):
        table.add_column(title, justify="right" if title in {"Processus", "Mémoire"} else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            row.address,
            row.label,
            row.since.astimezone().strftime("%d/%m %H:%M:%S") if row.since else "",
            str(row.pid or ""),
            f"{row.memory / 1024**2:.0f} Mio" if row.memory else "",
        )
    _output.print(table)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def ssh(
    host: Annotated[str, typer.Argument(metavar="HÔTE", help="L'hôte à ouvrir.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMANDE]…", help="Commande à lancer ; sans elle, un terminal.")
    ] = None,
) -> None:
    """Ouvrir un terminal root sur un hôte, ou y lancer une commande."""
    with _told():
        # « lab ssh HÔTE -- COMMANDE » is what a hand used to ssh types.
        words = command[1:] if command and command[0] == "--" else command or []
        argv = Lab.open().ssh_command(host, words, terminal=not words)
        os.execvp(argv[0], argv)  # noqa: S606 - replaced on purpose: the terminal is ssh's


@app.command()
def doctor(
    install: Annotated[bool, typer.Option("--install", help="Installer avec apt ce qui manque (en root).")] = False,
) -> None:
    """Dire ce qui manque à cette machine pour démarrer des hôtes."""
    with _told():
        lab = Lab.open()
        if install:
            for package in lab.install_needs():
                typer.echo(f"installé : {package}")
        problems = lab.missing_needs()
        if problems:
            raise PackmairieError(problems, ExitCode.UNAVAILABLE)
    typer.echo("Cette machine peut démarrer le labo.")


@app.command()
def delegate(
    domain: Annotated[str, typer.Argument(metavar="DOMAINE", help="Le domaine à déléguer (.fr ou .example).")],
    nameservers: Annotated[
        list[str], typer.Option("--ns", metavar="NOM=ADRESSE", help="Serveur de noms et son adresse ; répétable.")
    ],
    ds: Annotated[
        list[str] | None, typer.Option("--ds", metavar="DS", help="Enregistrement DS du domaine ; répétable.")
    ] = None,
) -> None:
    """Faire l'acte du bureau d'enregistrement : déléguer un domaine dans le labo."""
    with _told():
        pairs = [text.partition("=") for text in nameservers]
        if not all(separator for _, separator, _ in pairs):
            raise fail("--ns", "chaque serveur s'écrit NOM=ADRESSE", "par exemple --ns ns1.pack.example=10.59.62.10")
        delegation = Delegation({name: address for name, _, address in pairs}, tuple(ds or ()))
        changed = Lab.open().delegate({domain: delegation})
        typer.echo(f"{domain} : délégation {'publiée' if changed else 'inchangée'}")


@app.command()
def registrar(pack: PackOption = DEFAULT_PACK) -> None:
    """Jouer, pour tout un pack, les actes faits ailleurs : délégations, DS, zones externes, nom de l'adresse."""
    from packmairie.lab.rehearsal import play_registrar  # noqa: PLC0415 — octoDNS is loaded for this command alone

    with _told():
        acts = play_registrar(Lab.open(), pack)
    for domain in acts.delegated:
        typer.echo(f"{domain} : délégation {'publiée, sans DS encore' if domain in acts.unsigned else 'et DS publiés'}")
    for domain in acts.elsewhere:
        typer.echo(f"{domain} : enregistrements saisis chez l'autre hébergeur DNS")
    if not acts.delegated and not acts.elsewhere:
        typer.echo("Rien à faire : tout était déjà déclaré.")


@app.command()
def cell(pack: PackOption = DEFAULT_PACK) -> None:
    """Fonder sur le portail une cellule d'exemple, comme le ferait le Centre de gestion, et montrer ses comptes."""
    from packmairie.lab.rehearsal import play_cell  # noqa: PLC0415 — likewise

    with _told():
        accounts = play_cell(Lab.open(), pack)
    typer.echo(accounts.strip() or "Rien à faire : le portail a déjà une cellule, ou le pack n'a pas de portail.")
