# SPDX-License-Identifier: GPL-3.0-or-later
"""What the YAML parser complains about, said in French with a remedy."""

from __future__ import annotations

import yaml

_QUOTES = "mettre la valeur entre guillemets"
_INDENT = "aligner cette ligne avec ses voisines (deux espaces par niveau)"
_CLOSE = "fermer ce qui a été ouvert : guillemet, crochet ou accolade"

_EXPLANATIONS = (
    ("mapping values are not allowed", "deux-points inattendu", _QUOTES + ", ou revoir l'alignement"),
    ("cannot start any token", "caractère qui ne peut pas commencer une valeur", _QUOTES),
    (
        "could not find expected ':'",
        "deux-points manquant après une clé",
        "écrire « clé: valeur », avec une espace après les deux-points",
    ),
    ("did not find expected key", "ligne mal alignée ou texte après une valeur", _INDENT),
    ("did not find expected '-' indicator", "ligne mal alignée dans une liste", _INDENT),
    ("did not find expected ',' or ']'", "liste entre crochets mal fermée", _CLOSE),
    ("did not find expected ',' or '}'", "accolades mal fermées", _CLOSE),
    ("unexpected end of stream", "guillemet ouvert et jamais fermé", _CLOSE),
    ("unexpected document indicator", "« --- » au milieu d'une valeur entre guillemets", _CLOSE),
    ("did not find expected node content", "valeur manquante ou caractère inattendu", _QUOTES),
    (
        "unknown escape character",
        "barre oblique inverse dans une valeur entre guillemets doubles",
        "utiliser des guillemets simples",
    ),
    (
        "block sequence entries are not allowed",
        "tiret de liste inattendu",
        "aller à la ligne avant le tiret, ou mettre la valeur entre guillemets",
    ),
    ("did not find expected <document start>", "texte après la fin du document", _INDENT),
    ("did not find expected alphabetic", "« & » ou « * » en tête de valeur", _QUOTES),
)


def explain(error: yaml.YAMLError) -> tuple[int, str, str]:
    """Given an error of the YAML parser, return its line (1 when unknown), the reason and the remedy, in French."""
    line, said = 1, str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        said = error.problem or error.context or said
    for fragment, reason, remedy in _EXPLANATIONS:
        if fragment in said:
            return line, f"YAML illisible : {reason}", remedy
    first_line = said.splitlines()[0] if said else "erreur inconnue"
    return line, f"YAML illisible ({first_line})", "reprendre cette ligne sur le modèle du fichier d'exemple"
