# SPDX-License-Identifier: GPL-3.0-or-later
"""The few sentences that Typer says by itself, in French."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer import rich_utils

HELP_NAMES = ["-h", "--help"]
_HELP = "Afficher cette aide."
_TITLES = {
    "ARGUMENTS_PANEL_TITLE": "Arguments",
    "OPTIONS_PANEL_TITLE": "Options",
    "COMMANDS_PANEL_TITLE": "Commandes",
    "DEFAULT_STRING": "[défaut : {}]",
    "ENVVAR_STRING": "[variable : {}]",
    "REQUIRED_LONG_STRING": "[obligatoire]",
}
_USAGE_ERRORS = (
    (r"No such command '?(?P<what>[^']*)'?\.?(?: Did you mean (?P<near>.*)\?)?", "commande inconnue : {what}"),
    (r"No such option: (?P<what>\S+?)\.?(?: \(Possible options: (?P<near>.*)\))?", "option inconnue : {what}"),
    (r"Missing argument '(?P<what>[^']*)'.*", "argument manquant : {what}"),
    (r"Missing option '(?P<what>[^']*)'.*", "option manquante : {what}"),
    (r"Missing parameter.*", "paramètre manquant"),
    (r"Missing command\.?", "commande manquante"),
    (r"Got unexpected extra arguments?(?:\(s\))? \((?P<what>.*)\)", "argument en trop : {what}"),
    (r"Option '(?P<what>[^']*)' requires .*", "l'option {what} attend une valeur"),
    (r"Option '(?P<what>[^']*)' does not take a value\.?", "l'option {what} n'attend pas de valeur"),
    (r"Invalid value for '?(?P<what>[^']*)'?: (?P<near>.*)", "valeur refusée pour {what}"),
)


def speak_french(command: Any) -> None:
    """Given a Typer command or group, put in French what its help says by itself."""
    for name, text in _TITLES.items():
        if hasattr(rich_utils, name):
            setattr(rich_utils, name, text)
    _translate_help_option(command)


def _translate_help_option(command: Any) -> None:
    option = command.get_help_option(typer.Context(command, help_option_names=HELP_NAMES))
    if option is not None:
        option.help = _HELP
    for below in getattr(command, "commands", {}).values():
        _translate_help_option(below)


def usage_error(message: str) -> str:
    """Given a usage error's message, return it in French (as it is, when it is not known)."""
    for pattern, french in _USAGE_ERRORS:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found:
            groups = found.groupdict()
            near = groups.get("near")
            return french.format(**groups) + (f" ({near})" if near else "")
    return message
