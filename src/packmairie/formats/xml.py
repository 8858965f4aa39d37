# SPDX-License-Identifier: GPL-3.0-or-later
"""XML that comes from elsewhere, read without what harms: no document type, no entity, no network, bounded size."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from packmairie.formats.findings import Finding

MAX_BYTES = 100 * 1024 * 1024
_NAMESPACE = re.compile(r"\{[^}]*\}")


def parse(content: bytes, limit: int = MAX_BYTES) -> Any:
    """Given the bytes of a document, return its root element.

    Raise ValueError for what is not XML, has a document type (entities without end start there), or is too big.
    """
    if len(content) > limit:
        raise ValueError(f"dépasse {limit // 1024 // 1024} Mio")
    if re.search(rb"<!(DOCTYPE|ENTITY)", content[:4096].replace(b"\x00", b""), re.IGNORECASE):
        raise ValueError("déclare un type de document (DOCTYPE), ce qu'aucun message n'a")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"XML mal formé (ligne {error.lineno or 0})") from None
    if root.getroottree().docinfo.doctype:
        raise ValueError("déclare un type de document (DOCTYPE), ce qu'aucun message n'a")
    return root


def local(element: Any) -> str:
    """Return an element's name without its namespace; comments and instructions have none."""
    tag = element.tag
    return etree.QName(element).localname if isinstance(tag, str) else ""


def text_of(root: Any, *names: str) -> str:
    """Return the stripped text of the element reached by local names from the root, or nothing."""
    current = root
    for name in names:
        current = next((child for child in current if local(child) == name), None)
        if current is None:
            return ""
    return (current.text or "").strip()


def refusals(schema: Any, root: Any, what: str) -> list[Finding]:
    """Given a compiled XSD or RELAX NG, a root and the schema's name, return its refusals with their lines."""
    if schema.validate(root.getroottree()):
        return []
    found = []
    for error in schema.error_log:
        reason = _NAMESPACE.sub("", error.message)
        remedy = "comparer avec le schéma ; si packmairie l'a écrit, c'est un défaut à signaler"
        found.append(Finding(error.line, what, reason[:300], remedy))
    return list(dict.fromkeys(found)) or [Finding(0, what, "refusé sans explication", "comparer avec le schéma")]


def xml_text(value: str) -> bool:
    """Tell whether a text may stand in an XML 1.0 document (§2.2) on one line."""
    return not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", value)
