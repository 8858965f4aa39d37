# SPDX-License-Identifier: GPL-3.0-or-later
"""The header and the files of a SEDA transfer, and a profile of archival in RELAX NG."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from envois_samples import SCHEMAS

from packmairie.formats.seda.manifest import Header, Item

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SEDA = SCHEMAS / "seda"
official = pytest.mark.skipif(not SEDA.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")


def header(version="2.2", identifier="V-1"):
    """Return the header of a transfer."""
    return Header(identifier, NOW, "ACCORD-1", "SAE-1", "VERSANT-1", "PRODUCTEUR-1", "Essai", version)


def item(number=1, content=b"contenu", name="délibération.pdf", **changes):
    """Return a file of a transfer, as its manifest tells it."""
    values = {
        "uri": f"content/BDO{number:05d}.pdf",
        "name": name,
        "size": len(content),
        "digest": hashlib.sha512(content).hexdigest(),
        "modified": NOW,
        "puid": "fmt/18",
        "mime": "application/pdf",
        "format_name": "PDF 1.4",
    }
    return Item(**{**values, **changes})


RNG = """\
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="fr:gouv:culture:archivesdefrance:seda:v2.2">
<start><element name="ArchiveTransfer"><ref name="below"/></element></start>
<define name="below"><zeroOrMore><choice><text/><ref name="first"/><element>
<anyName><except><name>DescriptiveMetadata</name></except></anyName>
<zeroOrMore><attribute><anyName/></attribute></zeroOrMore><ref name="below"/></element></choice></zeroOrMore></define>
<define name="first"><element name="DescriptiveMetadata"><element name="ArchiveUnit"><attribute name="id" ns=""/>
<element name="Content"><element name="DescriptionLevel"><text/></element>
<element name="Title"><value>@titre@</value></element><ref name="below"/></element><ref name="below"/></element>
</element>
</define>
</grammar>
"""
