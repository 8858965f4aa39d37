# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host of the file spaces needs to send for communes: a pack of its own, secrets, and where it may go.

Each brique has an account, and a folder below ``/etc/packmairie`` with what it needs of the pack: neither the pack's
vault nor the other brique's secrets are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from packmairie.briques.contract import Secrets
from packmairie.briques.partage_tenant import FILES_ROOT, GROUP, SITES_ROOT
from packmairie.model.commune import Commune
from packmairie.model.envois import Sae, Tdt, host_file_names
from packmairie.model.pack import Pack
from packmairie.model.tree import Part, Tree, TreeFile

SETTINGS = "/etc/packmairie"
SPOOLS = "/var/lib/packmairie/envois"
UNITS = "/etc/systemd/system"
SCHEMAS = "schemas-officiels"
IDENTITY = {
    "insee",
    "nom",
    "departement",
    "siren",
    "siret",
    "codes_postaux",
    "population",
    "millesime",
    "epci",
    "latitude",
    "longitude",
    "domaine",
    "convention",
    "derogation",
    "archivage",
    "teletransmission",
}
"""What a commune's file keeps on the host: neither its agents nor its workstations."""
HTTPS = 443


def sends(brique: str, commune: Commune, pack: Pack) -> bool:
    """Tell whether the host of the file spaces sends for this commune: it has the section, and the pack such a host."""
    return getattr(commune, brique) is not None and commune.deploys(brique) and pack.shares_files()


def anybody_sends(brique: str, pack: Pack) -> bool:
    """Tell whether the host sends for any commune."""
    return any(sends(brique, commune, pack) for commune in pack.communes)


def variables(brique: str, pack: Pack) -> dict[str, dict[str, Any]]:
    """Return what the role of a brique is told: whether it has anything to do, and who takes over what it has done."""
    told = {f"{brique}_wanted": anybody_sends(brique, pack)}
    if brique == "teletransmission":
        told["teletransmission_archived"] = anybody_sends("archivage", pack)
    return {GROUP: told}


def spool_folder(brique: str, commune: Commune) -> str:
    """Return where a commune's spool is on the host."""
    return f"{SPOOLS}/{brique}/{commune.insee}"


def platform_tree(
    brique: str, pack: Pack, secrets: Secrets, names: Iterable[str], attached: Iterable[str]
) -> tuple[Tree, ...]:
    """Return what the host needs of the pack for a brique: ``names`` are its secrets, ``attached`` its files.

    ``attached`` are beginnings of the names of the pack's attachments. Nothing when no commune sends.
    """
    if not anybody_sends(brique, pack):
        return ()
    chosen = tuple(attached)
    hidden = "".join(f"TemporaryFileSystem={path}:ro\n" for path in _hidden(brique))
    files = [
        _plain(brique, "pack.yml", _json(host_pack(brique, pack))),
        _plain(brique, "sorties.json", _json({"utilisateur": brique, "destinations": destinations(brique, pack)})),
        *_secrets(brique, "plateforme", None, secrets, names),
        *(
            TreeFile(
                f"{SETTINGS}/{brique}/{name}",
                (Part("", source=path),),
                mode="0600",
                owner=brique,
                group=brique,
                secret=name.startswith("cles/"),
            )
            for name, path in pack.attachments.items()
            if name.startswith(chosen)
        ),
        _drop_in(brique, "[Service]\n" + hidden, None),
    ]
    return (Tree(brique, GROUP, tuple(files)),)


def tenant_tree(brique: str, commune: Commune, pack: Pack, secrets: Secrets, names: Iterable[str]) -> tuple[Tree, ...]:
    """Return what the host needs of a commune for a brique: its file, its secrets, and which folders are opened."""
    if not sends(brique, commune, pack):
        return ()
    opened = "".join(f"BindPaths=-{path}\n" for path in _opened(brique, commune))
    files = (
        _plain(brique, f"communes/{commune.insee}.yml", _json(host_commune(commune, pack)), commune.insee),
        *_secrets(brique, commune.insee, commune.insee, secrets, names),
        _drop_in(brique, opened, commune.insee),
    )
    return (Tree(brique, GROUP, files),)


