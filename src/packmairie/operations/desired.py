# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired state of a pack, computed once: zones and trees that plan, deploy and Ansible all share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from packmairie.briques.catalogue import CATALOGUE
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.commune import Commune, DnsMode
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.model.record import Record, Zone
from packmairie.model.secret import SecretWish, placeholder
from packmairie.model.tree import Tree, merge_trees

SecretSource = Callable[[str], Mapping[str, Any]]
"""Given an INSEE code or ``plateforme``, return the secrets by name."""

COMMUNE_IN_OWNER = re.compile(r"(?:^|\.)(\d[\dAB]\d{3})(?:\.|$)")


@dataclass(frozen=True)
class Missing:
    """A secret that the vault does not hold yet."""

    commune: str
    wish: SecretWish


def deployed_briques(commune: Commune) -> Iterator[Any]:
    """Yield the briques that packmairie deploys for this commune (``dns`` always: a name is no one else's service)."""
    for brique in CATALOGUE:
        if brique.elsewhere or commune.deploys(brique.name):
            yield brique


def chosen_communes(pack: Pack, communes: Collection[str]) -> Iterator[Commune]:
    """Yield the communes of a selection in the pack's order; an empty selection is the whole pack."""
    return (commune for commune in pack.communes if not communes or commune.insee in communes)


def wished_secrets(pack: Pack, communes: Collection[str] = ()) -> Iterator[tuple[str, tuple[SecretWish, ...]]]:
    """Yield (INSEE code or ``plateforme``, secrets wished) of a selection, the platform first."""
    yield PLATEFORME, tuple(wish for brique in CATALOGUE for wish in brique.platform_secrets(pack))
    for commune in chosen_communes(pack, communes):
        yield (
            commune.insee,
            tuple(wish for brique in deployed_briques(commune) for wish in brique.secrets(commune, pack)),
        )


def missing_secrets(pack: Pack, vault: Vault, communes: Collection[str] = ()) -> tuple[Missing, ...]:
    """Return the secrets wished for a selection (empty: the whole pack) that the vault does not hold."""
    absent = []
    for name, wishes in wished_secrets(pack, communes):
        known = vault.read(name)
        absent += [Missing(name, wish) for wish in wishes if wish.name not in known]
    return tuple(absent)


def offline_secrets(pack: Pack) -> SecretSource:
    """Return a source of placeholders of the right shape: rendering needs no vault, and can leak nothing."""
    by_name = {name: {wish.name: placeholder(wish.kind) for wish in wishes} for name, wishes in wished_secrets(pack)}
    return lambda name: by_name.get(name, {})


def vault_secrets(pack: Pack, vault: Vault, *, allow_missing: bool) -> SecretSource:
    """Return the vault as a source; what it lacks is a placeholder when allowed (a plan), an error when not."""

    @cache
    def read(name: str) -> Mapping[str, Any]:
        known = dict(vault.read(name))
        chosen = (name,) if name != PLATEFORME else ("",)
        wishes = dict(wished_secrets(pack, chosen)).get(name, ())
        absent = [wish for wish in wishes if wish.name not in known]
        if absent and not allow_missing:
            raise fail(
                f"secrets/{name}.yml",
                "secrets absents : " + ", ".join(wish.name for wish in absent),
                "les générer avec « packmairie inventory secrets »",
            )
        return {wish.name: placeholder(wish.kind) for wish in absent} | known

    return read


def commune_zone(commune: Commune, pack: Pack) -> Zone:
    """Return the wished zone of a commune; sets of one name and type wished by several briques are joined."""
    records = joined(record for brique in deployed_briques(commune) for record in brique.records(commune, pack))
    return Zone(commune.domaine.nom, records, commune.insee, commune.domaine.dns is DnsMode.GEREE)


def platform_zone(pack: Pack, source: SecretSource, communes: Collection[str] = ()) -> Zone:
    """Return the platform's own zone, knowing which of its records belong to a commune.

    With a selection, the records of other communes are left out: their vaults need not be opened, and what becomes of
    them is not asked (:func:`packmairie.engines.dns.plan_zones` leaves them as they are).
    """
    records = [record for brique in CATALOGUE for record in brique.platform_records(pack, source(PLATEFORME))]
    owners: dict[str, str] = {}
    for commune in chosen_communes(pack, communes):
        for brique in deployed_briques(commune):
            for record in brique.shared_records(commune, pack, source(commune.insee)):
                owners[record.name] = commune.insee
                records.append(record)
    return Zone(pack.file.plateforme.domaine, joined(records), None, True, owners)


