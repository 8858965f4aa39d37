# SPDX-License-Identifier: GPL-3.0-or-later
"""The validator's errors said in French, each with its remedy and at the line of the key concerned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from packmairie.inventory.located import Located
from packmairie.inventory.source import Node

PATTERNS = {
    r"^[a-z]+\.[a-z0-9-]+$": "une vérification : brique.nom, par exemple messagerie.aller-retour",
    r"^([0-9]{2}|2[AB])[0-9]{3}$": 'un code INSEE : cinq chiffres, par exemple "62708"',
    r"^[0-9]{9}$": "un SIREN : neuf chiffres, sans espace",
    r"^[0-9]{14}$": "un SIRET : quatorze chiffres, sans espace",
    r"^[0-9]{5}$": "un code postal : cinq chiffres",
    r"^([0-9]{2}|2[AB])$": "un code de département : deux chiffres",
    r"^([0-9]{2,3}|2[AB])$": "un code de département : deux chiffres, trois outre-mer",
    r"^[+?~-]?(include|a|mx|ip4|ip6|exists)(:[A-Za-z0-9._:/-]+)?(/[0-9]{1,3})?$": (
        "un mécanisme SPF sans espace, par exemple include:spf.exemple.fr (jamais all)"
    ),
    r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$": (
        "la partie gauche d'une adresse : minuscules sans accent, chiffres, points et tirets, par exemple prenom.nom"
    ),
    r"^[a-z0-9][a-z0-9._-]*@[a-z0-9.-]+\.[a-z]{2,}$": "une adresse en minuscules, par exemple contact@exemple.fr",
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$": "un nom court d'hôte : minuscules sans accent, chiffres et tirets",
    r"^[A-Z]{2}$": "un code de pays : deux majuscules, par exemple FR",
    r"^(@|[a-z0-9_*]([a-z0-9_.-]*[a-z0-9_])?)$": (
        "un nom dans la zone : @ pour le domaine, sinon minuscules, chiffres et tirets"
    ),
    r"^https://\S+$": "une adresse qui commence par https://",
    r"^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?([/?][A-Za-z0-9._~/?#@!&()*+,;=:%-]*)?$": (
        "une adresse https:// complète, sans espace ni accent"
    ),
    r"^0[1-9]( ?[0-9]{2}){4}$": 'un numéro de téléphone français, par exemple "03 21 00 00 00"',
    r"^[a-z0-9][a-z0-9_-]{0,60}\.(png|jpg|webp)$": (
        "un nom d'image en minuscules sans accent ni espace : .png, .jpg ou .webp (pas de SVG)"
    ),
    r"^(/[^/*?\[\]\\]+)+$": "un chemin absolu, sans * ? [ ] ni \\, par exemple /opt/metier/donnees",
    r"^poste-[0-9][0-9AB][0-9]{3}-[1-9][0-9]?$": "un nom de poste : poste-<code INSEE>-<numéro>",
    r"^https://[a-z0-9.-]+(:[0-9]{1,5})?$": "une adresse https:// sans chemin, par exemple https://s3.exemple.fr",
    r"^[a-z0-9-]{2,40}$": "une région S3 : minuscules, chiffres et tirets",
    r"^[a-z0-9][a-z0-9-]{1,40}$": "un début de nom de seau : minuscules, chiffres et tirets",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": 'une heure entre guillemets, par exemple "02:15"',
    r"^age1[0-9a-z]{58}$": "une clé publique age : age1 et 58 caractères",
    r"^SHA256:[A-Za-z0-9+/]{43}$": "une empreinte de clé SSH telle que ssh-keygen -l la montre : SHA256:…",
    r"^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$": "un dossier sans espace ni accent, par exemple depot/communes",
    r"^[0-9]$": 'un chiffre, entre guillemets : "1"',
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$": "un identifiant sans espace ni accent (lettres, chiffres, points et tirets)",
    r"^[A-Za-z0-9][A-Za-z0-9 ./_-]{1,63}$": "un numéro de série : lettres, chiffres, espaces et . / _ -",
    r"^(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/]{40,1200}={0,2}( [A-Za-z0-9_.@-]{1,80})?$": (
        "une clé publique SSH sur une ligne : ssh-ed25519 AAAA…"
    ),
    r"^/dev/[a-z0-9/:._-]{2,80}$": "un disque, par exemple /dev/nvme0n1",
}
"""What each pattern of the model accepts, in words. A test keeps this table complete."""

_UNION_STEPS = ("lax-or-strict[", "function-", "json-or-python[", "is-instance[")

Wording = tuple[str, str]
"""A reason and a remedy."""


def translate(error: ValidationError, model: type[BaseModel], root: Node, name: str) -> list[Located]:
    """Given a validation error, the model, and the file's nodes and shown name, return its problems, one a key."""
    found: list[Located] = []
    for detail in error.errors(include_url=False):
        for path, (reason, remedy) in _wordings(dict(detail), model, root):
            label = _dotted(path)
            told = f"{label} : {reason}" if label else reason
            found.append(Located(name, root.nearest(path).line, told, remedy))
    # A union tells the same of each of its members.
    return list(dict.fromkeys(found))


