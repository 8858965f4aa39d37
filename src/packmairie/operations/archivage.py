# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of a commune: a SEDA package made from files, verified, deposited once, followed to the reply, then purged.

Each step is in the journal of the commune's spool. Originals stay until an accepted reply, and go by a confirmed act.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from packmairie.engines.pronom import Format, Pronom
from packmairie.engines.sip import Aside, Original, day_of, item_of, opened, scan, write_package
from packmairie.engines.spool import Spool
from packmairie.engines.xml_schemas import load_rng, load_xsd
from packmairie.formats.findings import Report
from packmairie.formats.seda.manifest import Header, Item, Rules, Unit
from packmairie.formats.seda.verify import Schemas, manifest_of, verify_package, version_of
from packmairie.formats.xml import parse
from packmairie.inventory.atomic import write_file
from packmairie.inventory.loader import load_pack
from packmairie.inventory.official import seda_paths
from packmairie.inventory.profiles import read_profiles
from packmairie.model.commune import Commune
from packmairie.model.envois import Archivage, ProfilArchivage
from packmairie.model.pack import Pack
from packmairie.model.preuve import State as Verdict
from packmairie.model.problem import fail
from packmairie.operations.envois_places import source_folder, spool_of
from packmairie.operations.inventory import commune_of
from packmairie.operations.schemas import schema_file

BRIQUE = "archivage"
PREPARED, VERIFIED, ACKNOWLEDGED, REPLIED, PURGING, PURGED = (
    "prepare",
    "verifie",
    "accuse",
    "reponse",
    "purge",
    "purge-finie",
)
ORIGINALS = "originaux.json"
FILE_SPACE_BIN = "Corbeille"
"""Where the file space keeps what was deleted from ``a-archiver``."""
FINAL = {"conserver": "Keep", "detruire": "Destroy"}


@dataclass(frozen=True)
class Prepared:
    """A transfer that was prepared: its identifier, its package, what it holds and what was left out."""

    transfer: str
    package: Path
    files: int
    octets: int
    aside: tuple[Aside, ...]
    report: Report
    already: bool = False


def archiving(pack: Pack, insee: str) -> tuple[Commune, Archivage]:
    """Return a commune and its section; raise PackmairieError when it has none."""
    commune = commune_of(pack, insee)
    if commune.archivage is None:
        raise fail(
            f"commune {insee}", "son fichier n'a pas de section archivage", "l'ajouter (docs/briques/archivage.md)"
        )
    return commune, commune.archivage


