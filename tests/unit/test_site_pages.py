# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page of a site: well formed, light, alone, complete, and untouched by what its data could smuggle in."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from inventory_samples import make_pack
from site_samples import FILES, PDF, TODAY, commune, links_resolve, make_data, pages, parse, png, render, write

from packmairie.briques.presence_site import site_data
from packmairie.inventory.loader import load_pack
from packmairie.site_mairie.content import read_content
from packmairie.site_mairie.data import commune_of, load_commune
from packmairie.site_mairie.pages import MAX_PAGE, render_site

EXTERNAL = re.compile(r"(?i)https?:|//")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Any]:
    return make_data(tmp_path_factory.mktemp("data"), coat=png())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("contenu"), FILES)


@pytest.fixture(scope="module")
def site(data, folder):
    return render(data, folder)


def loaded(tree) -> Iterator[str]:
    """Yield every address that a browser would fetch by itself to show a page."""
    for element in tree.iter():
        for attribute in ("src", "srcset", "poster", "data", "background", "action", "formaction"):
            if attribute in element.attrib:
                yield element.attrib[attribute]
        fetched = {
            "stylesheet",
            "icon",
            "preload",
            "prefetch",
            "preconnect",
            "dns-prefetch",
            "modulepreload",
            "manifest",
        }
        if element.tag == "link" and fetched & set(element.attrib.get("rel", "").split()):
            yield element.attrib["href"]


def test_expected_pages(site):
    assert {name for name in site.files if name.endswith(".html")} >= {
        "index.html",
        "404.html",
        "mairie/index.html",
        "actualites/index.html",
        "actualites/2026-11-20-fete/index.html",
        "documents/index.html",
        "documents/2026/index.html",
        "documents/sans-date/index.html",
        "demarches/index.html",
        "vie-associative/index.html",
        "mentions-legales/index.html",
        "confidentialite/index.html",
        "accessibilite/index.html",
        "plan-du-site/index.html",
    }
    assert site.problems == []
    assert {"robots.txt", "sitemap.xml", "favicon.svg", "blason.png", "actualites/flux.xml"} <= set(site.files)


def test_every_page_is_well_formed_french_and_structured(site):
    for name, tree in pages(site).items():
        html = tree if tree.tag == "html" else tree.find("html")
        assert html.attrib["lang"] == "fr"
        tags = [element.tag for element in tree.iter()]
        for tag, count in {"h1": 1, "main": 1, "header": 1, "footer": 1, "title": 1}.items():
            assert tags.count(tag) == count, (name, tag)
        assert not {"script", "style", "iframe", "form", "object", "embed", "base"} & set(tags)
        for element in tree.iter():
            assert "style" not in element.attrib
            assert not [key for key in element.attrib if key.startswith("on")]
        identities = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
        assert len(identities) == len(set(identities))
        levels = [int(str(tag)[1]) for tag in tags if re.fullmatch("h[1-6]", str(tag))]
        assert all(below <= above + 1 for above, below in pairwise(levels)), name
        skip = next(element for element in tree.iter() if element.tag == "a")
        assert skip.attrib["href"] == "#contenu"
        assert "contenu" in identities


def test_titles_and_descriptions_are_all_different(site):
    titles = [next(e.text for e in tree.iter() if e.tag == "title") for tree in pages(site).values()]
    assert len(titles) == len(set(titles))
    for tree in pages(site).values():
        description = next(e.attrib["content"] for e in tree.iter() if e.attrib.get("name") == "description")
        assert 15 < len(description) <= 200


def test_nothing_is_asked_of_another_site(site):
    for name, tree in pages(site).items():
        for address in loaded(tree):
            assert address.startswith("/"), (name, address)
            assert not address.startswith("//")
            assert address[1:] in site.files, (name, address)
    for name, content in site.files.items():
        if name.endswith((".css", ".svg")):
            text = content.decode().replace('xmlns="http://www.w3.org/2000/svg"', "")
            assert not EXTERNAL.search(text), name
            assert "@import" not in text
            assert not re.search("<(script|image|use|foreignObject|style|a)\\b", text)
            for address in re.findall(r"url\(([^)]*)\)", text):
                assert address.strip("'\"")[1:] in site.files


