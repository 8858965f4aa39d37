# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of a commune's site, from its data and the secretary's content: the same input gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from . import wording
from .colour import INK, PAPER
from .compact import compact, hashed, squeeze
from .content import CATEGORIES, OTHER_CATEGORY, Content, Document, Text
from .data import Commune, Link
from .feeds import atom, robots, sitemap
from .landscape import favicon, landscape
from .markdown import inline_html, summary, to_html
from .opening_hours import DAYS, Hours, spoken_slot

MAX_PAGE = 50_000
"""Octets of a page with everything that it loads."""
SHELL = 9_000
"""Octets that a page needs around the text of the secretary, at most."""
NEWS_PER_PAGE = 12
DOCUMENTS_PER_PAGE = 40
NEWS_ON_HOME, DOCUMENTS_ON_HOME, LINKS_ON_HOME = 3, 4, 5
PAGES_IN_MENU = 3
SERVICE_PUBLIC = "https://www.service-public.gouv.fr/particuliers/vosdroits/"
NATIONAL = (
    Link("Demander un acte de naissance", f"{SERVICE_PUBLIC}F1427"),
    Link("Faire ou refaire sa carte d'identité", f"{SERVICE_PUBLIC}N358"),
    Link("S'inscrire sur la liste électorale", f"{SERVICE_PUBLIC}F1367"),
    Link("Se faire recenser à 16 ans", f"{SERVICE_PUBLIC}F870"),
    Link("Demander un permis de construire", f"{SERVICE_PUBLIC}F1986"),
)


@dataclass(frozen=True)
class Entry:
    """A page as menus and the site map name it."""

    path: str
    title: str
    children: tuple[Entry, ...] = ()


@dataclass
class Page:
    """What the layout needs to know of a page."""

    path: str
    title: str
    description: str
    site: str
    section: str = ""
    """The menu entry that this page is under."""
    kind: str = "website"
    """Type of the page for Open Graph."""
    indexed: bool = True
    trail: tuple[Entry, ...] = ()
    previous: str = ""
    next: str = ""
    year_path: str = ""
    changed: date | None = None

    @property
    def full_title(self) -> str:
        """Return the title of the page with the site's name."""
        return self.site if self.path == "/" else f"{self.title} – {self.site}"


@dataclass
class Rendered:
    """A whole site: its files by path, the documents to copy (path on the site → secretary's file), what is amiss."""

    files: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def render_site(commune: Commune, content: Content, today: date) -> Rendered:
    """Given a commune, its content and the day, return its whole site.

    The day decides which closures are over and which news is due; nothing else depends on the clock.
    """
    return _Site(commune, content, today).render()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters.update(
        of=wording.of_name,
        fr=wording.typography,
        day=wording.long_date,
        period=wording.period,
        phone=wording.phone,
        tel=wording.phone_link,
        size=wording.size_text,
        summary=summary,
        number=lambda value: f"{value:,}".replace(",", "\u202f"),
        breakable=_breakable,
    )
    environment.globals["week"] = _week
    return environment


def _breakable(address: str) -> Markup:
    """Return an address that may break after its @ and its dots."""
    return Markup(re.sub(r"([@.-])", r"\1<wbr>", str(escape(address))))  # noqa: S704 - escaped just above


def _week(hours: Hours) -> list[tuple[str, list[str]]]:
    """Return each day and its slots in words; a Sunday or Saturday without hours is left out."""
    rows = [(DAYS[day], [spoken_slot(slot) for slot in slots]) for day, slots in enumerate(hours.week)]
    while len(rows) > 5 and not rows[-1][1]:
        rows.pop()
    return rows


