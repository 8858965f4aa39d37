# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a YAML file that anybody may have edited: safely, and remembering the line of every value.

The reader accepts the plain part of YAML that a configuration needs, and refuses with
a remedy what surprises people (octal numbers, tabs, duplicate keys) or harms programs
(aliases, tags, deep nesting, symbolic links that leave the pack).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from packmairie.inventory.located import Located
from packmairie.inventory.scalars import plain_value, starts_with_zero
from packmairie.inventory.yaml_errors import explain

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# C0 and C1 controls, the line breaks of YAML 1.1 that no editor shows, and the marks that reorder or hide text.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CODE = re.compile(r"\{\{|\{%|\{#|`|\$\(|\$\{")


@dataclass(slots=True)
class Node:
    """A value of the file: its line, the Python value, and for a scalar the text as typed, quoted or not."""

    line: int
    value: Any
    raw: str | None = None
    plain: bool = False
    children: dict[str, Node] | list[Node] | None = None

    def child(self, key: str | int) -> Node | None:
        """Return the node under a key or an index, or None."""
        if isinstance(self.children, dict):
            return self.children.get(str(key))
        if isinstance(self.children, list) and isinstance(key, int) and 0 <= key < len(self.children):
            return self.children[key]
        return None

    def nearest(self, path: tuple[str | int, ...]) -> Node:
        """Return the node at a path, or the deepest one that exists on the way to it."""
        node = self
        for key in path:
            below = node.child(key)
            if below is None:
                break
            node = below
        return node

    def text(self, *path: str) -> str | None:
        """Return the text as typed of the scalar at a path, or None when there is none or it is empty."""
        node: Node | None = self
        for key in path:
            node = node.child(key) if node is not None else None
        return (node.raw or None) if node is not None else None


@dataclass
class Source:
    """What reading a file gave: its shown name, its root when it could be understood, and the problems found."""

    name: str
    root: Node | None = None
    problems: list[Located] = field(default_factory=list)

    def refuse(self, line: int, reason: str, remedy: str) -> None:
        """Record one problem of this file."""
        self.problems.append(Located(self.name, line, reason, remedy))


class _UnreadableError(Exception):
    """Reading stops here: line, reason, remedy."""


def read_source(path: Path, pack: Path, *, free: tuple[str, ...] = ()) -> Source:
    """Given a file and the pack's folder that must contain it, return what could be read, with every problem found.

    Values under a key named in ``free`` may hold what looks like template code (Ansible's
    own connection variables). Never raises for what the file contains.
    """
    source = Source(str(path))
    text = _read_text(source, path, pack)
    if text is not None:
        _understand(source, text, free)
    return source


def parse_source(name: str, text: str) -> Source:
    """Given a shown name and a text not written yet, return what a later reading of the file would give."""
    source = Source(name)
    if _acceptable(source, text):
        _understand(source, text, ())
    return source


def forbidden_code(text: str) -> str:
    """Return the first piece of a text that looks like template or shell code, or nothing."""
    found = _CODE.search(text)
    return found.group() if found else ""


def _understand(source: Source, text: str, free: tuple[str, ...]) -> None:
    """Set the root of the source from its text, and record what is wrong with it."""
    try:
        source.root = _build(source, text)
    except _UnreadableError as stop:
        source.refuse(*stop.args)
    except yaml.YAMLError as error:
        source.refuse(*explain(error))
    if source.root is not None and _CODE.search(text):
        _refuse_code(source, source.root, free)


def _read_text(source: Source, path: Path, pack: Path) -> str | None:
    """Return the text of the file, or None after having recorded why it cannot be read."""
    try:
        if not path.resolve(strict=True).is_relative_to(pack.resolve()):
            source.refuse(0, "lien symbolique qui sort du dossier du pack", "remplacer le lien par le fichier lui-même")
            return None
        if not stat.S_ISREG(path.stat().st_mode):
            source.refuse(0, "n'est pas un fichier ordinaire", "mettre à sa place un fichier YAML")
            return None
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        source.refuse(0, f"lecture impossible ({reason})", "vérifier que le fichier existe et ses droits de lecture")
        return None
    if len(data) > MAX_BYTES:
        source.refuse(
            0, f"dépasse {MAX_BYTES // 1024} Kio", "un fichier du pack tient en quelques pages : alléger celui-ci"
        )
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        source.refuse(line, "n'est pas encodé en UTF-8", "réenregistrer le fichier en UTF-8 depuis l'éditeur de texte")
        return None
    return text if _acceptable(source, text) else None