def _wordings(
    detail: dict[str, Any], model: type[BaseModel], root: Node
) -> Iterator[tuple[tuple[str | int, ...], Wording]]:
    """Yield (path, wording) for one of the validator's errors; a rule about the whole file may tell several."""
    kind: str = detail["type"]
    path = detail["loc"] if kind in ("extra_forbidden", "missing") else _file_path(detail["loc"])
    if kind == "value_error" and not path:
        yield from _rules(str(detail["ctx"]["error"]), model, root)
    elif kind == "extra_forbidden":
        yield path, _unknown_key(str(path[-1]), keys_at(model, path[:-1]))
    elif kind == "missing":
        yield path, ("clé obligatoire absente", f"ajouter « {path[-1]}: … »")
    elif detail["loc"][-1:] == ("[key]",):
        yield path, (f"la clé « {path[-1]} » n'est pas {_accepted(detail)}", "corriger cette clé")
    else:
        node = root.nearest(path)
        yield path, _value(detail, node)


def _file_path(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the part of a location that exists in the file, without the step that the validator adds to it."""
    last = str(loc[-1]) if loc else ""
    return loc[:-1] if last == "[key]" or last.startswith(_UNION_STEPS) else loc


def _dotted(path: tuple[str | int, ...]) -> str:
    """Return a path as a technician reads it: ``agents[2].nom`` is the second agent."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _rules(message: str, model: type[BaseModel], root: Node) -> Iterator[tuple[tuple[str | int, ...], Wording]]:
    """Split the message of a rule about the whole file into its reasons, each placed at the key that it names."""
    names = "|".join(re.escape(name) for name in model.model_fields)
    starts = re.compile(rf"(?:^| ; )(?=(?:{names})(?:\.[a-z_]+)* : )")
    for reason in filter(None, starts.split(message)):
        head, separator, rest = reason.partition(" : ")
        path: tuple[str | int, ...] = tuple(head.split(".")) if separator else ()
        quoted = re.match(r"« (\S+) »", rest)
        if quoted and root.nearest(path).child(quoted.group(1)) is not None:
            path = (*path, quoted.group(1))
        yield path, (rest or reason, "corriger cette clé" if path else "corriger le fichier")


def _unknown_key(key: str, known: list[str]) -> Wording:
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return "clé inconnue", f"vouliez-vous dire « {close[0]} » ?"
    return "clé inconnue", f"la supprimer ; clés possibles : {', '.join(known)}" if known else "la supprimer"


def keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Given a model and a path in its files, return the keys accepted there (none where keys are free)."""
    annotation: Any = model
    for step in path:
        inner = _models_in(annotation)
        if not inner:
            return []
        field = inner[0].model_fields.get(str(step))
        if field is None:
            # An index, or a free key of a mapping: the same model describes every element.
            continue
        annotation = field.annotation
    inner = _models_in(annotation)
    return list(inner[0].model_fields) if inner else []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]


def _accepted(detail: dict[str, Any]) -> str:
    pattern = str(detail.get("ctx", {}).get("pattern", ""))
    return PATTERNS.get(pattern, "de la forme attendue")


def _value(detail: dict[str, Any], node: Node) -> Wording:
    """Return the wording for a value that does not suit."""
    context = detail.get("ctx", {})
    kind: str = detail["type"]
    shown = _shown(node)
    if kind == "value_error":
        reason = str(context["error"])
        return reason if node.children is not None else f"{shown} {reason}", "corriger cette valeur"
    if kind == "string_type":
        return _not_text(node, shown)
    if kind == "string_pattern_mismatch":
        return f"{shown} n'est pas {_accepted(detail)}", "corriger cette valeur"
    if kind in ("enum", "literal_error"):
        return _choice(str(context["expected"]), node, shown)
    wording = _SIMPLE.get(kind)
    if wording is None:
        return f"{shown} est refusé ({detail['msg']})", "corriger cette valeur sur le modèle du fichier d'exemple"
    return wording(shown, context)


def _shown(node: Node) -> str:
    if node.children is not None:
        return "une liste" if isinstance(node.children, list) else "un groupe de clés"
    if node.value is None:
        return "la valeur vide"
    text = node.raw or ""
    return f"« {text[:57]}… »" if len(text) > 60 else f"« {text} »"


def _not_text(node: Node, shown: str) -> Wording:
    if node.children is not None:
        return f"{shown} là où un texte est attendu", "écrire une seule valeur sur la ligne"
    if node.value is None:
        return "valeur vide", "compléter, ou supprimer la ligne si la clé est facultative"
    read_as = {bool: "vrai ou faux", int: "un nombre", float: "un nombre", date: "une date"}.get(
        type(node.value), "autre chose"
    )
    return f"{shown} sans guillemets est lu comme {read_as}", f'écrire "{node.raw}" entre guillemets'


def _choice(expected: str, node: Node, shown: str) -> Wording:
    choices = re.findall(r"'([^']*)'", expected)
    close = get_close_matches(str(node.raw or ""), choices, n=1, cutoff=0.6)
    remedy = f"vouliez-vous dire « {close[0]} » ?" if close else f"choisir parmi : {', '.join(choices)}"
    return f"{shown} n'est pas un choix possible", remedy


def _fixed(reason: str, remedy: str) -> Callable[[str, dict[str, Any]], Wording]:
    return lambda shown, context: (reason.format(shown=shown, **context), remedy.format(shown=shown, **context))


_INTEGER = _fixed("{shown} n'est pas un nombre entier", "écrire un nombre entier, sans guillemets ni unité")
_NUMBER = _fixed("{shown} n'est pas un nombre", "écrire un nombre, avec un point décimal")
_BOOLEAN = _fixed("{shown} n'est ni vrai ni faux", "écrire true ou false")
_DATE = _fixed("{shown} n'est pas une date", "écrire la date AAAA-MM-JJ, par exemple 2026-11-24")
_ADDRESS = _fixed("{shown} n'est pas une adresse IP", "écrire une adresse IP, par exemple 192.0.2.1")
_GROUP = _fixed("{shown} là où un groupe de clés est attendu", "écrire « clé: valeur » en retrait sous cette ligne")

_SIMPLE: dict[str, Callable[[str, dict[str, Any]], Wording]] = {
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "ip_v4_address": _ADDRESS,
    "ip_v6_address": _ADDRESS,
    "dict_type": _GROUP,
    "model_type": _GROUP,
    "model_attributes_type": _GROUP,
    "list_type": _fixed("{shown} là où une liste est attendue", "écrire la liste entre crochets, par exemple [valeur]"),
    "too_short": _fixed("au moins {min_length} élément attendu", "compléter"),
    "string_too_short": _fixed("valeur vide", "compléter, ou supprimer la ligne si la clé est facultative"),
    "string_too_long": _fixed("plus de {max_length} caractères", "raccourcir"),
    "greater_than_equal": _fixed("{shown} est trop petit", "au moins {ge:g}"),
    "less_than_equal": _fixed("{shown} est trop grand", "au plus {le:g}"),
}
