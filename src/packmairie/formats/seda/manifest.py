# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a SEDA transfer (ArchiveTransfer), written as it goes: its size does not count in memory.

The order of elements is that of the schemas 2.1 to 2.3, which is the same for what is written here. Beyond what they
require, it carries what Vitam does: the agreement, the usage of each object, the originating agency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, BinaryIO, Literal

from lxml import etree

Version = Literal["2.1", "2.2", "2.3"]
NAMESPACE = "fr:gouv:culture:archivesdefrance:seda:v{version}"
ALGORITHM = "SHA-512"
USAGE = "BinaryMaster_1"
LEVELS = ("Fonds", "Subfonds", "Class", "Collection", "Series", "Subseries", "RecordGrp", "SubGrp", "File", "Item")


@dataclass(frozen=True)
class Rules:
    """What happens to documents, by the identifiers of the archivist's own tables; rules run from ``start``."""

    appraisal: str
    final_action: Literal["Keep", "Destroy"]
    access: str
    start: date | None = None


@dataclass(frozen=True)
class Item:
    """A file of the package: where it is in it, what it is, and the name that it had.

    ``digest`` is SHA-512 in hexadecimal; ``puid`` is a PRONOM identifier, empty when unknown; ``modified`` is aware.
    """

    uri: str
    name: str
    size: int
    digest: str
    modified: datetime
    puid: str = ""
    mime: str = ""
    format_name: str = ""
    title: str = ""


@dataclass(frozen=True)
class Unit:
    """A unit of description: a folder with what it holds, or the place of one file."""

    title: str
    level: str
    items: tuple[Item, ...] = ()
    units: tuple[Unit, ...] = ()
    rules: Rules | None = None
    description: str = ""
    identifier: str = ""
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class Header:
    """Who transfers what to whom."""

    identifier: str
    date: datetime
    agreement: str
    archival_agency: str
    transferring_agency: str
    originating_agency: str
    comment: str
    version: Version = "2.2"


def all_items(units: Sequence[Unit]) -> Iterator[Item]:
    """Yield every file of units, in the order of the manifest."""
    for unit in units:
        yield from unit.items
        yield from all_items(unit.units)


def write_manifest(stream: BinaryIO, header: Header, units: Sequence[Unit]) -> None:
    """Given a binary stream, a header and units, write the manifest in UTF-8."""
    space = NAMESPACE.format(version=header.version)
    with etree.xmlfile(stream, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element(f"{{{space}}}ArchiveTransfer", nsmap={None: space}):
            writer = _Writer(xml, space)
            writer.leaf("Comment", header.comment)
            writer.leaf("Date", header.date.isoformat(timespec="seconds"))
            writer.leaf("MessageIdentifier", header.identifier)
            writer.leaf("ArchivalAgreement", header.agreement)
            with writer.within("CodeListVersions"):
                writer.leaf("MessageDigestAlgorithmCodeListVersion", "MessageDigestAlgorithmCodeListVersion0")
                writer.leaf("MimeTypeCodeListVersion", "MimeTypeCodeListVersion0")
                writer.leaf("FileFormatCodeListVersion", "FileFormatCodeListVersion0")
                writer.leaf("AppraisalRuleCodeListVersion", "AppraisalRuleCodeListVersion0")
                writer.leaf("AccessRuleCodeListVersion", "AccessRuleCodeListVersion0")
            with writer.within("DataObjectPackage"):
                for number, item in enumerate(all_items(units), start=1):
                    writer.data_object(number, item)
                with writer.within("DescriptiveMetadata"):
                    for unit in units:
                        writer.unit(unit)
                with writer.within("ManagementMetadata"):
                    writer.leaf("OriginatingAgencyIdentifier", header.originating_agency)
            for name, agency in (
                ("ArchivalAgency", header.archival_agency),
                ("TransferringAgency", header.transferring_agency),
            ):
                with writer.within(name):
                    writer.leaf("Identifier", agency)


class _Writer:
    """Writes elements and counts identifiers; a file gets the same number in both halves of the manifest."""

    def __init__(self, xml: Any, space: str) -> None:
        self.xml = xml
        self.space = space
        self.units = 0
        self.referenced = 0

    def leaf(self, name: str, text: str, **attributes: str) -> None:
        """Write an element with a text, or nothing when the text is empty."""
        if text:
            with self.within(name, **attributes):
                self.xml.write(text)

    def within(self, name: str, **attributes: str) -> Any:
        """Return the context in which what is written goes into a new element."""
        return self.xml.element(f"{{{self.space}}}{name}", attributes)

    def data_object(self, number: int, item: Item) -> None:
        """Write the group of one file."""
        with (
            self.within("DataObjectGroup", id=f"GOT{number:05d}"),
            self.within("BinaryDataObject", id=f"BDO{number:05d}"),
        ):
            self.leaf("DataObjectVersion", USAGE)
            self.leaf("Uri", item.uri)
            self.leaf("MessageDigest", item.digest, algorithm=ALGORITHM)
            self.leaf("Size", str(item.size))
            if item.puid:
                with self.within("FormatIdentification"):
                    self.leaf("FormatLitteral", item.format_name)
                    self.leaf("MimeType", item.mime)
                    self.leaf("FormatId", item.puid)
            with self.within("FileInfo"):
                self.leaf("Filename", item.name)
                self.leaf("LastModified", item.modified.isoformat(timespec="seconds"))

    def unit(self, unit: Unit) -> None:
        """Write a unit of description and those below it; each file is a unit of its own."""
        self.units += 1
        with self.within("ArchiveUnit", id=f"AU{self.units:05d}"):
            if unit.rules:
                self._management(unit.rules)
            with self.within("Content"):
                self.leaf("DescriptionLevel", unit.level)
                self.leaf("Title", unit.title)
                self.leaf("OriginatingAgencyArchiveUnitIdentifier", unit.identifier)
                self.leaf("Description", unit.description)
                self.leaf("StartDate", unit.start.isoformat() if unit.start else "")
                self.leaf("EndDate", unit.end.isoformat() if unit.end else "")
            for item in unit.items:
                self._item(item)
            for below in unit.units:
                self.unit(below)

    def _item(self, item: Item) -> None:
        self.units += 1
        self.referenced += 1
        with self.within("ArchiveUnit", id=f"AU{self.units:05d}"):
            with self.within("Content"):
                self.leaf("DescriptionLevel", "Item")
                self.leaf("Title", item.title or item.name)
            with self.within("DataObjectReference"):
                self.leaf("DataObjectGroupReferenceId", f"GOT{self.referenced:05d}")

    def _management(self, rules: Rules) -> None:
        with self.within("Management"):
            with self.within("AppraisalRule"):
                self.leaf("Rule", rules.appraisal)
                self.leaf("StartDate", rules.start.isoformat() if rules.start else "")
                self.leaf("FinalAction", rules.final_action)
            with self.within("AccessRule"):
                self.leaf("Rule", rules.access)
                self.leaf("StartDate", rules.start.isoformat() if rules.start else "")
