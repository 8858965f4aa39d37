# SPDX-License-Identifier: GPL-3.0-or-later
"""A commune with every field of its site filled in, a secretary's folder, and tools to look at what is built."""

from __future__ import annotations

import copy
import re
import struct
import zlib
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from inventory_samples import RICH, RIENCOURT, make_pack

from packmairie.briques.presence_site import site_data
from packmairie.inventory.loader import load_pack
from packmairie.site_mairie.content import Content, read_content
from packmairie.site_mairie.data import Commune, commune_of
from packmairie.site_mairie.pages import Rendered, render_site

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SECRETARY = "secretariat@riencourt-les-bapaume.fr"
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
VOID = {"meta", "link", "img", "br", "hr", "wbr", "input"}


def png(side: int = 32, filler: int = 0) -> bytes:
    """Return a valid PNG of one colour, with some octets more when asked."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x2f\x5d\x50" * side for _ in range(side))
    text = chunk(b"tEXt", b"Comment\0" + b"x" * filler) if filler else b""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + text + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def make_data(folder: Path, *, coat: bytes | None = None) -> dict[str, Any]:
    """Return the generator's input for the commune of ``RICH``, as the controller computes it."""
    pack_folder = make_pack(folder / "pack", "62708")
    text = RICH.replace('existant:\n  presence: "Prestataire d\'exemple"\n', "")
    text = text.partition("  redirections:")[0]
    (pack_folder / "communes" / RIENCOURT).write_text(text, encoding="utf-8")
    pack = load_pack(pack_folder)
    return site_data(pack.commune("62708"), pack, coat)


def commune(data: dict[str, Any], **changes: Any) -> Commune:
    """Return the commune of some data with changes at its first level."""
    return commune_of({**copy.deepcopy(data), **changes})


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write a secretary's folder and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


FILES: dict[str, str | bytes] = {
    "actualites/2026-11-20-fete.md": "# Fête du village\n\nRendez-vous *samedi* à 14 h : tout le monde vient !\n",
    "actualites/2026-10-02-travaux.md": "Route barrée, [détails](/mairie/).\n",
    "pages/vie-associative.md": "# Vie associative\n\n## Club\n\n- marche\n- lecture\n",
    "documents/2026-03-12 Délibération n° 4 – budget.pdf": PDF,
    "documents/2025-01-09-arrete-circulation.pdf": PDF + b"2",
    "documents/plan.pdf": PDF + b"3",
    "horaires.txt": "Mardi : 14h-18h\nFermeture : du 24/12/2026 au 02/01/2027 (congés)\n",
}


def render(data: dict[str, Any], folder: Path | None = None, **changes: Any) -> Rendered:
    """Return the whole site of a commune and of a secretary's folder."""
    content = read_content(folder) if folder else Content()
    return render_site(commune(data, **changes), content, TODAY)


def parse(page: bytes) -> Element:
    """Return the tree of a page, read strictly: html5lib refuses whatever is not well formed."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(page.decode())


def pages(rendered: Rendered) -> dict[str, Element]:
    """Return the tree of every page of a site."""
    return {name: parse(data) for name, data in rendered.files.items() if name.endswith(".html")}


def mail(subject: str, text: str = "", *, sender: str = SECRETARY, pdf: dict[str, bytes] | None = None) -> EmailMessage:
    """Return a message as a mail program writes it."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = "site@riencourt-les-bapaume.fr"
    message["Subject"] = subject
    message.set_content(text)
    for name, data in (pdf or {}).items():
        message.add_attachment(data, maintype="application", subtype="pdf", filename=name)
    return message


def shape(rendered) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """Return, for each page, its elements in order with the names of their attributes."""
    return {name: shape_of(content) for name, content in rendered.files.items() if name.endswith(".html")}


def shape_of(page: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """Return the elements of a page in order with the names of their attributes."""
    return [(str(e.tag), tuple(sorted(e.attrib))) for e in parse(page).iter() if e.tag != "wbr"]


def links_resolve(rendered) -> None:
    """Refuse a link inside the site that leads nowhere, or to a missing anchor."""
    trees = pages(rendered)
    for name, tree in trees.items():
        for element in tree.iter():
            address = element.attrib.get("href", "")
            if not address or re.match(r"https?:|mailto:|tel:", address):
                continue
            path, _, anchor = address.partition("#")
            target = path.lstrip("/") + ("index.html" if path.endswith("/") else "")
            if not path:
                target = name
            assert target in rendered.files or target in rendered.documents, (name, address)
            if anchor:
                assert anchor in [e.attrib.get("id") for e in trees[target].iter()], (name, address)
