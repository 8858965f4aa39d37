# SPDX-License-Identifier: GPL-3.0-or-later
"""The technician's acts at the registrar and at the hosting provider, played on `monde`.

The registries of the lab (`fr.`, `example.`) hold one fragment of zone per
delegated domain; `monde` assembles, checks and signs them.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from packmairie.lab import access
from packmairie.lab.hosts import Host
from packmairie.lab.paths import Paths
from packmairie.model.problem import PackmairieError, Problem, fail

REGISTRIES = ("fr", "example")
"""The top-level domains that exist in the lab."""
TTL = 60
COMMAND = "/usr/local/sbin/monde-registre"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"^({_LABEL}\.)+{_LABEL}$")
_DS = re.compile(r"^[0-9]{1,5} [0-9]{1,3} [0-9]{1,3} [0-9A-Fa-f]{40,128}$")


@dataclass(frozen=True)
class Delegation:
    """What a registrar is told of a domain.

    `nameservers` gives each name server's name and IPv4 address; the address is
    published as glue where the name lies under the same top-level domain. `ds` are
    the DS records in presentation format (``tag algorithm digest-type digest``).
    """

    nameservers: Mapping[str, str]
    ds: Sequence[str] = field(default=())


def registry_of(domain: str) -> str:
    """Return the top-level domain of a domain. Raise unless the lab has its registry."""
    top = domain.rstrip(".").rsplit(".", 1)[-1]
    if not _DOMAIN.match(domain.rstrip(".")) or top not in REGISTRIES:
        raise fail(
            domain,
            "le labo ne tient pas de registre pour ce nom",
            f"choisir un domaine en .{' ou .'.join(REGISTRIES)}, en ASCII et en minuscules",
        )
    return top


def check(domain: str, delegation: Delegation) -> list[Problem]:
    """Return everything that is wrong in a delegation, before anything is sent."""
    problems = []
    if not delegation.nameservers:
        problems.append(Problem(domain, "aucun serveur de noms", "donner au moins un serveur : --ns NOM=ADRESSE"))
    for name, address in delegation.nameservers.items():
        if not _DOMAIN.match(name.rstrip(".")):
            problems.append(Problem(domain, f"« {name} » n'est pas un nom de serveur", "écrire un nom complet"))
        try:
            ipaddress.IPv4Address(address)
        except ValueError:
            problems.append(
                Problem(domain, f"« {address} » n'est pas une adresse IPv4", "écrire par exemple 10.59.62.10")
            )
    problems += [
        Problem(
            domain,
            f"« {record} » n'est pas un enregistrement DS",
            "écrire « étiquette algorithme condensat empreinte »",
        )
        for record in delegation.ds
        if not _DS.match(record)
    ]
    return problems


def fragment(domain: str, delegation: Delegation) -> str:
    """Return the lines of a registry's zone that delegate a domain: NS, DS, and glue.

    Glue is written for name servers that lie under the registry's own top-level
    domain; the others are found by following their own delegation.
    """
    registry = registry_of(domain)
    owner = f"{domain.rstrip('.')}."
    lines = [f"{owner} {TTL} IN NS {name.rstrip('.').lower()}." for name in sorted(delegation.nameservers)]
    lines += [f"{owner} {TTL} IN DS {record}" for record in sorted(delegation.ds)]
    lines += [
        f"{name.rstrip('.').lower()}. {TTL} IN A {address}"
        for name, address in sorted(delegation.nameservers.items())
        if name.rstrip(".").lower().endswith(f".{registry}")
    ]
    return "\n".join(lines) + "\n"


def requests(delegations: Mapping[str, Delegation]) -> dict[str, dict[str, str]]:
    """Return, by registry and by domain, the fragments to publish. Raise with every problem found."""
    problems: list[Problem] = []
    result: dict[str, dict[str, str]] = {}
    for domain in sorted(delegations):
        try:
            registry = registry_of(domain)
        except PackmairieError as error:
            problems += error.problems
            continue
        problems += check(domain, delegations[domain])
        result.setdefault(registry, {})[domain.rstrip(".")] = fragment(domain, delegations[domain])
    if problems:
        raise PackmairieError(problems)
    return result


def reverse_fragments(names: Mapping[str, str]) -> dict[str, str]:
    """Return the fragments of the reverse zone that name addresses, by address. Raise when one is wrong."""
    problems = []
    result = {}
    for address, name in names.items():
        try:
            pointer = ipaddress.IPv4Address(address).reverse_pointer
        except ValueError:
            problems.append(Problem(address, "ce n'est pas une adresse IPv4", "écrire par exemple 10.59.62.10"))
            continue
        if not _DOMAIN.match(name.rstrip(".")):
            problems.append(Problem(address, f"« {name} » n'est pas un nom d'hôte", "écrire un nom complet"))
            continue
        result[address] = f"{pointer}. {TTL} IN PTR {name.rstrip('.').lower()}.\n"
    if problems:
        raise PackmairieError(problems)
    return result


def delegate(paths: Paths, monde: Host, delegations: Mapping[str, Delegation]) -> list[str]:
    """Publish delegations on `monde` and return the domains whose delegation has changed."""
    return publish(paths, monde, requests(delegations))


def set_reverse(paths: Paths, monde: Host, names: Mapping[str, str]) -> bool:
    """Publish names of addresses on `monde`; return whether something has changed."""
    return bool(publish(paths, monde, {"reverse": reverse_fragments(names)}))


def publish(paths: Paths, monde: Host, fragments: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Send fragments to monde's registries over SSH and return the names that changed."""
    output = access.must(paths, monde, [COMMAND], text_input=json.dumps(fragments), timeout=60)
    changed = json.loads(output)["changed"]
    return [str(name) for name in changed]
