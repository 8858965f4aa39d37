# SPDX-License-Identifier: GPL-3.0-or-later
"""Markdown from anybody becomes safe HTML."""

from __future__ import annotations

import re
import time

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.site_mairie.markdown import inline_html, safe_link, summary, to_html

ALLOWED = {
    "p", "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "strong", "em", "s", "code",
    "pre", "a", "br", "hr", "h2", "h3", "h4", "div", "html", "head", "body",
}  # fmt: skip
ATTRIBUTES = {("a", "href"), ("ol", "start"), ("th", "scope"), ("div", "class"), ("div", "tabindex"), ("div", "role")}
ATTRIBUTES |= {("div", "aria-label")}

ATTACKS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/)",
    "[x](/\\evil.example/)",
    '[x](https://evil.example/"onmouseover="alert(1))',
    "[x](https://a@evil.example/)",
    "![x](https://evil.example/pixel.png)",
    '![x"onerror="alert(1)](x)',
    '![x](x "t" onload=alert(1))',
    "[x]: javascript:alert(1)\n\n[x]",
    "<https://evil.example/<script>>",
    "<javascript:alert(1)>",
    "`<script>`",
    "```html\n<script>alert(1)</script>\n```",
    "    <script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "<!-- --><b onclick=x>",
    "<![CDATA[<script>]]>",
    "<style>body{display:none}</style>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "| a |\n|:-:|\n| <img src=x onerror=alert(1)> |",
    "{{ 7*7 }} ${7*7} {% raw %} <%= 7*7 %>",
    '# <script>\n\n## x" onclick="',
    "\u202egnp.exe\u2066 \u200b zero",
    "\x00\x08\x1b[31m",
    "[a](<javascript:alert(1)>)",
    "1000000000. x",
    "****<script>****",
    "</p></main></body><script>",
)


def check(html: str) -> None:
    """Refuse HTML with an element, an attribute or an address that is not on the short lists above."""
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(f"<!DOCTYPE html><body>{html}")
    for element in tree.iter():
        assert element.tag in ALLOWED, html
        for name, value in element.attrib.items():
            assert (element.tag, name) in ATTRIBUTES, html
            if name == "href":
                assert safe_link(value), html
                assert re.match(r"https?://|mailto:|tel:|/(?!/)|#", value), html
    assert not re.search("[\x00-\x08\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", html)


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_attacks_become_text(attack):
    for source in (attack, f"avant {attack} après", f"- {attack}\n\n> {attack}\n"):
        html = to_html(source)
        check(html)
        assert not re.search(r"<(script|img|svg|iframe|style|base|meta|b)\b", html)
        check(inline_html(source))


@given(st.text(max_size=200))
def test_any_text(source):
    check(to_html(source))
    check(inline_html(source))


@given(st.text(alphabet="[]()<>!*_`#&;:/\\\"' \n\t-|>javscriptdata=x1.", max_size=120))
def test_any_punctuation(source):
    check(to_html(source))


def test_what_people_write():
    html = to_html(
        "# Un\n\n#### Trop bas\n\n**gras** *ital* `code`\n\n1. a\n2. b\n\n[mairie](/mairie/) et https://x.fr\n\n---\n"
    )
    assert "<h2>Un</h2>" in html
    assert "<h3>Trop bas</h3>" in html
    assert "<strong>gras</strong> <em>ital</em> <code>code</code>" in html
    assert '<a href="/mairie/">mairie</a>' in html
    assert "<hr>" in html


def test_tables_can_be_reached_by_keyboard():
    html = to_html("| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert '<div class="tableau" tabindex="0" role="group" aria-label="Tableau"><table>' in html
    assert '<th scope="col">a</th>' in html
    check(html)


def test_french_typography():
    html = to_html("L'école : ouverte ! « Oui » à 9 h 30... n° 4")
    assert "L’école\u00a0: ouverte\u202f! «\u00a0Oui\u00a0» à 9\u00a0h\u00a030… n°\u00a04" in html


def test_code_is_left_as_it_is():
    assert "<code>l'a : b</code>" in to_html("`l'a : b`")


@pytest.mark.parametrize(
    "source",
    [
        "[" * 20_000,
        "*" * 20_000,
        "> " * 10_000,
        "`" * 19_999 + "x",
        "<" * 20_000,
        "- " * 9_000,
        "![" * 10_000,
        "&" * 20_000,
        "*a_ " * 5_000,
        "[a](" * 5_000,
        "|a" * 9_000 + "\n" + "|-" * 9_000,
        "a\n" * 9_000,
        "\\" * 20_000,
        "~~a" * 6_000,
        "a" + " " * 19_000 + "b",
        "a" + "\u00a0" * 9_000 + "b",
    ],
    ids=lambda source: source[:6],
)
def test_no_text_takes_long(source):
    start = time.process_time()
    check(to_html(source))
    assert time.process_time() - start < 10


def test_summary_is_plain_and_short():
    text = summary("## T\n\nBonjour **à tous** [ici](/x). " + "mot " * 100)
    assert text.startswith("Bonjour à tous ici.")
    assert len(text) <= 181
    assert summary("| a |\n|---|\n| b |\n") == ""