def _acceptable(source: Source, text: str) -> bool:
    """Tell whether the text has none of the characters that must not be there; record the first of each kind."""
    tab = text.find("\t")
    if tab >= 0:
        source.refuse(_line_at(text, tab), "contient une tabulation", "la remplacer par des espaces")
    hidden = _FORBIDDEN.search(text)
    if hidden:
        shown = f"U+{ord(hidden.group()):04X}"
        source.refuse(
            _line_at(text, hidden.start()), f"contient un caractère invisible ({shown})", "retaper cette ligne"
        )
    return tab < 0 and hidden is None


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _build(source: Source, text: str) -> Node:
    """Return the root mapping of the text. Raise _UnreadableError or YAMLError where reading cannot go on."""
    builder = _Builder(source)
    for event in _events(text):
        builder.feed(event)
    if builder.root is None:
        raise _UnreadableError(1, "le fichier est vide", "y écrire au moins les clés obligatoires, ou le supprimer")
    return builder.root


def _events(text: str) -> Iterator[Any]:
    """Yield the YAML events of the first document, refusing what this reader does not accept."""
    documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise _UnreadableError(line, f"renvoi YAML « *{event.anchor} »", "recopier la valeur à la place du renvoi")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _UnreadableError(line, "second document YAML (« --- »)", "garder un seul document par fichier")
        elif isinstance(event, yaml.NodeEvent):
            if event.anchor is not None:
                raise _UnreadableError(
                    line, f"ancre YAML « &{event.anchor} »", "supprimer l'ancre et écrire chaque valeur"
                )
            tag = getattr(event, "tag", None)
            if tag is not None:
                shown = tag.replace("tag:yaml.org,2002:", "!!")
                raise _UnreadableError(
                    line, f"étiquette YAML « {shown} »", "supprimer l'étiquette, ou mettre la valeur entre guillemets"
                )
            yield event
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            yield event


class _Builder:
    """Turns events into nodes, with its own stack: a hostile file cannot exhaust Python's."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Node | None = None
        self.open: list[Node] = []
        self.keys: list[tuple[str, int] | None] = []

    def feed(self, event: Any) -> None:
        """Take one event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.open.pop()
            self.keys.pop()
        else:
            self._container(event)

    def _scalar(self, event: Any) -> None:
        line: int = event.start_mark.line + 1
        text: str = event.value
        if self._expects_key():
            self.keys[-1] = (text, line)
            return
        if not event.style:
            value = plain_value(text)
            if starts_with_zero(text):
                self.source.refuse(
                    line,
                    f"« {text} » sans guillemets : YAML lit un nombre qui commence par 0 en base huit",
                    f'écrire "{text}" entre guillemets',
                )
            self._place(Node(line, value, text, plain=True))
            return
        if _CONTROL.search(text):
            self.source.refuse(
                line,
                "valeur avec un saut de ligne ou un caractère invisible",
                "écrire la valeur sur une ligne, entre guillemets",
            )
        self._place(Node(line, text, text))

    def _container(self, event: Any) -> None:
        line: int = event.start_mark.line + 1
        mapping = isinstance(event, yaml.MappingStartEvent)
        if self._expects_key():
            raise _UnreadableError(line, "clé composée", "écrire « clé: valeur », la clé étant un simple mot")
        if len(self.open) >= MAX_DEPTH:
            raise _UnreadableError(
                line, f"plus de {MAX_DEPTH} niveaux imbriqués", "reprendre la structure du fichier d'exemple"
            )
        node = Node(line, {}, children={}) if mapping else Node(line, [], children=[])
        self._place(node)
        self.open.append(node)
        self.keys.append(None)

    def _expects_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].children, dict) and self.keys[-1] is None

    def _place(self, node: Node) -> None:
        """Put a finished scalar, or a container just opened, where it belongs."""
        if not self.open:
            if not isinstance(node.children, dict):
                raise _UnreadableError(
                    node.line, "le fichier n'est pas une liste de « clé: valeur »", "reprendre le fichier d'exemple"
                )
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent.children, list):
            parent.children.append(node)
            parent.value.append(node.value)
            return
        key = self.keys[-1]
        assert key is not None and parent.children is not None  # noqa: S101, PT018 - a key always comes first
        name, node.line = key
        self.keys[-1] = None
        if name in parent.children:
            first = parent.children[name].line
            self.source.refuse(node.line, f"clé « {name} » en double (déjà ligne {first})", "garder une seule des deux")
            return
        if _CONTROL.search(name):
            self.source.refuse(node.line, "clé avec un caractère invisible", "retaper cette clé")
        parent.children[name] = node
        parent.value[name] = node.value


def _refuse_code(source: Source, root: Node, free: tuple[str, ...]) -> None:
    """Record every value or key that looks like template or shell code: no value of a pack needs any."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node.children, dict):
            for key, below in node.children.items():
                if _CODE.search(key):
                    _refuse_one(source, below.line, key)
                if key not in free:
                    waiting.append(below)
        elif isinstance(node.children, list):
            waiting.extend(node.children)
        elif isinstance(node.value, str) and _CODE.search(node.value):
            _refuse_one(source, node.line, node.value)


def _refuse_one(source: Source, line: int, text: str) -> None:
    reason = f"« {forbidden_code(text)} » : le pack ne contient ni modèle ni commande"
    source.refuse(line, reason, "écrire la valeur en toutes lettres")
