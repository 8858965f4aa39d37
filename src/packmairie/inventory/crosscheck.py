# SPDX-License-Identifier: GPL-3.0-or-later
"""What no file of a pack can know alone: duplicates, the official register, eligibility. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packmairie.inventory.located import Located
from packmairie.inventory.source import Node
from packmairie.model.commune import Commune
from packmairie.model.pack import Eligibilite, PackFile
from packmairie.registry.eligibility import Candidate, Refused, assess
from packmairie.registry.table import MILLESIME, Row, table

_INSEE = re.compile(r"([0-9]{2}|2[AB])[0-9]{3}")


@dataclass(frozen=True)
class Entry:
    """One commune's file: its path, what could be read, and the commune when it is valid by itself."""

    path: Path
    root: Node | None
    commune: Commune | None

    def text(self, *keys: str) -> str | None:
        """Return the text typed at a path, even when the file has other problems."""
        return self.root.text(*keys) if self.root is not None else None

    def problem(self, keys: tuple[str | int, ...], reason: str, remedy: str) -> Located:
        """Return a problem placed at the line of a key."""
        return Located(str(self.path), self.root.nearest(keys).line if self.root is not None else 0, reason, remedy)


def cross_check(file: PackFile | None, entries: Sequence[Entry]) -> list[Located]:
    """Given the pack's file (None when it is wrong) and the communes' files, return what is wrong between them."""
    found = [*_file_names(entries), *_same_codes(entries), *_domains(file, entries), *_ways(file, entries)]
    policy = file.eligibilite if file is not None else None
    for entry in entries:
        if entry.commune is not None:
            found.extend(_register(entry, entry.commune, policy))
    return found


def _file_names(entries: Iterable[Entry]) -> Iterator[Located]:
    for entry in entries:
        insee = entry.text("insee")
        if insee is None or not _INSEE.fullmatch(insee):
            continue
        if not re.match(rf"{insee}(?![0-9A-Za-z])", entry.path.name):
            remedy = f"renommer le fichier {insee}-….yml, ou corriger le code"
            yield entry.problem(("insee",), f"insee : « {insee} » ne correspond pas au nom du fichier", remedy)


def _same_codes(entries: Iterable[Entry]) -> Iterator[Located]:
    first: dict[str, Entry] = {}
    for entry in entries:
        insee = entry.text("insee")
        if insee is None:
            continue
        known = first.setdefault(insee, entry)
        if known is not entry:
            reason = f"insee : « {insee} » est déjà la commune de {known.path.name}"
            yield entry.problem(("insee",), reason, "garder un seul fichier par commune")


def _ways(file: PackFile | None, entries: Sequence[Entry]) -> Iterator[Located]:
    """Tell workstations that wait for bundles which no host of the platform publishes."""
    if file is None or any({"acces", "frontal"} <= set(host.groupes) for host in file.plateforme.hotes.values()):
        return
    for entry in entries:
        for rank, poste in enumerate(entry.commune.postes if entry.commune is not None else ()):
            if (poste.acces or (file.postes.acces if poste.adresse is None else None)) == "tirage":
                reason = f"postes : {poste.nom} attend des paquets (tirage) que personne ne publie"
                remedy = "donner à un hôte de pack.yml les groupes frontal et acces, ou choisir acces: tunnel"
                yield entry.problem(("postes", rank), reason, remedy)


def _domains(file: PackFile | None, entries: Sequence[Entry]) -> Iterator[Located]:
    """Tell domains used twice, or inside one another: one zone would be published over another."""
    first: dict[str, Entry] = {}
    keys = ("domaine", "nom")
    for entry in entries:
        domain = entry.text(*keys)
        if domain is None:
            continue
        known = first.setdefault(domain, entry)
        if known is not entry:
            reason = f"domaine.nom : « {domain} » est déjà le domaine de {known.path.name}"
            yield entry.problem(keys, reason, "donner à chaque commune son propre domaine")
    platform = file.plateforme.domaine if file is not None else None
    for domain, entry in first.items():
        if platform and (domain == platform or domain.endswith(f".{platform}")):
            reason = f"domaine.nom : « {domain} » appartient au domaine de la plateforme ({platform})"
            yield entry.problem(keys, reason, "donner à la commune son propre domaine")
        parents = _parents(domain)
        for parent in parents:
            if parent in first:
                reason = f"domaine.nom : « {domain} » se trouve dans le domaine de {first[parent].path.name}"
                yield entry.problem(keys, reason, "donner à chaque commune son propre domaine")


def _parents(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)]


def _register(entry: Entry, commune: Commune, policy: Eligibilite | None) -> Iterator[Located]:
    """Compare a commune with its row of the register, then apply the pack's policy."""
    row = table().get(commune.insee)
    if row is None:
        if commune.derogation is None:
            remedy = "vérifier le code : packmairie inventory search NOM (ou dire pourquoi avec « derogation: motif »)"
            yield entry.problem(("insee",), f"insee : « {commune.insee} » n'est pas au registre {MILLESIME}", remedy)
    else:
        yield from _differences(entry, commune, row)
    if policy is None:
        return
    candidate, millesime = _population_to_judge(commune, row, policy)
    verdict = assess(
        candidate,
        policy,
        millesime=millesime,
        under_convention=commune.convention is not None,
        waiver=commune.derogation,
    )
    if isinstance(verdict, Refused):
        remedy = "ajouter « convention: {depuis: AAAA-MM-JJ} » ou « derogation: motif », ou retirer ce fichier"
        yield entry.problem(("population",), f"commune non éligible : {verdict.reason}", remedy)


def _differences(entry: Entry, commune: Commune, row: Row) -> Iterator[Located]:
    official: dict[str, str | int] = {
        "nom": row.nom,
        "departement": row.departement,
        "siren": row.siren,
        "siret": row.siret,
    }
    if commune.millesime == MILLESIME:
        official["population"] = row.population
    for key, value in official.items():
        written = getattr(commune, key)
        if written != value:
            reason = f"{key} : « {written} », alors que le registre {MILLESIME} dit « {value} »"
            shown = value if isinstance(value, int) else f'"{value}"'
            yield entry.problem((key,), reason, f"écrire « {key}: {shown} », ou corriger le code INSEE")
    unknown = sorted(set(commune.codes_postaux) - set(row.codes_postaux))
    if unknown:
        reason = f"codes_postaux : {', '.join(unknown)} n'est pas un code postal de cette commune"
        yield entry.problem(
            ("codes_postaux",), reason, f"codes du registre {MILLESIME} : {', '.join(row.codes_postaux)}"
        )


def _population_to_judge(commune: Commune, row: Row | None, policy: Eligibilite) -> tuple[Candidate, int]:
    """Return whose population the policy looks at: the file's when it is of the policy's year, else the register's."""
    if row is not None and commune.millesime != policy.millesime and policy.millesime == MILLESIME:
        return row, MILLESIME
    return commune, commune.millesime
