# SPDX-License-Identifier: GPL-3.0-or-later
"""A SEDA package judged as an archival system judges it, before it is sent: layout, schema, profile, content.

Nothing is extracted: each file is read through its digest, and no further than the size that the manifest gives it.
"""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import Any, BinaryIO

from packmairie.formats.findings import Finding, Report, report
from packmairie.formats.seda.manifest import NAMESPACE
from packmairie.formats.xml import MAX_BYTES, local, parse, refusals, text_of

MANIFEST_NAME = re.compile(r"([a-zA-Z0-9_\-]{0,56}[_-])?manifest\.xml")
"""Vitam's own rule for the only file at the root (VitamConstants)."""
USAGE = re.compile(r"[A-Za-z]+(_[0-9]+)?")
DIGESTS = {"SHA-512": "sha512", "SHA-384": "sha384", "SHA-256": "sha256"}
REMEDY = "préparer de nouveau le versement"
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Schemas:
    """Compiled schemas by version, and the archivist's profile; None where one was not given."""

    xsd: Any
    rng: Any = None
    profile_asked: bool = False
    """True when the commune's file names a profile: not having it is then a gap to tell."""


def version_of(root: Any) -> str:
    """Return the version of SEDA that a manifest's namespace tells, empty when it is none of ours."""
    found = re.match(r"\{fr:gouv:culture:archivesdefrance:seda:v(2\.[123])\}", str(root.tag))
    return found.group(1) if found else ""


def manifest_of(stream: BinaryIO) -> bytes:
    """Return the manifest of a package. Raise ValueError when there is none, or when it is not a ZIP."""
    try:
        with zipfile.ZipFile(stream) as package:
            names = [name for name in package.namelist() if MANIFEST_NAME.fullmatch(name)]
            if len(names) != 1:
                raise ValueError("aucun manifest.xml à la racine du paquet" if not names else "plusieurs manifestes")
            if package.getinfo(names[0]).file_size > MAX_BYTES:
                raise ValueError("manifeste démesuré")
            with package.open(names[0]) as entry:
                return entry.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"paquet illisible ({error})") from None


def verify_package(stream: BinaryIO, schemas: Schemas) -> Report:
    """Given a package and the schemas, return everything wrong with it. Never raises for what the package contains."""
    try:
        content = manifest_of(stream)
        root = parse(content)
    except ValueError as error:
        return report([Finding(0, "manifest.xml", str(error), REMEDY)])
    findings: list[Finding] = []
    gaps: list[str] = []
    if not version_of(root) or local(root) != "ArchiveTransfer":
        findings.append(Finding(1, "manifest.xml", "n'est pas un ArchiveTransfer SEDA 2.1, 2.2 ou 2.3", REMEDY))
        return report(findings)
    if schemas.xsd is None:
        gaps.append(f"schéma officiel SEDA {version_of(root)} absent : donner son dossier par --schemas")
    else:
        findings += refusals(schemas.xsd, root, "schéma SEDA")
    if schemas.rng is not None:
        findings += refusals(schemas.rng, root, "profil d'archivage")
    elif schemas.profile_asked:
        gaps.append("profil d'archivage RELAX NG absent : vérifier archivage.profil_rng")
    findings += _platform_rules(root)
    with zipfile.ZipFile(stream) as package:
        findings += _layout(package)
        findings += _content(package, root)
    return report(findings, gaps)


def _layout(package: zipfile.ZipFile) -> list[Finding]:
    """One file at the root, one folder at most; no name that leaves it, no link, no double, no encryption."""
    found = []
    names = [info.filename for info in package.infolist()]
    for name, count in Counter(name.casefold() for name in names).items():
        if count > 1:
            found.append(Finding(0, name[:80], "nom en double dans le paquet", REMEDY))
    for info in package.infolist():
        name = info.filename
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or "\\" in name or re.match("[A-Za-z]:", name):
            found.append(Finding(0, name[:80], "nom qui sort du paquet", "refuser ce paquet"))
        mode = info.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            found.append(Finding(0, name[:80], "lien ou fichier spécial", "refuser ce paquet"))
        if info.flag_bits & 0x1:
            found.append(Finding(0, name[:80], "fichier chiffré", "refuser ce paquet"))
    roots = [name for name in names if "/" not in name]
    folders = {name.split("/", 1)[0] for name in names if "/" in name}
    if len(roots) != 1:
        found.append(Finding(0, "racine", f"{len(roots)} fichiers à la racine, un seul attendu", REMEDY))
    if len(folders) > 1:
        found.append(Finding(0, "racine", f"{len(folders)} dossiers, un au plus", REMEDY))
    return found