def joined(records: Iterable[Record]) -> tuple[Record, ...]:
    """Join record sets that share a name and a type.

    Raise ValueError where a CNAME would have company (RFC 2181 §10.1), or where a second SPF policy would
    void the first (RFC 7208 §3.2).
    """
    sets: dict[tuple[str, str], Record] = {}
    for record in records:
        key = (record.name, record.type)
        known = sets.get(key)
        values = tuple(dict.fromkeys((*(known.values if known else ()), *record.values)))
        sets[key] = Record(
            record.name, record.type, values, min(record.ttl, known.ttl if known else record.ttl), record.why
        )
    types: dict[str, set[str]] = {}
    for name, type_ in sets:
        types.setdefault(name, set()).add(type_)
    for name, found in types.items():
        if "CNAME" in found and (len(found) > 1 or len(sets[name, "CNAME"].values) > 1):
            raise ValueError(f"« {name or '@'} » est un alias et ne peut porter rien d'autre")
    for record in sets.values():
        policies = [value for value in record.values if value.lower().startswith("v=spf1")]
        if record.type == "TXT" and len(policies) > 1:
            raise ValueError(f"« {record.name or '@'} » aurait deux SPF (les expéditeurs vont dans messagerie.spf)")
    return tuple(sorted(sets.values()))


def zones(pack: Pack, source: SecretSource, communes: Collection[str] = ()) -> tuple[Zone, ...]:
    """Return the wished zones of a selection (empty: the whole pack), the platform's first.

    Raise PackmairieError naming each commune whose records contradict one another.
    """
    found = [platform_zone(pack, source, communes)]
    problems = []
    for commune in chosen_communes(pack, communes):
        try:
            found.append(commune_zone(commune, pack))
        except ValueError as error:
            problems.append(
                Problem(
                    f"commune {commune.insee}",
                    f"zone {commune.domaine.nom} : {error}",
                    "corriger domaine.enregistrements",
                )
            )
    if problems:
        raise PackmairieError(problems)
    return tuple(found)


def trees(pack: Pack, source: SecretSource, communes: Collection[str] = ()) -> dict[str, Tree]:
    """Return the wished trees by name, with the files and parts of a selection of communes (empty: all of them)."""
    platform = [tree for brique in CATALOGUE for tree in brique.platform_tenant(pack, source(PLATEFORME))]
    tenants = [
        tree
        for commune in chosen_communes(pack, communes)
        for brique in deployed_briques(commune)
        for tree in brique.tenant(commune, pack, source(commune.insee))
    ]
    return merge_trees([*platform, *tenants])


def host_tree(folder: Path, name: str, *, communes: Collection[str] = (), allow_missing: bool = False) -> Tree:
    """Given a pack's folder, the name of a tree and a selection of communes, return it; an unknown name is empty."""
    return remembered_trees(folder, frozenset(communes), allow_missing).get(name) or Tree(name, "", ())


@cache
def remembered_secrets(folder: Path, communes: frozenset[str], allow_missing: bool) -> SecretSource:
    """Return the vault of a selection as a source, opened once for this process and those forked from it.

    Opening one file costs a key derivation: every one that a whole pack needs is opened at once, on every core.
    """
    pack, vault = remembered_pack(folder), Vault(folder)
    vault.read(PLATEFORME)
    vault.read_all([PLATEFORME, *(commune.insee for commune in chosen_communes(pack, communes))])
    return vault_secrets(pack, vault, allow_missing=allow_missing)


@cache
def remembered_trees(folder: Path, communes: frozenset[str], allow_missing: bool) -> dict[str, Tree]:
    """Return every tree of a selection, rendered once for this process and those forked from it."""
    return trees(remembered_pack(folder), remembered_secrets(folder, communes, allow_missing), communes)


@lru_cache(maxsize=1)
def remembered_pack(folder: Path) -> Pack:
    """Return a pack as it was when this process, or the one that it was forked from, first asked for it.

    For Ansible: the inventory asks first, in the process from which each task's worker is forked, so that one run
    reads the pack once and shows one state of it from its beginning to its end. Raise PackmairieError as load_pack.
    """
    return load_pack(folder)


def communes_of(folder: Path) -> frozenset[str]:
    """Return the INSEE codes of a pack."""
    return frozenset(commune.insee for commune in remembered_pack(folder).communes)


def owner_of(zone: Zone, record_name: str) -> str | None:
    """Return the commune that a record belongs to, also for a record that is no longer wished."""
    known = zone.commune_of(record_name)
    if known or zone.commune:
        return known
    trace = COMMUNE_IN_OWNER.search(record_name)
    return trace.group(1) if trace else None


def select(pack: Pack, wanted: Iterable[str]) -> tuple[str, ...]:
    """Given INSEE codes (none means all), return those of the pack, in its order.

    Raise PackmairieError for a code that the pack does not hold: a selection that matches nothing is a mistake.
    """
    asked = tuple(wanted)
    known = [commune.insee for commune in pack.communes]
    unknown = [code for code in asked if code not in known]
    if unknown:
        raise PackmairieError(
            Problem(
                f"commune {code}",
                f"n'est pas dans le pack {pack.folder}",
                f"l'ajouter avec « packmairie inventory add {code} », ou voir « packmairie inventory list »",
            )
            for code in unknown
        )
    if not known:
        raise fail(pack.folder, "le pack n'a aucune commune", "en ajouter avec « packmairie inventory add CODE »")
    return tuple(code for code in known if not asked or code in asked)
