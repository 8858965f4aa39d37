# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``packmairie``: its groups joined, and how every run ends."""

from __future__ import annotations

import gc
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from packmairie.cli.environment import environment
from packmairie.cli.french import HELP_NAMES, speak_french, usage_error
from packmairie.model.problem import ExitCode, PackmairieError

COLLECT_AFTER = 70_000
"""Objects made before cycles of garbage are looked for: each time, all of a territory's pack is gone through."""
COMMANDS = ("plan", "deploy", "status", "history", "export", "import", "remove")
"""Each is a function of its own name in ``packmairie.cli.<name>``, but for words that Python keeps for itself."""
KEPT_WORDS = {"import": ("importing", "import_")}
GROUPS = (
    "inventory",
    "dns",
    "messagerie",
    "presence",
    "partage",
    "sauvegarde",
    "postes",
    "archivage",
    "teletransmission",
    "marches",
    "portail",
    "sondage",
    "lab",
)
"""Each is ``packmairie.cli.<name>``, with its Typer application ``app``."""


def _show_version(asked: bool) -> None:
    if asked:
        try:
            shown = version("packmairie")
        except PackageNotFoundError:
            shown = "version inconnue (non installé)"
        environment().say(f"packmairie {shown}")
        raise typer.Exit


def packmairie(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Afficher la version.")
    ] = False,
) -> None:
    """Le pack mairie connectée : équiper les petites communes à l'identique, et prouver que tout marche."""


@cache
def command_line(only: str | None = None) -> Any:
    """Return the command with every subcommand, or with one alone: the others need not be imported to run it."""
    app = typer.Typer(
        no_args_is_help=True,
        subcommand_metavar="COMMANDE [ARGUMENT]…",
        add_completion=False,
        context_settings={"help_option_names": HELP_NAMES},
        pretty_exceptions_enable=False,
    )
    app.callback()(packmairie)
    for name in COMMANDS:
        if only in (None, name):
            module, function = KEPT_WORDS.get(name, (name, name))
            app.command(name)(getattr(import_module(f"packmairie.cli.{module}"), function))
    for name in GROUPS:
        if only in (None, name):
            app.add_typer(import_module(f"packmairie.cli.{name}").app, name=name)
    command = typer.main.get_command(app)
    speak_french(command)
    return command


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with an ``ExitCode``.

    A usage error ends with 1: the 2 that is customary for it would read as « changes
    pending » in a scheduled ``plan``.
    """
    gc.set_threshold(COLLECT_AFTER)
    code = run(sys.argv[1:] if arguments is None else arguments)
    # The process ends: what it holds need not be gone through once more for cycles of garbage.
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Given the arguments of the command line, run it and return its exit code."""
    only = arguments[0] if arguments and arguments[0] in (*COMMANDS, *GROUPS) else None
    try:
        code = command_line(only).main(arguments, prog_name="packmairie", standalone_mode=False)
    except PackmairieError as error:
        environment().problems(error)
        return int(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        environment().note("Interrompu.")
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us has enough (head, less): nobody is left to tell.
        sys.stderr.close()
        return int(ExitCode.SUCCESS)
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        return _usage(error, str(message()))
    if code == ExitCode.INTERRUPTED:
        # Typer has already turned the interruption into an exit code, without a word.
        environment().note("Interrompu.")
    return code if isinstance(code, int) else int(ExitCode.SUCCESS)


def _usage(error: Exception, message: str) -> int:
    """Tell a usage error; a group called without a command shows its help, and that is no error."""
    if type(error).__name__ == "NoArgsIsHelpError":
        environment().note(message)
        return int(ExitCode.FAILURE)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "packmairie"
    environment().note(f"{path}: {usage_error(message)} → {path} --help")
    return int(ExitCode.FAILURE)


if __name__ == "__main__":
    main()
