# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML page: complete, self-contained, accessible in its structure, deaf to hostile values, light."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import pytest
from reports_samples import demo_report, fleet_report

from packmairie.model.commune import Commune
from packmairie.model.pack import Operateur
from packmairie.model.preuve import Preuve, State
from packmairie.reports.status_html import render_html
from packmairie.reports.status_report import Place
from packmairie.reports.territory_map import draw, landmarks, projection_of, registry_territory

VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% raw %}&amp;\x1b[2J\u202e\0"


class Page(HTMLParser):
    """A parse of the page that insists on every element being closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(text for tag, text in self.texts if tag != "style")


@pytest.fixture(scope="module")
def demo_page() -> Page:
    return Page(render_html(demo_report()))


def test_it_says_everything(demo_page: Page) -> None:
    text = demo_page.text
    report = demo_report()
    for preuve in report.preuves:
        assert preuve.measured in text
        assert preuve.expected in text
        assert preuve.remedy in text
        assert report.title_of(preuve) in text
    for words in (
        "Pack mairie connectée, démonstration",
        "24 novembre 2026 à 7 h 21",
        "Sur 3 communes, 1 fonctionne entièrement",
        "La plateforme partagée fonctionne.",
        "pack@lafibre5962.example",
        "ce relevé suit le calcul",
        "Riencourt-lès-Bapaume",
        "oeuf-en-ternois.fr",
    ):
        assert words in text


def test_structure_for_those_who_do_not_see_it(demo_page: Page) -> None:
    assert demo_page.all("html")[0]["lang"] == "fr"
    assert len(demo_page.all("h1")) == len(demo_page.all("main")) == 1
    assert demo_page.all("a")[0]["href"] == "#contenu"
    assert len(demo_page.all("caption")) == len(demo_page.all("table")) > 0
    assert all(cell.get("scope") in {"row", "col"} for cell in demo_page.all("th"))
    levels = [int(tag[1]) for tag, _ in demo_page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("aria-hidden" in attributes for attributes in demo_page.all("svg"))


def test_links_inside_the_page_lead_somewhere_and_identifiers_are_unique(demo_page: Page) -> None:
    identifiers = Counter(str(a["id"]) for _, a in demo_page.elements if "id" in a)
    assert set(identifiers.values()) == {1}
    targets = {str(a["href"])[1:] for _, a in demo_page.elements if str(a.get("href", "")).startswith("#")}
    assert targets <= set(identifiers)


def test_states_are_words_not_colours(demo_page: Page) -> None:
    cells = [text for tag, text in demo_page.texts if tag == "strong"]
    assert {"conforme", "non conforme", "non vérifié"} == set(cells)
    style = resources.files("packmairie.reports").joinpath("templates/rapport.css").read_text(encoding="utf-8")
    assert all(shape in style for shape in ('content:"✔"', 'content:"✘"', 'content:"?"'))


def assert_self_contained(text: str, page: Page) -> None:
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object", "embed", "form"}
    for tag, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on") or name in {"src", "srcset", "style"}}
        href = attributes.get("href")
        assert href is None or href.startswith(("#", "mailto:")), (tag, href)
    style = text.split("<style>")[1].split("</style>", maxsplit=1)[0]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_it_asks_nothing_of_the_network(demo_page: Page) -> None:
    assert_self_contained(render_html(demo_report()), demo_page)


def test_it_does_not_borrow_the_states_identity() -> None:
    text = render_html(demo_report()).lower()
    assert not re.search(r"marianne|dsfr|fr-header|#000091|#e1000f", text)


def test_hostile_values_stay_text() -> None:
    report = demo_report()
    first = report.communes[0]
    hostile_commune = Commune.model_construct(
        **{**first.__dict__, "nom": HOSTILE, "insee": HOSTILE, "existant": {HOSTILE: HOSTILE}}
    )
    preuves = [
        Preuve(
            commune=commune,
            brique=HOSTILE,
            check=HOSTILE + str(number),
            state=state,
            measured=HOSTILE,
            expected=HOSTILE,
            remedy=HOSTILE,
            rpnt=HOSTILE if number else "2.4",
        )
        for commune in (HOSTILE, "plateforme", "12345")
        for number, state in enumerate(State)
    ]
    hostile = replace(
        report,
        pack_name=HOSTILE,
        operator=Operateur.model_construct(nom=HOSTILE, courriel="a@b.example"),
        communes=(hostile_commune, *report.communes),
        preuves=tuple(preuves),
        territory=(Place(50.0, 2.0, HOSTILE), Place(51.0, 3.0)),
        titles={HOSTILE + "0": HOSTILE},
    )
    text = render_html(hostile)
    page = Page(text)
    assert_self_contained(text, page)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert not set("\x1b\u202e\0") & set(text)


def test_contrast_of_text_is_enough() -> None:
    style = resources.files("packmairie.reports").joinpath("templates/rapport.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", style))
    pairs = [(ink, ground) for ink in ("ink", "soft", "accent", "c", "n", "u") for ground in ("paper", "ground")]
    pairs += [(ink, f"{letter}-ground") for letter in "cnu" for ink in (letter, "ink")]
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast("#5b584d", "#ffffff") >= 4.5


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.1 §1.4.3)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.slow
def test_a_fleet_of_905_communes_with_25_checks_each_stays_light() -> None:
    report = fleet_report(905)
    assert len(report.preuves) == 905 * 25 + 4
    text = render_html(report)
    assert len(text.encode("utf-8")) < 6_000_000
    page = Page(text)
    assert len(page.all("article")) == 905
    # The platform, each commune, and the matrix.
    assert len(page.all("details")) == 905 + 2


def test_a_report_with_nothing_in_it_is_still_a_page() -> None:
    report = replace(demo_report(), communes=(), preuves=())
    page = Page(render_html(report))
    assert "Ce rapport ne porte sur aucune commune." in page.text
    assert page.all("svg") == []
    unchecked = Page(render_html(replace(demo_report(), preuves=())))
    assert "Aucun contrôle n'a été fait." in unchecked.text
    assert "RPNT" not in unchecked.text


def test_map_is_the_right_way_up_and_in_proportion() -> None:
    projection, width, height = projection_of([(50.0, 1.6), (51.1, 4.2)])
    west, south = projection.point(50.0, 1.6)
    east, north = projection.point(51.1, 4.2)
    assert west < east
    assert north < south
    # 2.6° of longitude are 185 km at 50.5° N, 1.1° of latitude are 122 km.
    assert (east - west) / (south - north) == pytest.approx(185 / 122, rel=0.02)
    assert east < width
    assert south < height


def test_map_shows_every_commune_over_its_territory() -> None:
    drawing = draw(demo_report())
    assert drawing is not None
    assert drawing.background.count("M") == 647 + 887
    assert {mark.name for mark in drawing.marks} == {"Riencourt-lès-Bapaume", "Œuf-en-Ternois", "Saint-Aubin"}
    assert drawing.marks[-1].state is State.NON_CONFORME
    assert {town.name for town in drawing.landmarks} >= {"Lille", "Calais"}
    alone = draw(replace(demo_report(), communes=demo_report().communes[:1], territory=()))
    assert alone is not None
    assert alone.background == ""
    assert all(0 <= mark.x <= alone.width and 0 <= mark.y <= alone.height for mark in alone.marks)


def test_landmarks_are_populous_and_apart() -> None:
    towns = [("Lille", 235_000, 50.63, 3.06), ("Roubaix", 98_000, 50.69, 3.17), ("Calais", 68_000, 50.95, 1.86)]
    assert landmarks(towns) == {"Lille", "Calais"}
    assert len(registry_territory(["59"])) == 647