class _Site:
    """One site being rendered."""

    def __init__(self, commune: Commune, content: Content, today: date) -> None:
        self.commune = commune
        self.today = today
        self.rendered = Rendered(problems=list(content.problems))
        self.hours = self._hours(content)
        self.name = f"Mairie {wording.of_name(commune.nom)}"
        self.pages: list[Page] = []
        self.files = self.rendered.files
        self._assets()
        self.bodies: dict[str, str] = {}
        self.news = [item for item in content.news if self._due(item) and self._fits(item, "actualites")]
        self.texts = [item for item in content.pages if self._fits(item, "pages")]
        self.documents = content.documents
        self.extra = [Entry(f"/{item.slug}/", wording.typography(item.title)) for item in self.texts]
        self.navigation = [
            Entry("/", "Accueil"),
            Entry("/mairie/", "Mairie"),
            Entry("/actualites/", "Actualités"),
            Entry("/documents/", "Documents"),
            Entry("/demarches/", "Démarches"),
            *[entry for entry in self.extra[:PAGES_IN_MENU] if len(entry.title) <= 24],
        ]

    def _hours(self, content: Content) -> Hours:
        """Return the secretary's hours when there are some; closures of the commune's file stay."""
        own, given = self.commune.horaires, content.hours
        if given is None:
            return own
        # The same days told in both places are shown once, with the secretary's reason.
        closures = {(closure.first, closure.last): closure for closure in (*own.closures, *given.closures)}
        week = given.week if given.known else own.week
        return Hours(week, tuple(closures[days] for days in sorted(closures)), given.note or own.note)

    def _due(self, item: Text) -> bool:
        if item.day is not None and item.day > self.today:
            self.rendered.problems.append(f"actualites/{item.file} : paraîtra le {item.day:%d/%m/%Y}")
            return False
        return True

    def _assets(self) -> None:
        commune = self.commune
        drawing = landscape(commune.insee, commune.palette).encode()
        drawing_name = hashed("paysage", drawing, "svg")
        style = _environment().get_template("style.css.j2")
        sheet = style.render(p=commune.palette, paper=PAPER, ink=INK, landscape=f"/{drawing_name}")
        css = compact(sheet).encode()
        style_name = hashed("style", css, "css")
        icon = favicon(commune.nom, commune.palette).encode()
        self.files.update({drawing_name: drawing, style_name: css, "favicon.svg": icon})
        weight = len(drawing) + len(css) + len(icon)
        coat = commune.blason
        if coat:
            self.files[coat.name] = coat.content
            weight += len(coat.content)
        self.assets = {"style": style_name, "coat_width": round(coat.width * 44 / coat.height) if coat else 0}
        self.room = MAX_PAGE - weight - SHELL

    def _fits(self, item: Text, label: str) -> bool:
        """Render the text of the secretary; refuse what would make its page too heavy."""
        body = to_html(item.body)
        if len(body.encode()) > self.room:
            self.rendered.problems.append(f"{label}/{item.file} : trop long pour une page, à publier en PDF")
            return False
        self.bodies[item.slug] = body
        return True

    def _page(self, template: str, page: Page, **values: Any) -> None:
        text = (
            _environment()
            .get_template(f"{template}.html.j2")
            .render(
                c=self.commune,
                page=page,
                assets=self.assets,
                navigation=self.navigation,
                extra_pages=self.extra,
                horaires=self.hours,
                closures=self.hours.upcoming(self.today)[:4],
                **values,
            )
        )
        name = page.path.lstrip("/") + "index.html" if page.path.endswith("/") else page.path.lstrip("/")
        self.files[name] = squeeze(text).encode()
        if page.indexed:
            self.pages.append(page)

    def _make(self, path: str, title: str, description: str, **values: Any) -> Page:
        return Page(path, wording.typography(title), wording.typography(description), self.name, **values)

    def render(self) -> Rendered:
        """Return the whole site."""
        self._home()
        self._fixed_pages()
        self._news_pages()
        self._document_pages()
        for item in self.texts:
            page = self._make(f"/{item.slug}/", item.title, _about(item), section=f"/{item.slug}/")
            self._page("texte", page, item=item, body=Markup(self.bodies[item.slug]))  # noqa: S704 - made by markdown.py
        self._map_page()
        lost = self._make("/404.html", "Page introuvable", "La page demandée n'existe pas.", indexed=False)
        self._page("404", lost)
        origin = self.commune.origin
        self.files["actualites/flux.xml"] = atom(origin, self.name, self.news[:20], self.bodies).encode()
        self.files["sitemap.xml"] = sitemap(origin, [(page.path, page.changed) for page in self.pages]).encode()
        self.files["robots.txt"] = robots(origin).encode()
        return self.rendered

    def _home(self) -> None:
        commune = self.commune
        where = f" ({commune.departement})" if commune.departement else ""
        of = wording.of_name(commune.nom)
        about = f"Site officiel de la mairie {of}{where} : horaires, contact, actualités, démarches."
        links = [*commune.liens, *NATIONAL][:LINKS_ON_HOME]
        self._page(
            "accueil",
            self._make("/", commune.nom, about, section="/"),
            presentation=[Markup(inline_html(text)) for text in commune.presentation],  # noqa: S704 - made by markdown.py
            news=self.news[:NEWS_ON_HOME],
            more_news=len(self.news) > NEWS_ON_HOME,
            documents=self.documents[:DOCUMENTS_ON_HOME],
            links=links,
        )

    def _fixed_pages(self) -> None:
        of = wording.of_name(self.commune.nom)
        self._page(
            "mairie",
            self._make(
                "/mairie/", "La mairie", f"Horaires, adresse, contact et élus de la mairie {of}.", section="/mairie/"
            ),
        )
        self._page(
            "demarches",
            self._make("/demarches/", "Démarches", f"Les démarches des habitants {of}.", section="/demarches/"),
            national=NATIONAL,
        )
        for path, title, about in (
            ("mentions-legales", "Mentions légales", f"Éditeur et hébergeur du site de la mairie {of}."),
            ("confidentialite", "Confidentialité", f"Données personnelles sur le site de la mairie {of}."),
            ("accessibilite", "Déclaration d'accessibilité", f"Accessibilité du site de la mairie {of}."),
        ):
            self._page(path, self._make(f"/{path}/", title, about))

    def _news_pages(self) -> None:
        section = "/actualites/"
        about = f"Les actualités de la mairie {wording.of_name(self.commune.nom)}."
        for number, items, before, after in _pages_of(self.news, NEWS_PER_PAGE, section):
            first = number == 1
            page = self._make(
                section if first else f"{section}page-{number}/",
                "Actualités" if first else f"Actualités, page {number}",
                about,
                section=section,
                previous=before,
                next=after,
                trail=() if first else (Entry(section, "Actualités"),),
                changed=self.news[0].day if self.news and first else None,
            )
            self._page("actualites", page, news=items)
        for item in self.news:
            page = self._make(
                f"{section}{item.slug}/",
                item.title,
                _about(item),
                section=section,
                kind="article",
                trail=(Entry(section, "Actualités"),),
                changed=item.day,
            )
            self._page("texte", page, item=item, body=Markup(self.bodies[item.slug]))  # noqa: S704 - made by markdown.py

    def _document_pages(self) -> None:
        section = "/documents/"
        of = wording.of_name(self.commune.nom)
        by_year: dict[str, list[Document]] = {}
        for item in self.documents:
            by_year.setdefault(str(item.day.year) if item.day else "sans-date", []).append(item)
            self.rendered.documents[f"documents/{item.name}"] = f"documents/{item.file}"
        years = [Entry(f"{section}{year}/", year if year.isdigit() else "Sans date") for year in by_year]
        latest = (
            self.documents[:DOCUMENTS_PER_PAGE] if len(self.documents) <= DOCUMENTS_PER_PAGE else self.documents[:12]
        )
        about = f"Délibérations, arrêtés et documents publiés par la mairie {of}."
        changed = max((item.day for item in self.documents if item.day), default=None)
        self._page(
            "documents",
            self._make(section, "Documents", about, section=section, changed=changed),
            years=years,
            groups=_by_category(latest) if latest else [],
        )
        for entry, items in zip(years, by_year.values(), strict=True):
            for number, part, before, after in _pages_of(items, DOCUMENTS_PER_PAGE, entry.path):
                title = f"Documents {entry.title}" if entry.title.isdigit() else "Documents sans date"
                page = self._make(
                    entry.path if number == 1 else f"{entry.path}page-{number}/",
                    title if number == 1 else f"{title}, page {number}",
                    about,
                    section=section,
                    previous=before,
                    next=after,
                    year_path=entry.path,
                    trail=(Entry(section, "Documents"),),
                )
                self._page("documents", page, years=years, groups=_by_category(part))

    def _map_page(self) -> None:
        news = tuple(Entry(f"/actualites/{item.slug}/", item.title) for item in self.news[:NEWS_PER_PAGE])
        children = {"/actualites/": news}
        legal = [
            Entry("/mentions-legales/", "Mentions légales"),
            Entry("/confidentialite/", "Confidentialité"),
            Entry("/accessibilite/", "Déclaration d'accessibilité"),
        ]
        known = {entry.path for entry in self.navigation}
        plan = [Entry(entry.path, entry.title, children.get(entry.path, ())) for entry in self.navigation]
        plan += [entry for entry in self.extra if entry.path not in known]
        page = self._make("/plan-du-site/", "Plan du site", "Toutes les pages du site.")
        self._page("plan-du-site", page, plan=[*plan, *legal])


def _about(item: Text) -> str:
    """Return what search engines show of a text: its first words, after its title when they are few."""
    words = summary(item.body)
    return (
        words if len(words) >= 60 else f"{item.title} – {words}" if words else f"{item.title}, sur le site de la mairie"
    )


def _pages_of(items: Sequence[Any], size: int, path: str) -> Iterator[tuple[int, Sequence[Any], str, str]]:
    """Yield (number, items, path of the page before, path of the page after) for each page of a list, at least one."""
    total = max(1, -(-len(items) // size))

    def address(number: int) -> str:
        if not 1 <= number <= total:
            return ""
        return path if number == 1 else f"{path}page-{number}/"

    for number in range(1, total + 1):
        yield number, items[(number - 1) * size : number * size], address(number - 1), address(number + 1)


def _by_category(items: Iterable[Document]) -> list[tuple[str, list[Document]]]:
    """Return the documents under their headings, in the order of ``CATEGORIES``."""
    order = [*dict.fromkeys(label for _start, label in CATEGORIES), OTHER_CATEGORY]
    groups: dict[str, list[Document]] = {label: [] for label in order}
    for item in items:
        groups[item.category].append(item)
    return [(label, found) for label, found in groups.items() if found]