def _platform_rules(root: Any) -> list[Finding]:
    """What Vitam requires and the schema does not."""
    found = []
    if not text_of(root, "ArchivalAgreement"):
        found.append(Finding(root.sourceline, "ArchivalAgreement", "accord de versement absent", "archivage.accord"))
    if not text_of(root, "DataObjectPackage", "ManagementMetadata", "OriginatingAgencyIdentifier"):
        found.append(Finding(0, "OriginatingAgencyIdentifier", "service producteur absent", "service_producteur"))
    for element in _all(root, "DataObjectVersion"):
        if not USAGE.fullmatch((element.text or "").strip()):
            found.append(
                Finding(element.sourceline, "DataObjectVersion", f"usage « {element.text} » hors règle", REMEDY)
            )
    return found


def _all(root: Any, name: str) -> Any:
    return root.iter(f"{{{NAMESPACE.format(version=version_of(root))}}}{name}")


def _content(package: zipfile.ZipFile, root: Any) -> list[Finding]:
    """Each object has its file with its size and digest; each file has its object; each reference leads somewhere."""
    found: list[Finding] = []
    infos = {info.filename: info for info in package.infolist()}
    wanted: set[str] = set()
    for element in _all(root, "BinaryDataObject"):
        uri = text_of(element, "Uri")
        if uri in wanted:
            found.append(Finding(element.sourceline, uri[:80], "deux objets pour un fichier", REMEDY))
        wanted.add(uri)
        if uri not in infos:
            found.append(Finding(element.sourceline, uri[:80] or "Uri", "absent du paquet", REMEDY))
        else:
            found += _one(package, infos[uri], element)
    for name in infos:
        if name not in wanted and not MANIFEST_NAME.fullmatch(name) and not name.endswith("/"):
            found.append(Finding(0, name[:80], "présent dans le paquet, absent du manifeste", REMEDY))
    return found + _references(root)


def _one(package: zipfile.ZipFile, info: zipfile.ZipInfo, element: Any) -> list[Finding]:
    line, size_text = element.sourceline, text_of(element, "Size")
    if size_text and (not size_text.isdigit() or int(size_text) != info.file_size):
        return [Finding(line, info.filename[:80], f"{info.file_size} octets, {size_text[:20]} annoncés", REMEDY)]
    digest = next((child for child in element if local(child) == "MessageDigest"), None)
    name = DIGESTS.get(digest.get("algorithm", "") if digest is not None else "")
    if digest is None or name is None:
        return [Finding(line, info.filename[:80], "empreinte absente ou d'un algorithme trop faible", REMEDY)]
    computed = hashlib.new(name)
    read = 0
    try:
        with package.open(info) as entry:
            while chunk := entry.read(CHUNK):
                read += len(chunk)
                if read > info.file_size:
                    return [Finding(line, info.filename[:80], "plus long qu'annoncé", "refuser ce paquet")]
                computed.update(chunk)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        return [Finding(line, info.filename[:80], f"illisible dans le paquet ({error})"[:200], REMEDY)]
    except Exception as error:  # noqa: BLE001 — zlib and friends raise their own; a bad entry is a finding
        return [Finding(line, info.filename[:80], f"illisible dans le paquet ({type(error).__name__})", REMEDY)]
    if computed.hexdigest() != (digest.text or "").strip().lower():
        return [Finding(line, info.filename[:80], "empreinte différente de celle du manifeste", REMEDY)]
    return []


def _references(root: Any) -> list[Finding]:
    groups = {element.get("id", "") for element in _all(root, "DataObjectGroup")}
    referenced = {(element.text or "").strip() for element in _all(root, "DataObjectGroupReferenceId")}
    lost = [Finding(0, name[:80], "objet décrit par aucune unité", REMEDY) for name in sorted(groups - referenced)]
    return lost + [
        Finding(0, name[:80], "unité qui renvoie à un objet absent", REMEDY) for name in sorted(referenced - groups)
    ]