def test_the_policy_that_the_pages_are_made_for(site):
    """``default-src 'none'; style-src 'self'; img-src 'self'``: nothing inline, nothing else."""
    for content in (text for name, text in site.files.items() if name.endswith(".html")):
        assert b"<style" not in content
        assert b" style=" not in content
        assert b"<script" not in content


def weights(rendered) -> dict[str, int]:
    """Return for each page its octets with all that it loads."""
    shared = sum(len(content) for name, content in rendered.files.items() if name.startswith("paysage-"))
    return {
        name: len(rendered.files[name]) + shared + sum(len(rendered.files[a[1:]]) for a in set(loaded(tree)))
        for name, tree in pages(rendered).items()
    }


def test_weight(site):
    assert max(weights(site).values()) < MAX_PAGE
    assert max(len(c) for name, c in site.files.items() if name.endswith(".css")) <= 12_000


@pytest.mark.slow
def test_the_heaviest_site_still_weighs_less(data, tmp_path):
    files: dict[str, str | bytes] = {
        f"actualites/2026-10-{n:02}-a{n}.md": "# " + "T" * 140 + f"\n\n{'mot ' * 60}" for n in range(1, 31)
    }
    files["actualites/2026-09-01-long.md"] = "- a\n" * 4900
    files["actualites/2026-09-02-table.md"] = "|a|\n|-|\n" + "|b|\n" * 4900
    files["actualites/2026-09-03-moyen.md"] = "Un paragraphe de taille moyenne.\n\n" * 250
    files |= {f"documents/2026-01-{n % 28 + 1:02} Délibération {'x' * 100} {n} fin.pdf": PDF for n in range(130)}
    files |= {f"pages/page-{n}.md": f"# Page {'p' * 120} {n}\n\nTexte" for n in range(12)}
    heavy = copy.deepcopy(data)
    heavy["blason"] = site_coat(png(filler=11_000))
    heavy["presentation"] = ["é" * 400] * 6
    heavy["elus"] = [{"fonction": "Conseillère municipale déléguée", "nom": "Prénom Nom-Composé (exemple)"}] * 30
    heavy["liens"] = [
        {"titre": "t" * 80, "adresse": "https://www.exemple.fr/" + "a" * 120, "description": "d" * 120}
    ] * 20
    rendered = render(heavy, write(tmp_path, files))
    assert max(weights(rendered).values()) < MAX_PAGE
    assert [p for p in rendered.problems if "trop long" in p]
    assert "actualites/2026-09-03-moyen/index.html" in rendered.files
    assert "actualites/page-3/index.html" in rendered.files
    assert "documents/2026/page-4/index.html" in rendered.files
    links_resolve(rendered)


def site_coat(content: bytes) -> dict[str, Any]:
    import base64

    return {"extension": "png", "largeur": 32, "hauteur": 32, "contenu": base64.b64encode(content).decode()}


def test_every_internal_link_leads_somewhere(site):
    links_resolve(site)


def test_site_map_is_complete(site):
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    found = [e.text for e in ElementTree.fromstring(site.files["sitemap.xml"]).iter(f"{space}loc")]
    origin = "https://www.riencourt-les-bapaume.fr/"
    expected = {
        origin + name.removesuffix("index.html") for name in site.files if name.endswith(".html") and name != "404.html"
    }
    assert sorted(found) == sorted(expected)
    assert f"Sitemap: {origin}sitemap.xml" in site.files["robots.txt"].decode()


def test_feed(site):
    tree = ElementTree.fromstring(site.files["actualites/flux.xml"])
    space = "{http://www.w3.org/2005/Atom}"
    assert [e.findtext(f"{space}title") for e in tree.iter(f"{space}entry")] == ["Fête du village", "Travaux"]


