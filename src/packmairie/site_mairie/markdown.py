# SPDX-License-Identifier: GPL-3.0-or-later
"""Markdown to HTML, safe by construction: markdown-it only parses, and this writes the few elements it knows.

Nothing of the source reaches the page but through ``escape``; HTML in the source is text, an image is
its description, and a link whose address is not of an allowed form is its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from .wording import clean, typography

MAX_CHARACTERS = 60_000
_BLOCKS = {
    "paragraph": "p",
    "bullet_list": "ul",
    "list_item": "li",
    "blockquote": "blockquote",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "td": "td",
    "strong": "strong",
    "em": "em",
    "s": "s",
}
_LINK = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:[/?#][^\s<>\"'\\`{}|^]*)?"
    r"|mailto:[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"
    r"|tel:\+?[0-9.-]{3,20}"
    r"|/(?![/\\])[A-Za-z0-9._~/%#?=&+-]*"
    r"|#[A-Za-z0-9._-]*"
)
_RUNS = re.compile(r"([*_~`\[\]!<>&\\])\1{200,}|(?:^|\n)(?:[ \t]*>){60,}")


@cache
def _parser() -> Any:
    return MarkdownIt("commonmark", {"html": False, "maxNesting": 12}).enable(["table", "strikethrough"])


def safe_link(address: str) -> str | None:
    """Return the address of a link when its form is allowed (https, http, mailto, tel, the site itself), or None."""
    return address if len(address) <= 1000 and _LINK.fullmatch(address) else None


def to_html(source: str) -> str:
    """Given Markdown that anybody may have written, return safe HTML whose highest heading is ``h2``."""
    text = clean(source)[:MAX_CHARACTERS]
    # Nobody writes such runs; they make any Markdown parser slow.
    text = _RUNS.sub(lambda found: found.group()[:20], text)
    return _Writer().blocks(_parser().parse(text))


def inline_html(source: str) -> str:
    """Given one paragraph of Markdown, return safe HTML without the paragraph itself."""
    return _Writer().blocks(_parser().parseInline(clean(source)[:MAX_CHARACTERS]))


class _Writer:
    """Writes tokens as HTML. Elements that it does not know are left out; their text stays."""

    def __init__(self) -> None:
        self.links: list[bool] = []
        self.levels = [1]
        """Levels of the headings so far, under the page's own."""

    def blocks(self, tokens: Sequence[Any]) -> str:
        return "".join(self._token(token) for token in tokens)

    def _token(self, token: Any) -> str:
        kind: str = token.type
        name, _, side = kind.rpartition("_")
        if kind == "inline":
            return self.blocks(token.children or [])
        if kind == "text":
            return escape(typography(token.content), quote=False)
        if kind == "softbreak":
            return "\n"
        if kind == "hardbreak":
            return "<br>\n"
        if kind == "code_inline":
            return f"<code>{escape(token.content, quote=False)}</code>"
        if kind in ("fence", "code_block"):
            return f"<pre><code>{escape(token.content, quote=False)}</code></pre>\n"
        if kind == "hr":
            return "<hr>\n"
        if kind == "image":
            return escape(typography(token.content), quote=False)
        if side not in ("open", "close"):
            return escape(token.content or "", quote=False)
        return self._element(token, name, side == "open")

    def _element(self, token: Any, name: str, opening: bool) -> str:
        if name == "link":
            return self._link(token, opening)
        if token.hidden:
            # The paragraph of a tight list.
            return ""
        if name == "heading":
            if opening:
                # The title of the page is the only h1, and no level is skipped on the way down.
                self.levels.append(min(max(int(token.tag[1:]), 2), self.levels[-1] + 1, 4))
            level = self.levels[-1]
            return f"<h{level}>" if opening else f"</h{level}>\n"
        if name == "ordered_list":
            start = token.attrGet("start") if opening else None
            attribute = f' start="{int(start)}"' if start is not None else ""
            return f"<ol{attribute}>\n" if opening else "</ol>\n"
        if name == "table":
            return (
                '<div class="tableau" tabindex="0" role="group" aria-label="Tableau"><table>\n'
                if opening
                else "</table></div>\n"
            )
        if name == "th":
            return '<th scope="col">' if opening else "</th>"
        tag = _BLOCKS.get(name)
        if tag is None:
            return ""
        return f"<{tag}>" if opening else f"</{tag}>" + ("\n" if token.block else "")

    def _link(self, token: Any, opening: bool) -> str:
        if not opening:
            return "</a>" if self.links.pop() else ""
        address = safe_link(str(token.attrGet("href") or ""))
        self.links.append(address is not None)
        return f'<a href="{escape(address)}">' if address is not None else ""


def summary(source: str, limit: int = 180) -> str:
    """Given Markdown, return its first words as plain text, cut between two words."""
    pieces: list[str] = []
    above = ""
    for token in _parser().parse(clean(source)[:4000]):
        if token.type == "inline" and above == "paragraph_open" and sum(map(len, pieces)) <= limit:
            pieces.append("".join(_plain(child) for child in token.children or []))
        above = token.type
    text = re.sub(r"[ \n]+", " ", " ".join(pieces)).strip()
    if len(text) > limit:
        sentence = text[:limit].rpartition(". ")[0]
        cut = text[:limit].rpartition(" ")[0] or text[:limit]
        text = f"{sentence}." if len(sentence) > limit // 2 else cut.rstrip(" ,;:.") + "…"
    return typography(text)


def _plain(token: Any) -> str:
    return " " if token.type in ("softbreak", "hardbreak") else str(token.content or "")
