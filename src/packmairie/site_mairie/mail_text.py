# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person wrote in a mail: its text without signature nor quotation, and its attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage, Message
from html.parser import HTMLParser

from .wording import clean

MAX_PARTS = 60
MAX_WRITTEN = 2_000_000
"""Characters of a part that are looked at; nobody writes more, and what is published is much shorter."""
_BLOCKS = {
    "p",
    "div",
    "br",
    "tr",
    "table",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "hr",
    "section",
    "article",
}
_SILENT = {"script", "style", "head", "title", "template", "noscript", "svg", "object", "iframe", "select", "textarea"}
_CUTS = (
    re.compile(r"-- ?$"),
    re.compile(r"[_]{10,}$"),
    re.compile(
        r"-{2,}\s*(message d'origine|message original|original message|message transféré|forwarded message)", re.I
    ),
    re.compile(r"le .{4,120} a écrit\s*:$", re.I),
    re.compile(r"on .{4,120} wrote\s*:$", re.I),
    re.compile(r"(envoyé|envoyee?) (de|depuis|à partir de) (mon|ma|outlook|yahoo|l'application|samsung|iphone)", re.I),
    re.compile(r"télécharger outlook pour ", re.I),
)
_HEADER = re.compile(r"(de|from|expéditeur)\s*:\s*.+", re.I)
_HEADER_NEXT = re.compile(r"(envoyé|date|sent|à|to|objet|subject)\s*:\s*.*", re.I)


class TooManyPartsError(Exception):
    """The mail is built of more parts than any person's."""


def parts_of(message: Message) -> Iterator[EmailMessage]:
    """Yield the leaves of a message, messages inside it left out. Raise TooManyPartsError."""
    waiting: list[Message] = [message]
    seen = 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > MAX_PARTS:
            raise TooManyPartsError
        if part.get_content_maintype() == "message":
            continue
        payload = part.get_payload()
        if part.is_multipart() and isinstance(payload, list):
            waiting.extend(reversed([child for child in payload if isinstance(child, Message)]))
        elif isinstance(part, EmailMessage):
            yield part


def written_text(message: Message) -> str:
    """Given a parsed mail, return what its author wrote, from the plain text or else from the HTML."""
    plain: list[str] = []
    rich: list[str] = []
    for part in parts_of(message):
        if part.get_content_disposition() == "attachment" or part.get_filename():
            continue
        kind = part.get_content_type()
        if kind == "text/plain":
            plain.append(_decoded(part))
        elif kind == "text/html":
            rich.append(html_to_text(_decoded(part)))
    text = "\n\n".join(filter(str.strip, plain)) or "\n\n".join(rich)
    return own_words(clean(text))


def attachments_of(message: Message) -> list[tuple[str, bytes]]:
    """Return the name and content of each attached file."""
    found = []
    for part in parts_of(message):
        name = part.get_filename()
        if name or part.get_content_disposition() == "attachment":
            payload = part.get_payload(decode=True)
            found.append((clean(str(name or "")), payload if isinstance(payload, bytes) else b""))
    return found


def _decoded(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    payload = payload[:MAX_WRITTEN]
    charset = part.get_content_charset() or "utf-8"
    try:
        return payload.decode(charset, "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def own_words(text: str) -> str:
    """Given the text of a mail, return it up to its signature or the message it answers, quoted lines left out."""
    lines: list[str] = []
    source = [line.rstrip() for line in text.replace("\u00a0", " ").split("\n")]
    for number, line in enumerate(source):
        bare = line.strip().replace("’", "'")
        if line in ("--", "-- ") or any(cut.match(bare) for cut in _CUTS):
            break
        following = source[number + 1].strip() if number + 1 < len(source) else ""
        if _HEADER.fullmatch(bare) and _HEADER_NEXT.fullmatch(following):
            break
        if not bare.startswith(">"):
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    """Collects the visible text of an HTML mail, blocks on lines of their own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent += 1
        elif tag == "li":
            self.pieces.append("\n- ")
        elif tag in _BLOCKS:
            self.pieces.append("\n" if tag in ("br", "div", "tr") else "\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in ("p", "table", "ul", "ol", "h1", "h2", "h3", "h4", "blockquote"):
            self.pieces.append("\n\n")
        elif tag in ("div", "tr"):
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.pieces.append(re.sub(r"[ \t\r\n]+", " ", data))


def html_to_text(source: str) -> str:
    """Given the HTML of a mail, return its text; nothing of its tags, scripts and styles remains."""
    reader = _Reader()
    reader.feed(source[:MAX_WRITTEN])
    reader.close()
    lines = [line.strip() for line in "".join(reader.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