def _hidden(brique: str) -> tuple[str, ...]:
    return (FILES_ROOT,) if brique == "archivage" else (FILES_ROOT, SITES_ROOT)


def _opened(brique: str, commune: Commune) -> tuple[str, ...]:
    if brique == "archivage":
        return (f"{FILES_ROOT}/{commune.insee}/a-archiver",)
    return (f"{FILES_ROOT}/{commune.insee}/a-transmettre", f"{SITES_ROOT}/{commune.insee}")


def _drop_in(brique: str, text: str, commune: str | None) -> TreeFile:
    """Return the part of the unit's confinement that is a commune's: of the file spaces, its own folders alone."""
    path = f"{UNITS}/packmairie-{brique}.service.d/communes.conf"
    return TreeFile(path, (Part(text, commune),), shared=True)


def _plain(brique: str, name: str, text: str, commune: str | None = None) -> TreeFile:
    return TreeFile(f"{SETTINGS}/{brique}/{name}", (Part(text, commune),), mode="0640", group=brique)


def _secrets(
    brique: str, owner: str, commune: str | None, secrets: Secrets, names: Iterable[str]
) -> Iterator[TreeFile]:
    kept = {name: str(secrets[name]) for name in names if isinstance(secrets.get(name), str)}
    if kept:
        yield TreeFile(
            f"{SETTINGS}/{brique}/secrets/{owner}.json",
            (Part(_json(kept), commune),),
            mode="0600",
            owner=brique,
            group=brique,
            secret=True,
        )


def host_pack(brique: str, pack: Pack) -> dict[str, Any]:
    """Return the ``pack.yml`` of the host: who it is, and the platform that this brique speaks to."""
    file = pack.file
    said: dict[str, Any] = file.model_dump(
        mode="json", exclude_none=True, include={"nom": True, "operateur": {"nom", "courriel"}, "eligibilite": True}
    )
    said["plateforme"] = file.plateforme.model_dump(
        mode="json", exclude_none=True, exclude={"hotes": {"__all__": {"connexion"}}}
    )
    said["schemas"] = SCHEMAS
    section, name = (file.sae, "sae") if brique == "archivage" else (file.tdt, "tdt")
    if section is not None:
        laid = host_file_names(*((section, None) if isinstance(section, Sae) else (None, section)))
        renamed = {place.removesuffix(".pem").rpartition("-")[2]: place for place in laid}
        said[name] = section.model_dump(mode="json", exclude_none=True) | renamed
    return said


def host_commune(commune: Commune, pack: Pack) -> dict[str, Any]:
    """Return a commune's file as the host has it: who it is, and how it archives and transmits."""
    said: dict[str, Any] = commune.model_dump(mode="json", include=IDENTITY, exclude_none=True)
    # The host publishes no zone: what a managed one must hold is no business of its own.
    said["domaine"] = {"nom": commune.domaine.nom, "dns": "externe"}
    if commune.archivage is not None and commune.archivage.profil_rng:
        said["archivage"]["profil_rng"] = f"profils/{commune.insee}.rng"
    return said


def destinations(brique: str, pack: Pack) -> list[list[Any]]:
    """Return where a brique's account may go, as host names and TCP ports."""
    section: Sae | Tdt | None = pack.file.sae if brique == "archivage" else pack.file.tdt
    if section is None:
        return []
    if isinstance(section, Sae) and section.depot == "sftp":
        return [[section.hote, section.port]]
    return [list(address_of(str(section.url)))]


def address_of(url: str) -> tuple[str, int]:
    """Return the host name and port of an ``https`` address."""
    found = urlsplit(url)
    return found.hostname or "", found.port or HTTPS


def _json(said: Mapping[str, Any]) -> str:
    """Return JSON, which YAML reads too."""
    return json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
