# SPDX-License-Identifier: GPL-3.0-or-later
"""What the secretary writes, read from the commune's folder: news, pages, documents, opening hours.

Whatever the folder holds, reading it ends and gives something: what cannot be published is left out and told.

    actualites/2026-11-20-titre.md      pages/vie-associative.md
    documents/2026-03-12 Délibération budget.pdf      horaires.txt
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from .files import RefusedError, check_file, is_text, names_in, opened_folder, read_bounded
from .opening_hours import Hours, parse_text
from .wording import clean, clean_line, slug

NEWS, PAGES, DOCUMENTS, HOURS = "actualites", "pages", "documents", "horaires.txt"
HISTORY = ".versions"
MAX_NEWS, MAX_PAGES, MAX_DOCUMENTS = 400, 12, 800
MAX_TEXT = 20_000
"""Octets of a Markdown file."""
MAX_PDF = 15_000_000
MAX_DOCUMENTS_TOTAL = 1_000_000_000
RESERVED = frozenset(
    [
        "accueil",
        "mairie",
        "actualites",
        "documents",
        "demarches",
        "mentions-legales",
        "confidentialite",
        "accessibilite",
        "plan-du-site",
        "index",
        "style",
        "paysage",
        "favicon",
        "blason",
        "sitemap",
        "robots",
        "404",
        "well-known",
    ]
)
"""Slugs that a page of the secretary may not take."""
CATEGORIES = (
    ("deliberation", "Délibérations"),
    ("arrete", "Arrêtés"),
    ("proces-verbal", "Procès-verbaux"),
    ("pv-", "Procès-verbaux"),
    ("compte-rendu", "Comptes rendus"),
    ("budget", "Budget"),
    ("bulletin", "Bulletins municipaux"),
)
OTHER_CATEGORY = "Autres documents"
_DATED = re.compile(r"(\d{4})-(\d{2})-(\d{2})[-_ ]+(.+)")
_TITLE = re.compile(r"\A\s*#[ \t]+([^\n]+)\n?")


@dataclass(frozen=True)
class Text:
    """A piece of news or a page: its slug on the site, its title, its Markdown, its day when it has one."""

    file: str
    slug: str
    title: str
    body: str
    day: date | None = None


@dataclass(frozen=True)
class Document:
    """A PDF to publish: the file in the folder, its name on the site, title, category, day and size in octets."""

    file: str
    name: str
    title: str
    category: str
    day: date | None
    size: int


@dataclass
class Content:
    """What can be published, and what is left out and why, one French sentence each."""

    news: list[Text] = field(default_factory=list)
    pages: list[Text] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    hours: Hours | None = None
    problems: list[str] = field(default_factory=list)


def read_content(folder: Path) -> Content:
    """Given the folder of a commune, return what it holds; an absent one holds nothing. Never raises."""
    content = Content()
    try:
        with opened_folder(folder) as root:
            _read(content, root)
    except FileNotFoundError:
        pass
    except OSError as error:
        content.problems.append(f"contenu : illisible ({error.strerror})")
    return content


def _read(content: Content, root: int) -> None:
    known = {NEWS, PAGES, DOCUMENTS, HOURS}
    names, _more = names_in(root, 100)
    for name in names:
        if name not in known and name != HISTORY:
            content.problems.append(f"{_shown(name)} : ignoré (le site lit {', '.join(sorted(known))})")
    content.hours = _read_hours(content, root) if HOURS in names else None
    with _folder(content, root, NEWS, names) as news:
        content.news = sorted(
            _texts(content, news, NEWS, MAX_NEWS, dated=True),
            key=lambda text: (text.day or date.min, text.slug),
            reverse=True,
        )
    with _folder(content, root, PAGES, names) as pages:
        content.pages = list(_texts(content, pages, PAGES, MAX_PAGES, dated=False))
    with _folder(content, root, DOCUMENTS, names) as documents:
        content.documents = sorted(
            _documents(content, documents), key=lambda item: (item.day or date.min, item.name), reverse=True
        )


@contextmanager
def _folder(content: Content, root: int, name: str, names: list[str]) -> Iterator[int | None]:
    """Give the descriptor of a subfolder, or None when there is none that can be read."""
    if name not in names:
        yield None
        return
    try:
        opened = opened_folder(name, root)
        descriptor = opened.__enter__()
    except OSError:
        content.problems.append(f"{name} : n'est pas un dossier lisible, ignoré")
        yield None
        return
    try:
        yield descriptor
    finally:
        opened.__exit__(None, None, None)


def _shown(name: str) -> str:
    return clean_line(name.encode("utf-8", "replace").decode("utf-8", "replace"), 80) or "?"


def _read_hours(content: Content, root: int) -> Hours | None:
    try:
        return parse_text(clean(read_bounded(root, HOURS, MAX_TEXT).decode("utf-8")))
    except RefusedError as error:
        content.problems.append(f"{HOURS} : {error}")
    except UnicodeDecodeError:
        content.problems.append(f"{HOURS} : n'est pas en UTF-8 ; les horaires habituels restent affichés")
    except ValueError as error:
        content.problems.append(f"{HOURS} : {error} ; les horaires habituels restent affichés")
    return None


def _candidates(content: Content, folder: int | None, label: str, extension: str, limit: int) -> Iterator[str]:
    """Yield the names of a subfolder that could be published; tell the others."""
    if folder is None:
        return
    names, more = names_in(folder, limit)
    if more:
        content.problems.append(f"{label} : plus de {limit} fichiers, les suivants sont ignorés")
    for name in names:
        if name.startswith("."):
            content.problems.append(f"{label}/{_shown(name)} : fichier caché, ignoré")
        elif not is_text(name):
            content.problems.append(f"{label}/{_shown(name)} : nom illisible (pas en UTF-8), ignoré : le renommer")
        elif not name.casefold().endswith(extension):
            content.problems.append(f"{label}/{_shown(name)} : n'est pas un fichier {extension}, ignoré")
        else:
            yield name


def _texts(content: Content, folder: int | None, label: str, limit: int, *, dated: bool) -> Iterator[Text]:
    taken: set[str] = set()
    for name in _candidates(content, folder, label, ".md", limit):
        assert folder is not None  # noqa: S101 - there are no candidates without a folder
        try:
            text = _text(name, read_bounded(folder, name, MAX_TEXT), dated=dated)
            if text.slug in taken:
                raise RefusedError("a la même adresse qu'un autre fichier, ignoré")
        except RefusedError as error:
            content.problems.append(f"{label}/{_shown(name)} : {error}")
            continue
        taken.add(text.slug)
        yield text


def _text(name: str, data: bytes, *, dated: bool) -> Text:
    """Return the text of a file. Raise RefusedError."""
    try:
        source = clean(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise RefusedError("n'est pas en UTF-8, ignoré") from None
    stem = name[: -len(".md")]
    day, words = _split_day(stem)
    if dated and day is None:
        raise RefusedError("le nom doit commencer par la date, AAAA-MM-JJ-titre.md")
    title = _TITLE.match(source)
    shown = clean_line(title.group(1).rstrip("# "), 150) if title else _from_words(words)
    body = source[title.end() :] if title else source
    base = slug(words if dated else stem)
    if not shown or not base:
        raise RefusedError("sans titre, ignoré")
    if not body.strip():
        raise RefusedError("vide, ignoré")
    if not dated and base in RESERVED:
        raise RefusedError("porte le nom d'une page du site : le renommer")
    address = f"{day.isoformat()}-{base}" if dated and day else base
    return Text(name, address, shown, body, day)


def _documents(content: Content, folder: int | None) -> Iterator[Document]:
    taken: set[str] = set()
    total = 0
    for name in _candidates(content, folder, DOCUMENTS, ".pdf", MAX_DOCUMENTS):
        assert folder is not None  # noqa: S101 - there are no candidates without a folder
        try:
            size = check_file(folder, name, MAX_PDF).st_size
            _check_pdf(folder, name)
            if total + size > MAX_DOCUMENTS_TOTAL:
                raise RefusedError("les documents dépassent 1 Go, ignoré")
            document = _document(name, size)
            if document.name in taken:
                raise RefusedError("a la même adresse qu'un autre document, ignoré")
        except RefusedError as error:
            content.problems.append(f"{DOCUMENTS}/{_shown(name)} : {error}")
            continue
        total += size
        taken.add(document.name)
        yield document


def _check_pdf(folder: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        start = os.pread(descriptor, 1024, 0)
    finally:
        os.close(descriptor)
    if not is_pdf(start):
        raise RefusedError("n'est pas un document PDF, ignoré")


def is_pdf(start: bytes) -> bool:
    """Tell whether the first octets of a file are those of a PDF (ISO 32000-2 §7.5.2)."""
    return start.startswith((b"%PDF-1.", b"%PDF-2."))


def _document(name: str, size: int) -> Document:
    day, words = _split_day(name[: -len(".pdf")])
    title = _from_words(words)
    base = slug(words)
    if not title or not base:
        raise RefusedError("sans titre, ignoré")
    if base != slug(words, 1000):
        # Long names often differ by their ends only.
        base += f"-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:6]}"
    published = f"{day.isoformat()}-{base}.pdf" if day else f"{base}.pdf"
    return Document(name, published, title, category_of(words), day, size)


def category_of(words: str) -> str:
    """Given the words of a document's name, return the heading under which it is listed."""
    base = slug(words)
    for start, label in CATEGORIES:
        if base.startswith(start):
            return label
    return OTHER_CATEGORY


def _split_day(stem: str) -> tuple[date | None, str]:
    """Return the day that starts a file's name, if any, and the rest."""
    found = _DATED.fullmatch(stem)
    if not found:
        return None, stem
    try:
        return date(int(found[1]), int(found[2]), int(found[3])), found[4]
    except ValueError:
        return None, stem


def _from_words(words: str) -> str:
    """Return a title made from a file's name: spaces for hyphens unless the name has spaces, first letter capital."""
    text = clean_line(words if " " in words.strip() else re.sub(r"[-_]+", " ", words), 150)
    return text[:1].upper() + text[1:]