def test_microdata_and_open_graph(site):
    home = pages(site)["index.html"]
    items = [e.attrib.get("itemtype") for e in home.iter() if "itemtype" in e.attrib]
    assert items == ["https://schema.org/GovernmentOffice", "https://schema.org/PostalAddress"]
    hours = [e.attrib["content"] for e in home.iter() if e.attrib.get("itemprop") == "openingHours"]
    assert hours == ["Tu 14:00-18:00"], "the secretary's hours replace those of the commune's file"
    properties = {e.attrib["property"]: e.attrib["content"] for e in home.iter() if "property" in e.attrib}
    assert {"og:title", "og:type", "og:url", "og:locale", "og:description", "og:site_name", "og:image"} <= set(
        properties
    )
    assert properties["og:url"] == "https://www.riencourt-les-bapaume.fr/"


def test_accessibility_statement_tells_the_truth(data):
    plain = {
        **data["accessibilite"],
        "etat": "non conforme",
        "declaration": "",
        "audit_par": "",
        "taux": None,
        "non_accessible": [],
    }
    text = render(data, accessibilite=plain).files["accessibilite/index.html"].decode()
    assert "<strong>non conforme</strong>" in text
    assert "faute d’audit de conformité en cours de validité" in text
    assert "Aucun audit complet" in text
    assert "Défenseur des droits" in text
    assert "Accessibilité&nbsp;: non conforme" in render(data, accessibilite=plain).files["index.html"].decode()
    audited = render(data).files["accessibilite/index.html"].decode()
    assert "62&nbsp;% des critères" in audited


def test_legal_notice(site):
    text = site.files["mentions-legales/index.html"].decode()
    for part in ("21620708400015", "Maire (exemple)", "Hébergeur d’exemple", "03\u00a053\u00a001\u00a000\u00a011"):
        assert part in text


def test_same_input_same_bytes(data, folder):
    assert render(data, folder).files == render(json.loads(json.dumps(data)), folder).files


def test_closures_and_news_follow_the_day(data, tmp_path):
    folder = write(tmp_path, {"actualites/2026-11-25-demain.md": "# Demain\n\nx\n", **FILES})
    content = read_content(folder)
    today = render_site(commune(data), content, TODAY)
    assert "actualites/2026-11-25-demain/index.html" not in today.files
    assert [p for p in today.problems if "paraîtra le 25/11/2026" in p]
    later = render_site(commune(data), content, TODAY.replace(year=2027, month=1, day=3))
    assert "actualites/2026-11-25-demain/index.html" in later.files
    assert "Fermeture exceptionnelle" in today.files["index.html"].decode()
    assert "Fermeture exceptionnelle" not in later.files["index.html"].decode()


def test_the_register_alone_makes_a_site(tmp_path):
    pack = load_pack(make_pack(tmp_path / "pack", "62708"))
    rendered = render_site(commune_of(site_data(pack.commune("62708"), pack)), read_content(tmp_path / "rien"), TODAY)
    links_resolve(rendered)
    home = rendered.files["index.html"].decode()
    assert "contact@riencourt-les-bapaume.fr" in home.replace("<wbr>", "")
    assert "ne sont pas encore indiqués" in home
    assert max(weights(rendered).values()) < 30_000


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": 2}, "version"),
        ({"couleur": "red;}*{display:none"}, "couleur"),
        ({"couleur": "#f2c300"}, "4,50:1"),
        ({"hote": "../etc"}, "hote"),
        ({"profil_acheteur": "javascript:alert(1)"}, "profil_acheteur"),
        ({"blason": {"contenu": "PHN2Zz4="}}, "PNG, JPEG ou WebP"),
        ({"horaires": {}}, "incomplètes"),
    ],
)
def test_altered_data_is_refused(data, changes, told):
    with pytest.raises(ValueError, match=told):
        commune(data, **changes)


def test_load_commune(data, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert load_commune(path).nom == "Riencourt-lès-Bapaume"
    path.write_text(" " * 600_000, encoding="utf-8")
    with pytest.raises(ValueError, match="plus de"):
        load_commune(path)


def test_strict_parser_is_strict():
    with pytest.raises(Exception, match=r"\w"):
        parse(b"<!DOCTYPE html><p><div></p>")
