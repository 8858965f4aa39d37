# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commune's data, its YAML and its secretary's files could smuggle into its pages: nothing passes.

Every field by every attack is slow for a unit test: it stands here.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from inventory_samples import RICH, RIENCOURT, make_pack
from site_samples import FILES, PDF, TODAY, links_resolve, make_data, pages, png, render, shape, shape_of, write

from packmairie.briques.presence_site import site_data
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import PackmairieError
from packmairie.site_mairie.content import read_content
from packmairie.site_mairie.data import commune_of
from packmairie.site_mairie.pages import render_site

ATTACKS = (
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "<!-- x",
    "]]><x>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "&lt;script&gt;&#60;script&#62;",
    "{{ 7*191 }}",
    "{% raw %}${7*191}<%= 1337 %>",
    "../../../etc/passwd",
    "\u202egnp.exe\u2066x\u200b",
    "a\x00b\x1b[31m",
    "url(https://evil.example/)",
    "a" * 5000,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Any]:
    return make_data(tmp_path_factory.mktemp("data"), coat=png())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("contenu"), FILES)


@pytest.fixture(scope="module")
def site(data, folder):
    return render(data, folder)


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every text of the generator's input."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from texts(inner, (*path, number))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda text: ascii(text[:24]))
def test_injection_in_every_field_of_the_data(data, folder, site, attack):
    expected = shape(site)
    accepted = 0
    for path in texts(data):
        changed = copy.deepcopy(data)
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = attack
        try:
            rendered = render(changed, folder)
        except ValueError:
            continue
        accepted += 1
        assert {name for name in rendered.files if name.endswith(".html")} == set(expected)
        different = {name: content for name, content in rendered.files.items() if site.files.get(name) != content}
        for name, content in different.items():
            if name.endswith(".html"):
                assert shape_of(content) == expected[name], (path, attack)
            if not name.endswith(".png"):
                assert not re.search("[\x00-\x08\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", content.decode()), (
                    path
                )
                assert b"1337" not in content or "1337" in attack
                assert not re.search(rb"""href=["']?\s*(javascript|data|vbscript):""", content, re.I)
        for name in rendered.files:
            assert re.fullmatch(r"[a-z0-9][a-z0-9./-]*", name), name
            assert ".." not in name
    assert accepted >= 15


@pytest.mark.parametrize("attack", ATTACKS[:12], ids=lambda text: ascii(text[:24]))
def test_injection_in_every_line_of_the_yaml(tmp_path, attack):
    """What the model lets through must reach the pages as text."""
    pack = make_pack(tmp_path / "pack", "62708")
    sound = RICH.replace('existant:\n  presence: "Prestataire d\'exemple"\n', "").partition("  redirections:")[0]
    path = pack / "communes" / RIENCOURT
    path.write_text(sound, encoding="utf-8")
    sound_pack = load_pack(pack)
    before = render_site(commune_of(site_data(sound_pack.commune("62708"), sound_pack)), read_content(tmp_path), TODAY)
    expected = shape(before)
    lines = sound.splitlines()
    for number in range(lines.index("site:"), len(lines)):
        head = re.match(r'^(\s*(?:- )?[a-z_]+: )("|\[")', lines[number])
        if not head:
            continue
        changed = list(lines)
        changed[number] = head[1] + json.dumps([attack] if "[" in head[2] else attack, ensure_ascii=False)
        path.write_text("\n".join(changed) + "\n", encoding="utf-8")
        try:
            after = load_pack(pack)
        except PackmairieError:
            continue
        rendered = render_site(commune_of(site_data(after.commune("62708"), after)), read_content(tmp_path), TODAY)
        for name, content in rendered.files.items():
            if name.endswith(".html") and before.files.get(name) != content:
                assert shape_of(content) == expected[name], lines[number]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda text: ascii(text[:24]))
def test_injection_in_the_secretary_s_files(data, tmp_path, attack):
    folder = tmp_path / "contenu"
    write(
        folder,
        {
            "actualites/2026-11-01-a.md": f"# {attack}\n\n{attack}\n\n[x]({attack})\n\n- {attack}\n",
            "pages/b.md": f"# {attack}\n\n> {attack}\n",
            "horaires.txt": f"Lundi : 9h-12h\nFermeture : 01/12/2026 ({attack[:60]})\nNote : {attack}\n",
        },
    )
    name = re.sub(r"[/\x00]", "", attack)[:80]
    write(folder, {f"documents/{name}.pdf": PDF, f"documents/2026-01-01 {name}.pdf": PDF})
    rendered = render(data, folder)
    for page, tree in pages(rendered).items():
        tags = {str(element.tag) for element in tree.iter()}
        assert not {"script", "style", "iframe", "svg", "x"} & tags, page
        for element in tree.iter():
            assert not [key for key in element.attrib if key.startswith("on")]
            assert not re.match(r"\s*(javascript|data):", element.attrib.get("href", ""), re.I)
    ElementTree.fromstring(rendered.files["actualites/flux.xml"])
    ElementTree.fromstring(rendered.files["sitemap.xml"])
    for target in [*rendered.files, *rendered.documents]:
        assert re.fullmatch(r"[a-z0-9][a-z0-9./-]*", target), target
        assert ".." not in target
    links_resolve(rendered)