def prepare(
    pack_folder: Path,
    insee: str,
    source: Path,
    now: datetime,
    *,
    profile: str | None = None,
    schemas: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Given a pack, a commune and a folder, make the transfer of its files and verify it.

    Each folder of ``source`` bears the name of an archival profile, unless one ``profile`` is given for the whole. The
    same files are never prepared twice, unless the archival system refused them. Raise PackmairieError.
    """
    pack = load_pack(pack_folder)
    commune, agreed = archiving(pack, insee)
    profiles = read_profiles(pack_folder)
    if profile is not None and profile not in profiles:
        raise fail("--profile", f"profil « {profile} » inconnu", f"choisir parmi : {', '.join(sorted(profiles))}")
    source = source_folder(insee, source)
    if not source.is_dir():
        raise fail(str(source), "ce dossier n'existe pas", "donner le dossier a-archiver, ou celui d'un acte")
    try:
        originals, aside = scan(source.resolve(), (FILE_SPACE_BIN,))
    except OSError as error:
        raise fail(str(source), f"illisible ({error.strerror})", "vérifier les droits") from None
    kept, unknown = _sorted(originals, profiles, profile)
    aside += unknown
    if not kept:
        told = "".join(f" ; {item.path} : {item.reason}" for item in aside[:5])
        raise fail(
            str(source), f"aucun fichier à verser{told}", f"y ranger des dossiers : {', '.join(sorted(profiles))}"
        )
    spool = spool_of(pack_folder, BRIQUE, insee)
    with spool.hold():
        same = _same(spool, _fingerprint(kept))
        if same:
            return _again(spool, pack, agreed, same, schemas)
        return _prepare(spool, pack, commune, agreed, source, kept, aside, profiles, profile, now, schemas, on_progress)


def _sorted(
    originals: list[Original], profiles: Mapping[str, ProfilArchivage], profile: str | None
) -> tuple[list[Original], list[Aside]]:
    """Return the files of which the kind is known, and the others set aside."""
    kept, aside = [], []
    for original in originals:
        kind = profile or original.relative.partition("/")[0]
        if profile is None and "/" not in original.relative:
            aside.append(Aside(original.relative, "hors d'un dossier : rien ne dit son profil d'archivage"))
        elif kind not in profiles:
            aside.append(Aside(original.relative, f"aucun profil d'archivage « {kind} » (archivage/profils.yml)"))
        else:
            kept.append(original)
    return kept, aside


def _fingerprint(originals: list[Original]) -> str:
    """Return what identifies the content of a transfer, whatever the day on which it is prepared."""
    lines = sorted(f"{original.relative}\0{original.digest}" for original in originals)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _same(spool: Spool, fingerprint: str) -> str | None:
    """Return the transfer that holds the same files already, unless it was refused."""
    for transfer in reversed(spool.transfers()):
        prepared = spool.step(transfer, PREPARED)
        reply = spool.step(transfer, REPLIED)
        if prepared and prepared.data["contenu"] == fingerprint and not (reply and not reply.data["accepte"]):
            return transfer
    return None


def _again(spool: Spool, pack: Pack, agreed: Archivage, transfer: str, schemas: Path | None) -> Prepared:
    """Return the transfer prepared before, judged anew: what was good then may not be now."""
    prepared = spool.step(transfer, PREPARED)
    assert prepared is not None  # noqa: S101 — its caller found it by this step
    data = prepared.data
    aside = tuple(Aside(**item) for item in data["ecartes"])
    found = _verified(spool, pack, agreed, transfer, schemas)
    place = spool.place(transfer) / f"{transfer}.zip"
    return Prepared(transfer, place, data["fichiers"], data["octets"], aside, found, True)


def _prepare(  # noqa: PLR0917
    spool: Spool,
    pack: Pack,
    commune: Commune,
    agreed: Archivage,
    source: Path,
    kept: list[Original],
    aside: list[Aside],
    profiles: Mapping[str, ProfilArchivage],
    profile: str | None,
    now: datetime,
    schemas: Path | None,
    on_progress: Callable[[int, int], None] | None,
) -> Prepared:
    fingerprint = _fingerprint(kept)
    transfer = f"{commune.insee}-{now:%Y%m%d}-{fingerprint[:8]}-{len(spool.transfers()) + 1}"
    place = spool.place(transfer)
    place.mkdir(mode=0o700, exist_ok=True)
    formats = _identify(kept, on_progress)
    target = place / f"{transfer}.zip"

    def plan(files: list[Original]) -> tuple[Header, list[Unit], dict[str, Original]]:
        return _header(transfer, commune, agreed, now), *_units(files, formats, profiles, profile)

    try:
        written, later, digest = write_package(target, kept, plan)
        write_file(place / ORIGINALS, json.dumps([asdict(item) for item in written], ensure_ascii=False), mode=0o600)
    except ValueError as error:
        raise fail(transfer, str(error), "vérifier les fichiers, puis relancer") from None
    except OSError as error:
        raise fail(str(place), f"écriture impossible ({error.strerror})", "vérifier la place sur le disque") from None
    aside = [*aside, *later]
    octets = sum(item.size for item in written)
    spool.record(
        transfer,
        PREPARED,
        contenu=_fingerprint(written),
        sha512=digest,
        fichiers=len(written),
        octets=octets,
        seda=agreed.seda,
        source=str(source),
        ecartes=[asdict(item) for item in aside],
    )
    found = _verified(spool, pack, agreed, transfer, schemas)
    return Prepared(transfer, target, len(written), octets, tuple(aside), found)


@cache
def _pronom() -> Pronom:
    """Return the identifier of formats: its signatures are loaded once in a process."""
    return Pronom()


def _identify(files: list[Original], on_progress: Callable[[int, int], None] | None) -> dict[str, Format]:
    pronom = _pronom()
    formats = {}
    for done, original in enumerate(files, start=1):
        formats[original.path] = pronom.identify(Path(original.path))
        if on_progress:
            on_progress(done, len(files))
    return formats


def _header(transfer: str, commune: Commune, agreed: Archivage, now: datetime) -> Header:
    return Header(
        transfer,
        now.astimezone(UTC),
        agreed.accord,
        agreed.service_archives,
        agreed.service_versant,
        agreed.service_producteur or agreed.service_versant,
        f"Versement de la commune {commune.nom} ({commune.insee})",
        agreed.seda,
    )


def _units(
    files: list[Original],
    formats: Mapping[str, Format],
    profiles: Mapping[str, ProfilArchivage],
    profile: str | None,
) -> tuple[list[Unit], dict[str, Original]]:
    """Return one unit for each kind, with its folders and files, and the originals by their place in the package."""
    items: dict[str, Item] = {}
    kinds: dict[str, list[Original]] = {}
    for original in files:
        kinds.setdefault(profile or original.relative.partition("/")[0], []).append(original)
    ordered = [original for group in kinds.values() for original in group]
    places: dict[str, Original] = {}
    for number, original in enumerate(ordered, start=1):
        item = item_of(number, original, formats.get(original.path, Format()))
        items[original.path] = item
        places[item.uri] = original
    units = []
    for kind, group in kinds.items():
        chosen = profiles[kind]
        days = [day_of(original) for original in group]
        rules = Rules(
            chosen.conservation,
            "Keep" if chosen.sort == "conserver" else "Destroy",
            chosen.acces,
            max(days),
        )
        depth = 0 if profile else 1
        below = _tree([(original.relative.split("/")[depth:], original) for original in group], items)
        units.append(
            Unit(
                chosen.titre,
                chosen.niveau,
                below.items,
                below.units,
                rules,
                chosen.description or "",
                start=min(days),
                end=max(days),
            )
        )
    return units, places


def _tree(files: list[tuple[list[str], Original]], items: Mapping[str, Item], title: str = "") -> Unit:
    """Return the unit of a folder: its files, and a unit for each folder below."""
    here = tuple(items[original.path] for parts, original in files if len(parts) == 1)
    folders: dict[str, list[tuple[list[str], Original]]] = {}
    for parts, original in files:
        if len(parts) > 1:
            folders.setdefault(parts[0], []).append((parts[1:], original))
    return Unit(title, "File", here, tuple(_tree(group, items, name) for name, group in folders.items()))


def schemas_for(pack: Pack, agreed: Archivage, version: str, option: Path | None) -> Schemas:
    """Return the compiled schemas for a version of SEDA: the official one when found, the archivist's when named."""
    official = schema_file(pack, option, *seda_paths(version))
    xsd = load_xsd(official, [official.parent.parent / "official-2.0-2.2"]) if official else None
    rng = load_rng(Path(pack.folder) / agreed.profil_rng) if agreed.profil_rng else None
    return Schemas(xsd, rng, agreed.profil_rng is not None)


def _verified(spool: Spool, pack: Pack, agreed: Archivage, transfer: str, option: Path | None) -> Report:
    prepared = spool.step(transfer, PREPARED)
    assert prepared is not None  # noqa: S101 — recorded just before
    package = spool.place(transfer) / f"{transfer}.zip"
    try:
        with package.open("rb") as stream:
            found = verify_package(stream, schemas_for(pack, agreed, prepared.data["seda"], option))
    except OSError as error:
        raise fail(str(package), f"illisible ({error.strerror})", "préparer de nouveau le versement") from None
    spool.record(
        transfer,
        VERIFIED,
        etat=found.state.value,
        sha512=prepared.data["sha512"],
        defauts=[f"{item.place} : {item.reason}" for item in found.errors[:20]],
        non_verifie=list(found.unverified),
    )
    return found


def verify(pack_folder: Path, insee: str, transfer: str, schemas: Path | None = None) -> Report:
    """Verify again a transfer of the spool, and record what was found. Raise PackmairieError."""
    pack = load_pack(pack_folder)
    _commune, agreed = archiving(pack, insee)
    spool = spool_of(pack_folder, BRIQUE, insee)
    with spool.hold():
        prepared = spool.step(transfer, PREPARED)
        if prepared is None:
            raise fail(transfer, "aucun versement de ce nom", f"packmairie archivage list {insee}")
        return _verified(spool, pack, agreed, transfer, schemas)


def verify_file(file: Path, schemas: Path | None = None, rng: Path | None = None, pack: Pack | None = None) -> Report:
    """Verify a package of anybody. Raise PackmairieError when the file cannot be read or a schema is unusable."""
    try:
        with opened(file) as (stream, _facts):
            try:
                version = version_of(parse(manifest_of(stream)))
            except ValueError:
                version = ""
            official = schema_file(pack, schemas, *seda_paths(version)) if version else None
            xsd = load_xsd(official, [official.parent.parent / "official-2.0-2.2"]) if official else None
            stream.seek(0)
            return verify_package(stream, Schemas(xsd, load_rng(rng) if rng else None, rng is not None))
    except OSError as error:
        raise fail(str(file), f"illisible ({error.strerror})", "indiquer un paquet SEDA (.zip)") from None


def require_verified(spool: Spool, transfer: str) -> str:
    """Return the SHA-512 of a package that may leave; raise PackmairieError when it was not found conforming."""
    last = spool.step(transfer, VERIFIED)
    if last is None or last.data["etat"] != Verdict.CONFORME.value:
        told = "; ".join((last.data["defauts"] or last.data["non_verifie"])[:2]) if last else "jamais vérifié"
        raise fail(transfer, f"ne part pas sans vérification conforme ({told})", "packmairie archivage verify")
    return str(last.data["sha512"])
